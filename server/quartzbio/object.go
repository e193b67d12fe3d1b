package quartzbio

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// datasetKind is the kind of an object that is a dataset.
const datasetKind = "dataset"

// separator stands in a dataset's name for the slashes of its path: names have no slashes.
const separator = ":"

// object is what a vault has: a dataset, a file or a folder. Folders are there as long as something is in them; those
// that were made have an entry too.
type object struct {
	kind  string
	id    string
	vault vault
	path  string         // in the vault
	state snapshot.State // of a dataset
	entry entry          // of a file, or of a folder that was made
}

// filename is the last part of the object's path.
func (o object) filename() string { return path.Base(o.path) }

// fullPath is how the client names the object.
func (o object) fullPath() string { return o.vault.fullPath() + ":" + o.path }

// inProject returns the path in the project of a path in a vault.
func (v vault) inProject(p string) string {
	if v.isPersonal() {
		p = path.Join("/"+v.name, p)
	}
	return p
}

// nameOf returns the name of the dataset at a path of a vault.
func (v vault) nameOf(p string) string {
	return strings.ReplaceAll(strings.TrimPrefix(v.inProject(p), "/"), "/", separator)
}

// datasetObject returns a dataset as an object of its project's vault.
func datasetObject(in vault, s snapshot.State) object {
	name := strings.ReplaceAll(s.Properties.Name, separator, "/")
	if s.Dataset.IsNamesake { // another one has the name
		name = s.Dataset.ID
	}
	v, p := vaultOf(in, "/"+strings.Trim(name, "/"))
	return object{kind: datasetKind, id: s.Dataset.ID, vault: v, path: p, state: s}
}

// folderPrefix begins the ids of folders, which are made of where they are.
const folderPrefix = "f-"

// folderID returns the id of a folder.
func folderID(v vault, p string) string {
	return folderPrefix + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d:%s", v.id, p))
}

// readFolderID returns the vault's id and the path that an id of a folder is made of.
func readFolderID(id string) (vault int64, p string, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(id, folderPrefix))
	number, p, found := strings.Cut(string(text), ":")
	vault, wrong := strconv.ParseInt(number, 10, 64)
	return vault, p, err == nil && wrong == nil && found && strings.HasPrefix(p, "/")
}

