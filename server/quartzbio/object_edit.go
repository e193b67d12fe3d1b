package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// listObjects lists objects of one vault, or of all that the caller sees.
func (f *Face) listObjects(c *fiber.Ctx) error {
	if err := checkQuery(c, "vault_id", "vault_name", "account_domain", "full_path", "path", "object_type", "filename",
		"parent_object_id", "ancestor_id", "recursive", "depth", "q", "query", "ordering", "allow_multiple"); err != nil {
		return err
	}
	if order := strings.TrimPrefix(c.Query("ordering"), "-"); order != "" && order != "path" && order != "filename" {
		return oneOf("ordering", c.Query("ordering"), "path or filename, with - before it for the reverse")
	}
	all, err := f.wantedObjects(c)
	if err != nil {
		return err
	}
	kept := all
	if all, err = filterObjects(c, all); err != nil {
		return err
	}
	return showList(c, all, func(o object) (objectView, error) { return f.viewObject(c.UserContext(), o, kept) })
}

// wantedObjects lists all objects of the vaults that a request names.
func (f *Face) wantedObjects(c *fiber.Ctx) (out []object, err error) {
	var wanted []vault
	if id := c.Query("vault_id"); id != "" {
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, refused("vault_id", "must be an integer")
		}
		v, err := f.vaultByID(c, number, access.Reader)
		if err != nil {
			return nil, err
		}
		wanted = []vault{v}
	} else if wanted, err = f.vaults(c); err != nil {
		return nil, err
	}
	of, name, _ := strings.Cut(c.Query("full_path"), ":")
	name, _, _ = strings.Cut(name, ":")
	for _, v := range wanted {
		if c.Query("full_path") != "" && (of != domain || name != v.name) ||
			c.Query("vault_name", v.name) != v.name || c.Query("account_domain", domain) != domain {
			continue
		}
		all, err := f.objectsIn(c.UserContext(), v)
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	// One that someone else's personal vault has is named by that vault alone.
	if len(out) == 0 && c.Query("full_path") != "" && strings.HasPrefix(name, "user-") {
		if number, err := strconv.ParseInt(strings.TrimPrefix(name, "user-"), 10, 64); err == nil && number > 0 {
			v, err := f.vaultByID(c, -number, access.Reader)
			if err == nil {
				return f.objectsIn(c.UserContext(), v)
			}
		}
	}
	return out, nil
}

// filterObjects keeps those of the objects that a request selects, in its order.
func filterObjects(c *fiber.Ctx, all []object) ([]object, error) {
	within, depth := "", -1
	for _, name := range []string{"parent_object_id", "ancestor_id"} {
		id := c.Query(name)
		if id == "" {
			continue
		}
		i := slices.IndexFunc(all, func(o object) bool { return o.id == id })
		if i < 0 {
			return nil, nil
		}
		within = all[i].path + "/"
		if name == "parent_object_id" {
			depth = strings.Count(within, "/") - 1
		}
	}
	if c.Query("depth") != "" {
		n, err := count(c, "depth", 0, 0)
		if err != nil {
			return nil, err
		}
		depth = n
	}
	kind, full := c.Query("object_type"), c.Query("full_path")
	about := strings.ToLower(cmp.Or(c.Query("q"), c.Query("query")))
	out := slices.DeleteFunc(slices.Clone(all), func(o object) bool {
		return kind != "" && o.kind != kind || full != "" && o.fullPath() != full ||
			c.Query("path", o.path) != o.path || c.Query("filename", o.filename()) != o.filename() ||
			!strings.HasPrefix(o.path, within) || depth >= 0 && strings.Count(o.path, "/")-1 != depth ||
			!strings.Contains(strings.ToLower(o.path), about)
	})
	switch c.Query("ordering") {
	case "filename", "-filename":
		slices.SortStableFunc(out, func(a, b object) int { return strings.Compare(a.filename(), b.filename()) })
	}
	if strings.HasPrefix(c.Query("ordering"), "-") {
		slices.Reverse(out)
	}
	return out, nil
}

