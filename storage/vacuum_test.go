package storage_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// Upkeep lists the states without a digest, then digests them one by one. What a vacuum removes meanwhile has none: from
// what is left of its files it would be another one, and those of later states are computed from it.
func TestAVacuumWhileDigestsAreFilledLeavesThemRight(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	id, _ := b.Overwritten("d", 10)
	b.Keeps(id, 2)
	vacuumed := false
	_, err := b.Digests.Fill(ctx, id, 100, func(time.Duration) error {
		if !vacuumed {
			vacuumed = b.VacuumAll(id).Total > 0
		}
		return nil
	})
	if err != nil || !vacuumed {
		t.Fatal(err, vacuumed)
	}
	list, err := b.Commits(ctx, id, math.MaxInt64, 100)
	b.Must(err)
	for _, c := range list {
		known, err := b.Digests.Known(ctx, []int64{c.ID})
		b.Must(err)
		if digest, has := known[c.ID]; has && !c.VacuumedAt.IsZero() {
			t.Errorf("commit %d is vacuumed, and has the digest %s", c.ID, digest)
		}
	}
	b.JSON(id, "upsert", `[{"id":1,"n":99,"s":"later"}]`)
	b.Sound() // which computes all digests again
	b.DigestAt(id, "head")
	b.Sound()
}

