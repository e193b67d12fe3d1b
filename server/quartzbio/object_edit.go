package quartzbio

import (
	"context"
	"encoding/json"
	"net/http"
	"path"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

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

	Fields few[fieldIn] `json:"fields"` // of a dataset, as the next one, which the service does not have
	Key    []string     `json:"key"`

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