// objectIn is the request to make an object, or to change one.
type objectIn struct {
	ObjectType     string            `json:"object_type"`
	VaultID        *json.Number      `json:"vault_id"`
	Filename       *string           `json:"filename"`
	ParentObjectID *string           `json:"parent_object_id"`
	Description    *string           `json:"description"`
	Tags           *[]string         `json:"tags"`
	Metadata       *catalog.Metadata `json:"metadata"`

	MD5      string      `json:"md5"` // of a file, as the next two
	Mimetype *string     `json:"mimetype"`
	Size     json.Number `json:"size"`

	Fields []fieldIn `json:"fields"` // of a dataset, as the next one, which the service does not have
	Key    []string  `json:"key"`

	// Without effect: there is one class of storage, and no capacity to choose.
	Capacity     string          `json:"capacity"`
	StorageClass string          `json:"storage_class"`
	Target       json.RawMessage `json:"target"`
}

// labels returns what the request says of an object of which this was said before.
func (in objectIn) labels(before labels) labels {
	if in.Description != nil {
		before.Description = *in.Description
	}
	if in.Tags != nil {
		before.Tags = *in.Tags
	}
	if in.Metadata != nil {
		before.Metadata = *in.Metadata
	}
	return before
}

// createObject makes a folder, a file to be uploaded, or a dataset.
func (f *Face) createObject(c *fiber.Ctx) error {
	var in objectIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	v, p, err := f.place(c, in)
	if err != nil {
		return err
	}
	var made object
	switch in.ObjectType {
	case datasetKind:
		made, err = f.createDataset(c, v, p, in)
	case folderKind:
		made, err = f.createFolder(c, v, p, in)
	case fileKind:
		return f.createFile(c, v, p, in)
	default:
		return oneOf("object_type", in.ObjectType, "dataset, folder or file")
	}
	if err != nil {
		return err
	}
	return f.showObject(c, http.StatusCreated, made)
}

// place returns where an object is to be made.
func (f *Face) place(c *fiber.Ctx, in objectIn) (v vault, p string, err error) {
	if in.VaultID == nil {
		return v, "", required("vault_id")
	}
	id, err := in.VaultID.Int64()
	if err != nil {
		return v, "", refused("vault_id", "must be an integer")
	}
	if v, err = f.vaultByID(c, id, access.Writer); err != nil {
		return v, "", err
	}
	if in.Filename == nil {
		return v, "", required("filename")
	}
	if err := checkFilename(*in.Filename); err != nil {
		return v, "", err
	}
	folder := ""
	if in.ParentObjectID != nil {
		folder = *in.ParentObjectID
	}
	if p, err = f.parent(c, v, folder); err != nil {
		return v, "", err
	}
	return v, path.Join(p, *in.Filename), nil
}

// taken returns the object at a path of a vault, if there is one.
func (f *Face) taken(ctx context.Context, v vault, p string) (object, bool, error) {
	all, err := f.objectsIn(ctx, v)
	i := slices.IndexFunc(all, func(o object) bool { return o.path == p })
	if err != nil || i < 0 {
		return object{}, false, err
	}
	return all[i], true, nil
}

// pathTaken is the refusal of a path that something has.
func pathTaken(o object) error {
	return refused("filename", "is taken: there is a "+o.kind+" at "+o.fullPath()+" already")
}

// createFolder makes a folder that is empty.
func (f *Face) createFolder(c *fiber.Ctx, v vault, p string, in objectIn) (object, error) {
	ctx := c.UserContext()
	if o, is, err := f.taken(ctx, v, p); is || err != nil {
		return o, cmp.Or(err, pathTaken(o))
	}
	e, err := f.newEntry(c, folderKind, v, p, in.labels(labels{}))
	if err == nil {
		err = f.entries.put(ctx, e)
	}
	return object{kind: folderKind, id: folderID(v, p), vault: v, path: p, entry: e}, err
}