// objectsIn lists what a vault has, by path.
func (f *Face) objectsIn(ctx context.Context, v vault) ([]object, error) {
	in := v
	if v.isPersonal() {
		in = vault{id: home, name: strconv.Itoa(home)}
	}
	all := map[string]object{}
	add := func(o object) {
		if o.vault.id == v.id && o.path != "/" {
			all[o.path] = o
		}
	}
	folders, err := f.entries.in(ctx, folderKind, v.project())
	if err != nil {
		return nil, err
	}
	for _, e := range folders {
		of, p := vaultOf(in, e.Path)
		add(object{kind: folderKind, id: folderID(of, p), vault: of, path: p, entry: e})
	}
	states, err := f.store.Datasets(ctx, catalog.DatasetFilter{Project: v.project(), Limit: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		add(datasetObject(in, s))
	}
	files, err := f.filesIn(ctx, v.project())
	if err != nil {
		return nil, err
	}
	for _, e := range files {
		of, p := vaultOf(in, e.Path)
		add(object{kind: fileKind, id: e.ID, vault: of, path: p, entry: e})
	}
	for _, o := range slices.Collect(maps.Values(all)) {
		for p := path.Dir(o.path); p != "/"; p = path.Dir(p) {
			if _, made := all[p]; !made {
				all[p] = object{kind: folderKind, id: folderID(v, p), vault: v, path: p}
			}
		}
	}
	for p, o := range all { // in the vault as the caller sees it
		o.vault = v
		all[p] = o
	}
	return slices.SortedFunc(maps.Values(all), func(a, b object) int { return strings.Compare(a.path, b.path) }), nil
}

// findObject finds the object that a request names by its id, where the caller has a role.
func (f *Face) findObject(c *fiber.Ctx, id string, role access.Role) (object, error) {
	if strings.HasPrefix(id, folderPrefix) {
		return f.findFolder(c, id, role)
	}
	s, missing := f.dataset(c.UserContext(), id)
	if missing == nil {
		v, err := f.vaultByID(c, s.Dataset.ProjectID, role)
		return datasetObject(v, s), err
	}
	if fault.KindOf(missing) != fault.NotFound {
		return object{}, missing
	}
	e, ok, err := f.entries.get(c.UserContext(), fileKind, id)
	if err != nil {
		return object{}, err
	}
	if !ok || host.Caller(c).Role(e.Project) == access.None {
		return object{}, missing
	}
	in, err := f.vaultByID(c, e.Project, role)
	v, p := vaultOf(in, e.Path)
	return object{kind: fileKind, id: e.ID, vault: v, path: p, entry: e}, err
}

// findFolder finds a folder by its id.
func (f *Face) findFolder(c *fiber.Ctx, id string, role access.Role) (object, error) {
	number, p, ok := readFolderID(id)
	if !ok {
		return object{}, notFound("object", id)
	}
	v, err := f.vaultByID(c, number, role)
	if err != nil {
		return object{}, err
	}
	all, err := f.objectsIn(c.UserContext(), v)
	if err != nil {
		return object{}, err
	}
	i := slices.IndexFunc(all, func(o object) bool { return o.kind == folderKind && o.path == p })
	if i < 0 {
		return object{}, notFound("object", id)
	}
	return all[i], nil
}

// objectParam finds the object that a request names in its path.
func (f *Face) objectParam(c *fiber.Ctx, role access.Role) (object, error) {
	id, err := param(c, "object")
	if err != nil {
		return object{}, err
	}
	return f.findObject(c, id, role)
}

// labels are what is said of an object. Of a dataset, the tags are in its metadata under tagsKey.
type labels struct {
	Description string           `json:"description,omitempty"`
	Tags        []string         `json:"tags,omitempty"`
	Metadata    catalog.Metadata `json:"metadata,omitempty"`
}

const tagsKey = "tags"

// labelsOf returns what is said of a dataset.
func labelsOf(p catalog.Properties) labels {
	out := labels{Description: p.Description, Tags: []string{}, Metadata: maps.Clone(p.Metadata)}
	tags, ok := p.Metadata[tagsKey].([]any)
	for _, one := range tags {
		text, isText := one.(string)
		if ok = ok && isText; ok {
			out.Tags = append(out.Tags, text)
		}
	}
	if ok {
		delete(out.Metadata, tagsKey)
	} else {
		out.Tags = []string{}
	}
	if out.Metadata == nil {
		out.Metadata = catalog.Metadata{}
	}
	return out
}

// metadata returns the metadata of a dataset of which this is said.
func (l labels) metadata() catalog.Metadata {
	out := catalog.Metadata{}
	maps.Copy(out, l.Metadata)
	if len(l.Tags) > 0 {
		tags := make([]any, len(l.Tags))
		for i, one := range l.Tags {
			tags[i] = one
		}
		out[tagsKey] = tags
	}
	return out
}

// labels returns what is said of an object.
func (o object) labels() labels {
	if o.kind == datasetKind {
		return labelsOf(o.state.Properties)
	}
	out := labels{}
	_ = json.Unmarshal(o.entry.Document, &out) // of a folder that was not made there is none
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if out.Metadata == nil {
		out.Metadata = catalog.Metadata{}
	}
	return out
}

// dataset returns the head state of a dataset, which the request's role allows to use.
func (f *Face) dataset(ctx context.Context, id string) (snapshot.State, error) {
	s, err := f.store.State(ctx, id, "head")
	if err == nil {
		audit.Of(ctx).Dataset(s.Dataset.ID, s.Dataset.Name, s.Dataset.ProjectID)
	}
	return s, err
}

// datasetParam returns the head state of the dataset that a request names in its path.
func (f *Face) datasetParam(c *fiber.Ctx) (snapshot.State, error) {
	id, err := param(c, "dataset")
	if err != nil {
		return snapshot.State{}, err
	}
	return f.dataset(c.UserContext(), id)
}

// datasetVault returns the vault of a dataset, as the client names it, and the dataset's path.
func (f *Face) datasetVault(c *fiber.Ctx, s snapshot.State) (vault, string, error) {
	v, err := f.vaultByID(c, s.Dataset.ProjectID, access.Reader)
	o := datasetObject(v, s)
	return o.vault, o.path, err
}

// parent returns the path of the folder that an object is to be made in: of a vault itself where id is empty.
func (f *Face) parent(c *fiber.Ctx, v vault, id string) (string, error) {
	if id == "" {
		return "/", nil
	}
	o, err := f.findObject(c, id, access.Writer)
	switch {
	case err != nil:
		return "", err
	case o.kind != folderKind:
		return "", refused("parent_object_id", "must be that of a folder, and this is a "+o.kind)
	case o.vault.id != v.id:
		return "", refused("parent_object_id", "is that of a folder in another vault")
	}
	return o.path, nil
}

// checkFilename refuses names that a path or a dataset's name can't have.
func checkFilename(name string) error {
	if name == "" || strings.ContainsAny(name, "/"+separator) || name == "." || name == ".." || len(name) > 200 ||
		strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl) {
		return refused("filename",
			"must have 1 to 200 bytes, no slashes, colons or control characters, and no spaces around it")
	}
	return nil
}

// newEntry returns an entry at a path of a vault.
func (f *Face) newEntry(c *fiber.Ctx, kind string, v vault, p string, document any) (entry, error) {
	text, err := json.Marshal(document)
	return entry{
		ID: f.store.NewID(), Kind: kind, Project: v.project(), Path: v.inProject(p), User: host.User(c), At: time.Now(),
		Document: text,
	}, err
}

// request returns who changes something, for the store.
func (f *Face) request(c *fiber.Ctx) storage.Request { return storage.Request{User: host.User(c)} }

// change makes a change of the store, and notes it in the audit log.
func change[T any](f *Face, c *fiber.Ctx, do func(context.Context, storage.Request) (T, error)) (T, error) {
	ctx := c.UserContext()
	result, err := calls.Repeat(ctx, f.store, func() (T, error) { return do(ctx, f.request(c)) })
	if err == nil {
		calls.Note(ctx, result)
	}
	return result, err
}
