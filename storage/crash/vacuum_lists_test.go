package crash

import (
	"fmt"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// Lists of tags and savepoints say which states were removed by vacuum.
func TestTagsAndSavepointsSayWhatIsGone(t *testing.T) {
	b := open(t)
	id, commits := b.Overwritten("d", 3)
	_, err := b.CreateTag(t.Context(), id, storage.NewTag{Name: "old", Ref: fmt.Sprint(commits[1].ID)}, storage.Request{})
	storagetest.Must(t, err)
	one := int64(1)
	b.Retains(id, catalog.Retention{Commits: &one})
	_, err = b.CreateTag(t.Context(), id, storage.NewTag{Name: "new", Ref: "head"}, storage.Request{})
	storagetest.Must(t, err)
	_, err = b.CreateSavepoint(t.Context(), id, storage.NewSavepoint{}, storage.Request{})
	storagetest.Must(t, err)
	if done := b.VacuumAll(id); done.Total == 0 {
		t.Fatal("nothing is gone")
	}
	tags, err := b.Tags(t.Context(), id)
	storagetest.Must(t, err)
	for _, tag := range tags {
		if tag.VacuumedAt.IsZero() != (tag.Name == "new") {
			t.Errorf("%+v", tag)
		}
	}
	points, err := b.Savepoints(t.Context(), id)
	storagetest.Must(t, err)
	if len(tags) != 2 || len(points) < 2 || !points[0].VacuumedAt.IsZero() || points[len(points)-1].VacuumedAt.IsZero() {
		t.Errorf("%+v\n%+v", tags, points)
	}
}

// Vacuum in the background waits for a removal that runs; one that is asked for is refused, which is not a failure.
func TestBackgroundVacuumWaitsForAnErasure(t *testing.T) {
	dir, id := toVacuum(t)
	var b *bench
	armed, ended := false, make(chan error, 1)
	b = reopen(t, dir, storage.Options{Hook: func(string, string) error {
		if armed {
			armed = false
			if _, err := b.Vacuums.Vacuum(b.Context(), id, storage.Request{}); storage.Explain(err).Code != "removal_running" {
				t.Errorf("one that is asked for meanwhile: %v", err)
			}
			go func() { ended <- b.Vacuums.RunAll(b.Context()) }()
		}
		return nil
	}})
	armed = true
	b.EraseKeys(id, "2")
	storagetest.Must(t, <-ended)
	if s := b.Vacuums.State(); s.Failed != 0 || s.Runs != 1 {
		t.Errorf("%+v", s)
	}
	b.Sound()
}