// createDataset makes a dataset with the fields that a request says; it has none otherwise, until records come.
func (f *Face) createDataset(c *fiber.Ctx, v vault, p string, in objectIn) (object, error) {
	ctx := c.UserContext()
	if o, is, err := f.taken(ctx, v, p); is || err != nil {
		return o, cmp.Or(err, pathTaken(o))
	}
	columns, err := wantedFields(in.Fields)
	if err != nil {
		return object{}, err
	}
	if len(columns) > 0 {
		if err := permit.Check(host.Caller(c), v.project(), access.Maintainer); err != nil {
			return object{}, err
		}
	}
	said := in.labels(labels{})
	s, err := change(f, c, func(ctx context.Context, r storage.Request) (snapshot.State, error) {
		return f.store.CreateDataset(ctx, storage.NewDataset{
			ProjectID: v.project(), Name: v.nameOf(p), Key: in.Key, Description: said.Description, Metadata: said.metadata(),
		}, r)
	})
	if err != nil {
		return object{}, err
	}
	id := s.Dataset.ID
	for _, column := range columns {
		if err := f.addField(c, id, column); err != nil {
			// A dataset with some of its fields would be in the way of the next attempt.
			return object{}, cmp.Or(err, f.store.DeleteDataset(context.WithoutCancel(ctx), id, f.request(c)))
		}
	}
	if s, err = f.dataset(ctx, id); err != nil {
		return object{}, err
	}
	return object{kind: datasetKind, id: id, vault: v, path: p, state: s}, nil
}

// getObject shows one object.
func (f *Face) getObject(c *fiber.Ctx) error {
	o, err := f.objectParam(c, access.Reader)
	if err != nil {
		return err
	}
	return f.showObject(c, http.StatusOK, o)
}

// changedObject finds the object that a request changes: of a dataset, that needs a maintainer.
func (f *Face) changedObject(c *fiber.Ctx) (object, error) {
	o, err := f.objectParam(c, access.Writer)
	if err == nil && o.kind == datasetKind {
		err = permit.Check(host.Caller(c), o.vault.project(), access.Maintainer)
	}
	return o, err
}

// editObject moves an object, or changes what is said of it.
func (f *Face) editObject(c *fiber.Ctx) error {
	o, err := f.changedObject(c)
	if err != nil {
		return err
	}
	var in objectIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	if in.StorageClass == "Archive" {
		return refused("storage_class", "must not be Archive: datasets are always available")
	}
	if len(in.Fields) > 0 || len(in.Key) > 0 || in.MD5 != "" || in.Size != "" {
		return refused("fields, key, md5 and size", "are given when an object is made")
	}
	if o, err = f.edit(c, o, in); err != nil {
		return err
	}
	return f.showObject(c, http.StatusOK, o)
}

// edit changes an object, and returns what it is then.
func (f *Face) edit(c *fiber.Ctx, o object, in objectIn) (object, error) {
	folder, err := path.Dir(o.path), error(nil)
	if in.ParentObjectID != nil {
		if folder, err = f.parent(c, o.vault, *in.ParentObjectID); err != nil {
			return o, err
		}
	}
	name := o.filename()
	if in.Filename != nil {
		if name = *in.Filename; name != o.filename() {
			err = checkFilename(name)
		}
	}
	to := path.Join(folder, name)
	if err == nil && to != o.path {
		var there object
		var is bool
		if there, is, err = f.taken(c.UserContext(), o.vault, to); is {
			err = pathTaken(there)
		}
	}
	switch {
	case err != nil:
		return o, err
	case o.kind == datasetKind:
		return f.renameDataset(c, o, to, in)
	case o.kind == folderKind && to != o.path:
		return o, refused("filename", "of a folder stays. Make another one, and move what is in it")
	}
	return f.editEntry(c, o, to, in)
}

