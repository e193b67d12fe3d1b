package quartzbio

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

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