func TestVacuumRemovesWhatNoKeptStateSees(t *testing.T) {
	b := open(t)
	id, commits := b.Overwritten("d", 10)
	v, err := b.Increment(context.Background(), id, storage.NewVersion{Part: "major", Ref: fmt.Sprint(commits[2].ID)},
		storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if done := b.VacuumAll(id); done.Total != 0 || done.Files != 0 {
		t.Errorf("without a policy: %+v", done)
	}
	edit := b.Keeps(id, 3) // this one, and the last two that replaced
	kept := []string{"head", storage.VersionNumber(v), fmt.Sprint(edit.ID), fmt.Sprint(commits[9].ID),
		fmt.Sprint(commits[8].ID), fmt.Sprint(commits[7].ID), "head~1", "0", "latest"}
	want, digests := map[string][]string{}, map[string]string{}
	for _, ref := range kept {
		want[ref] = b.Rows(id, ref, true)
		d, err := b.Digests.Of(context.Background(), id, ref)
		if err != nil {
			t.Fatal(err)
		}
		digests[ref] = d.Digest
	}
	before := b.DiskBytes()
	done := b.VacuumAll(id)
	// The savepoint of the first records names commit 0 of the list.
	if done.Total != 5 || done.Rows != 10 || done.Files == 0 {
		t.Errorf("done: %+v", done)
	}
	if now := b.DiskBytes(); now > before*2/3 {
		t.Errorf("%d bytes of %d are left", now, before)
	}
	check := func() {
		t.Helper()
		for _, ref := range kept {
			if got := b.Rows(id, ref, true); !slices.Equal(got, want[ref]) {
				t.Errorf("at %s\n got %s\nwant %s", ref, got, want[ref])
			}
			if d, err := b.Digests.Of(context.Background(), id, ref); err != nil || d.Digest != digests[ref] {
				t.Errorf("the digest at %s is %+v, %v", ref, d, err)
			}
		}
		for _, i := range []int{1, 3, 4, 5, 6} {
			b.Gone(id, commits[i].ID)
		}
		b.Sound()
	}
	check()
	if again := b.VacuumAll(id); again.Total != 0 || again.Files != 0 {
		t.Errorf("again: %+v", again)
	}
	b.LoseCatalog()
	check()
	if _, err := b.TryRollback(id, commits[9].ID, storage.Stack); err != nil {
		t.Error(err)
	}
	if _, err := b.TryRollback(id, commits[7].ID, storage.Stack); storage.Explain(err).Code != "vacuumed" {
		t.Errorf("what was before it is gone: %v", err)
	}
}

// The state after a commit is the same in a fork, and is there as long as the fork keeps it.
func TestForksHoldWhatTheyKeep(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	id, commits := b.Overwritten("d", 6)
	fork, err := b.Fork(ctx, id, storage.NewFork{Name: "f", Ref: fmt.Sprint(commits[3].ID)}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.Keeps(id, 0)
	plan, err := b.Vacuums.Plan(ctx, id)
	if err != nil || plan.Total != 2 || len(plan.HeldBy) != 1 || plan.HeldBy[0].Name != "f" ||
		plan.HeldBy[0].Commits != 3 {
		t.Errorf("%+v, %v", plan, err)
	}
	b.VacuumAll(id)
	b.Want(id, fmt.Sprint(commits[1].ID), `{"id":1,"n":1,"s":"a"}`, `{"id":2,"n":1,"s":"b"}`)
	b.Gone(id, commits[4].ID)
	b.Keeps(fork.Dataset.ID, 0)
	b.VacuumAll(fork.Dataset.ID)
	b.Gone(id, commits[1].ID)
	b.Gone(fork.Dataset.ID, commits[2].ID)
	b.Want(fork.Dataset.ID, fmt.Sprint(commits[3].ID), `{"id":1,"n":3,"s":"a"}`, `{"id":2,"n":3,"s":"b"}`)
	b.Sound()
}

func TestAPolicyByDaysKeepsTheStateFromBefore(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	b := reopen(t, t.TempDir(), storage.Options{Now: func() time.Time { return now }})
	id := b.Create("d", "id")
	var commits []catalog.Commit
	for i := range 6 {
		commits = append(commits, b.JSON(id, catalog.Replace, fmt.Sprintf(`[{"id":1,"n":%d}]`, i)))
		now = now.Add(24 * time.Hour)
	}
	days := int64(3)
	b.Retains(id, catalog.Retention{Days: &days, Versions: true, Tags: true}) // savepoints are not kept
	done := b.VacuumAll(id)
	if want := []int64{commits[0].ID, commits[1].ID}; !slices.Equal(done.Commits, want) {
		t.Errorf("%v went, want %v", done.Commits, want)
	}
	b.Gone(id, commits[1].ID)
	b.Want(id, fmt.Sprint(commits[2].ID), `{"id":1,"n":2}`)
	if at, err := b.Locate(t.Context(), id, "master__000000"); err != nil || at == 0 { // what was said of it is found
		t.Errorf("the commit of a savepoint is %d: %v", at, err)
	}
	if _, err := b.Snapshot(context.Background(), id, "master__000000"); storage.Explain(err).Code != "vacuumed" {
		t.Errorf("a savepoint that is not kept: %v", err)
	}
	b.Sound()
}

// Rows of a file go one by one where the others stay; a file of which little goes stays, and the plan says so.
func TestAFileLosesTheRowsThatNoKeptStateSees(t *testing.T) {
	b := open(t)
	id := b.Create("d", "id")
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"n":0}`, i))
	}
	b.JSON(id, catalog.Append, "["+strings.Join(rows, ",")+"]")
	keys := func(n int, value int) string {
		return "[" + strings.ReplaceAll(strings.Join(rows[:n], ","), `"n":0`, fmt.Sprintf(`"n":%d`, value)) + "]"
	}
	b.JSON(id, catalog.Overwrite, keys(5, 1))
	none := int64(0)
	b.Retains(id, catalog.Retention{Commits: &none})
	if done := b.VacuumAll(id); done.Left.Rows != 5 || done.Left.Files != 1 || done.Rows != 0 || done.Written != 0 {
		t.Errorf("of little: %+v", done)
	}
	b.JSON(id, catalog.Overwrite, keys(20, 2))
	before := b.Rows(id, "head", true)
	if done := b.VacuumAll(id); done.Rows != 25 || done.Written != 1 || done.Files < 3 || done.Left.Rows != 0 {
		t.Errorf("of more: %+v", done)
	}
	if got := b.Rows(id, "head", true); !slices.Equal(got, before) {
		t.Errorf("got %s", got)
	}
	b.Sound()
	b.LoseCatalog()
	b.Sound()
	if got := b.Rows(id, "head", true); !slices.Equal(got, before) {
		t.Errorf("got %s", got)
	}
}

// A deleted dataset goes once its grace period is over; what a fork needs of it stays as long as the fork.
func TestDeletedDatasetsGoAfterTheirGracePeriod(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ctx := context.Background()
	options := storage.Options{Now: func() time.Time { return now }, Deleted: 30 * 24 * time.Hour}
	b := reopen(t, t.TempDir(), options)
	id, commits := b.Overwritten("d", 4)
	fork, err := b.Fork(ctx, id, storage.NewFork{Name: "f", Ref: fmt.Sprint(commits[1].ID)}, storage.Request{})
	storagetest.Must(t, err)
	other, _ := b.Overwritten("kept", 2)
	storagetest.Must(t, b.DeleteDataset(ctx, id, storage.Request{}))
	now = now.Add(29 * 24 * time.Hour)
	storagetest.Must(t, b.Vacuums.RunAll(ctx))
	_, err = b.UndeleteDataset(ctx, id, storage.Request{})
	storagetest.Must(t, err)
	storagetest.Must(t, b.DeleteDataset(ctx, id, storage.Request{}))
	now = now.Add(31 * 24 * time.Hour)
	before := b.DiskBytes()
	storagetest.Must(t, b.Vacuums.RunAll(ctx))
	if after := b.DiskBytes(); after >= before {
		t.Errorf("%d bytes of %d are left", after, before)
	}
	restart := func(loses bool) {
		t.Helper()
		b.Store.Close()
		if loses {
			b.LoseCatalog()
			b.Store.Close()
		}
		again := reopen(t, b.Dir, options)
		b.Store = again.Store
	}
	check := func() {
		t.Helper()
		for name, ask := range map[string]func() error{
			"undelete": func() error { _, err := b.UndeleteDataset(ctx, id, storage.Request{}); return err },
			"read":     func() error { _, err := b.Snapshot(ctx, id, "head"); return err },
		} {
			if err := ask(); storage.Explain(err).Code != "dataset_vacuumed" {
				t.Errorf("%s: %v", name, err)
			}
		}
		list, err := b.Datasets(ctx, catalog.DatasetFilter{Deleted: true, Limit: 10})
		if err != nil || len(list) != 0 {
			t.Errorf("%d deleted datasets are on the list, %v", len(list), err)
		}
		b.Want(other, "head", `{"id":1,"n":1,"s":"a"}`, `{"id":2,"n":1,"s":"b"}`)
		b.Sound()
	}
	for _, loses := range []bool{false, true} {
		restart(loses)
		check()
		b.Want(fork.Dataset.ID, fmt.Sprint(commits[0].ID), `{"id":1,"n":0,"s":"a"}`, `{"id":2,"n":0,"s":"b"}`)
		b.Want(fork.Dataset.ID, "head", `{"id":1,"n":1,"s":"a"}`, `{"id":2,"n":1,"s":"b"}`)
	}
	// The fork goes, and with it what it needed.
	storagetest.Must(t, b.DeleteDataset(ctx, fork.Dataset.ID, storage.Request{}))
	now = now.Add(31 * 24 * time.Hour)
	storagetest.Must(t, b.Vacuums.RunAll(ctx))
	restart(false)
	check()
	restart(true)
	check()
	if n := b.BytesBelow(id) + b.BytesBelow(fork.Dataset.ID); n != 0 {
		t.Errorf("%d bytes of rows are left", n)
	}
	head, err := b.State(ctx, other, "head")
	storagetest.Must(t, err)
	if c := b.JSON(other, catalog.Append, `[{"id":9}]`); c.ID <= head.Commit.ID || c.ID <= fork.Commit.ID {
		t.Errorf("commit %d has an id that was used", c.ID)
	}
	if _, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "d"}, storage.Request{}); err != nil {
		t.Error(err)
	}
}