// renameDataset moves a dataset, or changes what is said of it, as a commit.
func (f *Face) renameDataset(c *fiber.Ctx, o object, to string, in objectIn) (object, error) {
	ctx := c.UserContext()
	said := in.labels(labelsOf(o.state.Properties))
	e := storage.Edit{Description: &said.Description, Metadata: said.metadata()}
	for key := range o.state.Properties.Metadata { // what is not said any more
		if _, stays := e.Metadata[key]; !stays {
			e.Metadata[key] = nil
		}
	}
	if to != o.path {
		name := o.vault.nameOf(to)
		e.Name = &name
	}
	if _, err := change(f, c, func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		return f.store.EditDataset(ctx, o.id, e, r)
	}); err != nil {
		return o, err
	}
	s, err := f.dataset(ctx, o.id)
	o.state, o.path = s, to
	return o, err
}

// editEntry moves a file, or changes what is said of it or of a folder.
func (f *Face) editEntry(c *fiber.Ctx, o object, to string, in objectIn) (object, error) {
	document := map[string]any{}
	if o.entry.ID == "" { // of a folder that was not made
		var err error
		if o.entry, err = f.newEntry(c, folderKind, o.vault, to, document); err != nil {
			return o, err
		}
	} else if err := json.Unmarshal(o.entry.Document, &document); err != nil {
		return o, err
	}
	said := in.labels(o.labels())
	document["description"], document["tags"], document["metadata"] = said.Description, said.Tags, said.Metadata
	text, err := json.Marshal(document)
	if err != nil {
		return o, err
	}
	o.entry.Path, o.entry.Document, o.path = o.vault.inProject(to), text, to
	return o, f.entries.put(c.UserContext(), o.entry)
}

// deleteObject deletes an object. A deleted dataset can be brought back (POST /api/v1/datasets/{id}/undelete).
func (f *Face) deleteObject(c *fiber.Ctx) error {
	o, err := f.changedObject(c)
	if err == nil {
		err = f.readNothing(c)
	}
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	out, err := f.oneView(c, o)
	if err != nil {
		return err
	}
	switch {
	case o.kind == datasetKind:
		err = f.store.DeleteDataset(ctx, o.id, f.request(c))
	case o.kind == folderKind && out.HasChildren:
		err = refused("folder", "is not empty. Delete what is in it first")
	case o.kind == fileKind:
		err = f.dropFile(ctx, o.entry)
	default:
		err = f.entries.remove(ctx, o.entry.ID)
	}
	if err != nil {
		return err
	}
	out.IsDeleted = true
	return show(c, http.StatusOK, out)
}

// getDataset shows one dataset.
func (f *Face) getDataset(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err != nil {
		return err
	}
	return f.showDataset(c, s)
}

func (f *Face) showDataset(c *fiber.Ctx, s snapshot.State) error {
	out, err := f.viewDataset(c, s)
	if err != nil {
		return err
	}
	return show(c, http.StatusOK, out)
}

// editDataset changes what is said of a dataset. It is moved as an object.
func (f *Face) editDataset(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err != nil {
		return err
	}
	var in struct {
		Description *string           `json:"description"`
		Tags        *[]string         `json:"tags"`
		Metadata    *catalog.Metadata `json:"metadata"`
	}
	if err := f.read(c, &in); err != nil {
		return err
	}
	v, p, err := f.datasetVault(c, s)
	if err != nil {
		return err
	}
	o := object{kind: datasetKind, id: s.Dataset.ID, vault: v, path: p, state: s}
	o, err = f.renameDataset(c, o, p, objectIn{Description: in.Description, Tags: in.Tags, Metadata: in.Metadata})
	if err != nil {
		return err
	}
	return f.showDataset(c, o.state)
}

// deleteDataset deletes a dataset.
func (f *Face) deleteDataset(c *fiber.Ctx) error {
	s, err := f.datasetParam(c)
	if err != nil {
		return err
	}
	out, err := f.viewDataset(c, s)
	if err == nil {
		err = f.readNothing(c)
	}
	if err != nil {
		return err
	}
	if err := f.store.DeleteDataset(c.UserContext(), s.Dataset.ID, f.request(c)); err != nil {
		return err
	}
	return show(c, http.StatusOK, out)
}
