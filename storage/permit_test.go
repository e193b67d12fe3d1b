package storage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// fixedPermit permits projects up to one, and changes in fewer once it is asked again.
type fixedPermit struct{ sees, uses, later int64 }

var errNotPermitted = fault.New(fault.Forbidden, "not_permitted")

func (p fixedPermit) Sees(project int64) bool { return project <= p.sees }
func (p fixedPermit) Use(project int64) error {
	if project <= p.uses {
		return nil
	}
	return errNotPermitted
}
func (p fixedPermit) Create(project int64) error { return p.Use(project) }
func (p fixedPermit) Shape(project int64) error  { return p.Use(project) }
func (p fixedPermit) Again() storage.Permit      { return fixedPermit{p.sees, p.later, p.later} }
func (p fixedPermit) Reading() storage.Permit    { return fixedPermit{p.sees, p.sees, p.sees} }

// The store asks a request's permit when datasets are named and listed, and again when a change is recorded.
func TestARequestDoesWhatItsPermitAllows(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	ids := map[int64]string{}
	for project := int64(1); project <= 3; project++ {
		n := storage.NewDataset{ProjectID: project, Name: "d", Key: []string{"id"}}
		made, err := h.CreateDataset(ctx, n, storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		ids[project] = made.Dataset.ID
	}
	client := storage.WithPermit(ctx, fixedPermit{sees: 2, uses: 1})
	for project, want := range map[int64]fault.Kind{2: fault.Forbidden, 3: fault.NotFound} {
		for _, named := range []string{"d", ids[project]} {
			if _, err := h.FindDataset(client, project, named); fault.KindOf(err) != want {
				t.Errorf("%s in project %d: %v", named, project, err)
			}
		}
		if _, err := h.State(client, ids[project], "head"); fault.KindOf(err) != want {
			t.Errorf("the state in project %d: %v", project, err)
		}
	}
	if _, err := h.FindDataset(storage.Reading(client), 2, "d"); err != nil {
		t.Errorf("to read: %v", err)
	}
	list, err := h.Datasets(client, catalog.DatasetFilter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].Dataset.ID != ids[1] {
		t.Errorf("%d are listed, %v", len(list), err)
	}
	elsewhere := storage.NewDataset{ProjectID: 2, Name: "e"}
	if _, err := h.CreateDataset(client, elsewhere, storage.Request{}); !errors.Is(err, errNotPermitted) {
		t.Errorf("created: %v", err)
	}
	name := "renamed"
	edit := storage.Edit{Name: &name}
	if _, err := h.EditDataset(client, ids[1], edit, storage.Request{}); !errors.Is(err, errNotPermitted) {
		t.Errorf("a change was recorded whose client may no longer make it: %v", err)
	}
	still := storage.WithPermit(ctx, fixedPermit{sees: 2, uses: 1, later: 1})
	if _, err := h.EditDataset(still, ids[1], storage.Edit{Name: &name}, storage.Request{}); err != nil {
		t.Error(err)
	}
}
