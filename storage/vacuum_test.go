package storage_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// keeps sets a dataset's policy: the last commits, and what names states.
func (b *bench) keeps(dataset string, commits int64) catalog.Commit {
	b.Helper()
	return b.retains(dataset, catalog.Retention{Commits: &commits, Versions: true, Savepoints: true, Tags: true})
}

func (b *bench) retains(dataset string, r catalog.Retention) catalog.Commit {
	b.Helper()
	c, err := b.EditDataset(context.Background(), dataset, storage.Edit{Retention: &r}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bench) vacuum(dataset string) storage.Vacuumed {
	b.Helper()
	ctx := context.Background()
	plan, err := b.Vacuums.Plan(ctx, dataset)
	if err != nil {
		b.Fatal(err)
	}
	done, err := b.Vacuums.Vacuum(ctx, dataset, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	if toJSON(done) != toJSON(plan.Vacuumed) {
		b.Errorf("the plan is %s; done is %s", toJSON(plan.Vacuumed), toJSON(done))
	}
	return done
}

// gone makes sure that whatever reads the state after a commit, or what it changed, is refused.
func (b *bench) gone(dataset string, commit int64) {
	b.Helper()
	ctx := context.Background()
	ref := fmt.Sprint(commit)
	c, err := b.CommitByID(ctx, dataset, commit)
	if err != nil || c.VacuumedAt.IsZero() {
		b.Errorf("commit %d is on the list as %+v, %v", commit, c, err)
	}
	for name, ask := range map[string]func() error{
		"data":    func() error { _, err := b.Snapshot(ctx, dataset, ref); return err },
		"schema":  func() error { _, err := b.State(ctx, dataset, ref); return err },
		"earlier": func() error { _, err := b.Snapshot(ctx, dataset, ref+"~0"); return err },
		"digest":  func() error { _, err := b.Digests.Of(ctx, dataset, ref); return err },
		"time": func() error {
			_, err := b.Snapshot(ctx, dataset, c.CreatedAt.Format(time.RFC3339Nano))
			return err
		},
		"fork": func() error {
			_, err := b.Fork(ctx, dataset, storage.NewFork{Ref: ref, Name: "of what is gone"}, storage.Request{})
			return err
		},
		"restore": func() error { _, err := b.Restore(ctx, dataset, ref, storage.Request{}); return err },
		"tag": func() error {
			_, err := b.CreateTag(ctx, dataset, storage.NewTag{Name: "gone", Ref: ref}, storage.Request{})
			return err
		},
		"version": func() error {
			_, err := b.Increment(ctx, dataset, storage.NewVersion{Part: "major", Ref: ref}, storage.Request{})
			return err
		},
		"backup": func() error {
			_, err := b.Backups.Make(ctx, dataset, storage.NewBackup{Ref: ref}, storage.Request{})
			return err
		},
		"rollback": func() error { _, err := b.rollback(dataset, commit, storage.Stack); return err },
		"question": func() error { _, err := b.CanRollback(ctx, dataset, commit, storage.Stack); return err },
		"cascade": func() error {
			_, err := b.Cascade(ctx, dataset, commit, storage.Stack, storage.Request{})
			return err
		},
		"data file":     func() error { _, err := b.CommitFile(ctx, c, schema.Data); return err },
		"rollback file": func() error { _, err := b.CommitFile(ctx, c, schema.Rollback); return err },
		"record": func() error {
			_, _, err := b.RecordHistory(ctx, storage.RecordQuery{Dataset: dataset, Ref: ref, Key: "1", Limit: 5})
			return err
		},
	} {
		err := ask()
		if e := storage.Explain(err); err == nil || e.Code != "vacuumed" || e.Fields["vacuumed_at"] == nil {
			b.Errorf("%s at commit %d: %v", name, commit, err)
		}
	}
}

// overwritten makes a dataset of which each commit replaces all records.
func (b *bench) overwritten(name string, times int) (dataset string, commits []catalog.Commit) {
	b.Helper()
	dataset = b.create(name, "id")
	for i := range times {
		commits = append(commits, b.json(dataset, catalog.Replace,
			fmt.Sprintf(`[{"id":1,"n":%d,"s":"a"},{"id":2,"n":%d,"s":"b"}]`, i, i)))
	}
	return dataset, commits
}

func TestVacuumRemovesWhatNoKeptStateSees(t *testing.T) {
	b := open(t)
	id, commits := b.overwritten("d", 10)
	v, err := b.Increment(context.Background(), id, storage.NewVersion{Part: "major", Ref: fmt.Sprint(commits[2].ID)},
		storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if done := b.vacuum(id); done.Total != 0 || done.Files != 0 {
		t.Errorf("without a policy: %+v", done)
	}
	edit := b.keeps(id, 3) // this one, and the last two that replaced
	kept := []string{"head", storage.VersionNumber(v), fmt.Sprint(edit.ID), fmt.Sprint(commits[9].ID),
		fmt.Sprint(commits[8].ID), fmt.Sprint(commits[7].ID), "head~1", "0", "latest"}
	want, digests := map[string][]string{}, map[string]string{}
	for _, ref := range kept {
		want[ref] = b.rows(id, ref, true)
		d, err := b.Digests.Of(context.Background(), id, ref)
		if err != nil {
			t.Fatal(err)
		}
		digests[ref] = d.Digest
	}
	before := b.diskBytes()
	done := b.vacuum(id)
	// The savepoint of the first records names commit 0 of the list.
	if done.Total != 5 || done.Rows != 10 || done.Files == 0 {
		t.Errorf("done: %+v", done)
	}
	if now := b.diskBytes(); now > before*2/3 {
		t.Errorf("%d bytes of %d are left", now, before)
	}
	check := func() {
		t.Helper()
		for _, ref := range kept {
			if got := b.rows(id, ref, true); !slices.Equal(got, want[ref]) {
				t.Errorf("at %s\n got %s\nwant %s", ref, got, want[ref])
			}
			if d, err := b.Digests.Of(context.Background(), id, ref); err != nil || d.Digest != digests[ref] {
				t.Errorf("the digest at %s is %+v, %v", ref, d, err)
			}
		}
		for _, i := range []int{1, 3, 4, 5, 6} {
			b.gone(id, commits[i].ID)
		}
		b.sound()
	}
	check()
	if again := b.vacuum(id); again.Total != 0 || again.Files != 0 {
		t.Errorf("again: %+v", again)
	}
	b.loseCatalog()
	check()
	if _, err := b.rollback(id, commits[9].ID, storage.Stack); err != nil {
		t.Error(err)
	}
	if _, err := b.rollback(id, commits[7].ID, storage.Stack); storage.Explain(err).Code != "vacuumed" {
		t.Errorf("what was before it is gone: %v", err)
	}
}

// The state after a commit is the same in a fork, and is there as long as the fork keeps it.
func TestForksHoldWhatTheyKeep(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	id, commits := b.overwritten("d", 6)
	fork, err := b.Fork(ctx, id, storage.NewFork{Name: "f", Ref: fmt.Sprint(commits[3].ID)}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.keeps(id, 0)
	plan, err := b.Vacuums.Plan(ctx, id)
	if err != nil || plan.Total != 2 || len(plan.HeldBy) != 1 || plan.HeldBy[0].Name != "f" ||
		plan.HeldBy[0].Commits != 3 {
		t.Errorf("%+v, %v", plan, err)
	}
	b.vacuum(id)
	b.want(id, fmt.Sprint(commits[1].ID), `{"id":1,"n":1,"s":"a"}`, `{"id":2,"n":1,"s":"b"}`)
	b.gone(id, commits[4].ID)
	b.keeps(fork.Dataset.ID, 0)
	b.vacuum(fork.Dataset.ID)
	b.gone(id, commits[1].ID)
	b.gone(fork.Dataset.ID, commits[2].ID)
	b.want(fork.Dataset.ID, fmt.Sprint(commits[3].ID), `{"id":1,"n":3,"s":"a"}`, `{"id":2,"n":3,"s":"b"}`)
	b.sound()
}

func TestAPolicyByDaysKeepsTheStateFromBefore(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	b := reopen(t, t.TempDir(), storage.Options{Now: func() time.Time { return now }})
	id := b.create("d", "id")
	var commits []catalog.Commit
	for i := range 6 {
		commits = append(commits, b.json(id, catalog.Replace, fmt.Sprintf(`[{"id":1,"n":%d}]`, i)))
		now = now.Add(24 * time.Hour)
	}
	days := int64(3)
	b.retains(id, catalog.Retention{Days: &days, Versions: true, Tags: true}) // savepoints are not kept
	done := b.vacuum(id)
	if want := []int64{commits[0].ID, commits[1].ID}; !slices.Equal(done.Commits, want) {
		t.Errorf("%v went, want %v", done.Commits, want)
	}
	b.gone(id, commits[1].ID)
	b.want(id, fmt.Sprint(commits[2].ID), `{"id":1,"n":2}`)
	if _, err := b.Snapshot(context.Background(), id, "master__000000"); storage.Explain(err).Code != "vacuumed" {
		t.Errorf("a savepoint that is not kept: %v", err)
	}
	b.sound()
}

// Rows of a file go one by one where the others stay; a file of which little goes stays, and the plan says so.
func TestAFileLosesTheRowsThatNoKeptStateSees(t *testing.T) {
	b := open(t)
	id := b.create("d", "id")
	var rows []string
	for i := range 100 {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"n":0}`, i))
	}
	b.json(id, catalog.Append, "["+strings.Join(rows, ",")+"]")
	keys := func(n int, value int) string {
		return "[" + strings.ReplaceAll(strings.Join(rows[:n], ","), `"n":0`, fmt.Sprintf(`"n":%d`, value)) + "]"
	}
	b.json(id, catalog.Overwrite, keys(5, 1))
	none := int64(0)
	b.retains(id, catalog.Retention{Commits: &none})
	if done := b.vacuum(id); done.Left.Rows != 5 || done.Left.Files != 1 || done.Rows != 0 || done.Written != 0 {
		t.Errorf("of little: %+v", done)
	}
	b.json(id, catalog.Overwrite, keys(20, 2))
	before := b.rows(id, "head", true)
	if done := b.vacuum(id); done.Rows != 25 || done.Written != 1 || done.Files < 3 || done.Left.Rows != 0 {
		t.Errorf("of more: %+v", done)
	}
	if got := b.rows(id, "head", true); !slices.Equal(got, before) {
		t.Errorf("got %s", got)
	}
	b.sound()
	b.loseCatalog()
	b.sound()
	if got := b.rows(id, "head", true); !slices.Equal(got, before) {
		t.Errorf("got %s", got)
	}
}

// A deleted dataset goes once its grace period is over; what a fork needs of it stays as long as the fork.
func TestDeletedDatasetsGoAfterTheirGracePeriod(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ctx := context.Background()
	options := storage.Options{Now: func() time.Time { return now }, Deleted: 30 * 24 * time.Hour}
	b := reopen(t, t.TempDir(), options)
	id, commits := b.overwritten("d", 4)
	fork, err := b.Fork(ctx, id, storage.NewFork{Name: "f", Ref: fmt.Sprint(commits[1].ID)}, storage.Request{})
	must(t, err)
	other, _ := b.overwritten("kept", 2)
	must(t, b.DeleteDataset(ctx, id, storage.Request{}))
	now = now.Add(29 * 24 * time.Hour)
	must(t, b.Vacuums.RunAll(ctx))
	_, err = b.UndeleteDataset(ctx, id, storage.Request{})
	must(t, err)
	must(t, b.DeleteDataset(ctx, id, storage.Request{}))
	now = now.Add(31 * 24 * time.Hour)
	before := b.diskBytes()
	must(t, b.Vacuums.RunAll(ctx))
	if after := b.diskBytes(); after >= before {
		t.Errorf("%d bytes of %d are left", after, before)
	}
	restart := func(loses bool) {
		t.Helper()
		b.Store.Close()
		if loses {
			b.loseCatalog()
			b.Store.Close()
		}
		again := reopen(t, b.dir, options)
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
		b.want(other, "head", `{"id":1,"n":1,"s":"a"}`, `{"id":2,"n":1,"s":"b"}`)
		b.sound()
	}
	for _, loses := range []bool{false, true} {
		restart(loses)
		check()
		b.want(fork.Dataset.ID, fmt.Sprint(commits[0].ID), `{"id":1,"n":0,"s":"a"}`, `{"id":2,"n":0,"s":"b"}`)
		b.want(fork.Dataset.ID, "head", `{"id":1,"n":1,"s":"a"}`, `{"id":2,"n":1,"s":"b"}`)
	}
	// The fork goes, and with it what it needed.
	must(t, b.DeleteDataset(ctx, fork.Dataset.ID, storage.Request{}))
	now = now.Add(31 * 24 * time.Hour)
	must(t, b.Vacuums.RunAll(ctx))
	restart(false)
	check()
	restart(true)
	check()
	if n := b.bytesBelow(id) + b.bytesBelow(fork.Dataset.ID); n != 0 {
		t.Errorf("%d bytes of rows are left", n)
	}
	head, err := b.State(ctx, other, "head")
	must(t, err)
	if c := b.json(other, catalog.Append, `[{"id":9}]`); c.ID <= head.Commit.ID || c.ID <= fork.Commit.ID {
		t.Errorf("commit %d has an id that was used", c.ID)
	}
	if _, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "d"}, storage.Request{}); err != nil {
		t.Error(err)
	}
}

// bytesBelow is how large the Parquet files in a dataset's directory are.
func (b *bench) bytesBelow(dataset string) (n int64) {
	whole := b.dir
	b.dir = filepath.Join(whole, "objects", dataset)
	n, b.dir = b.diskBytes(), whole
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
