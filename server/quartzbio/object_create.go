package quartzbio

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/snapshot"
)

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
