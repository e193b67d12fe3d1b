package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// story makes a dataset whose history has about everything: every mode, a rollback and a redo, a cascade, variables,
// names, a fork that was merged, and more rows than are encoded in memory.
func story(b *bench) (dataset, fork string) {
	b.Helper()
	must := func(_ any, err error) { b.Helper(); b.Must(err) }
	ctx := b.Context()
	d := b.Create("first name", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"n":1,"x":-0.0},{"id":2,"n":2,"x":0.5}]`)
	up := b.JSON(d, catalog.Upsert, `[{"id":2,"n":3},{"id":3,"n":3}]`)
	must(b.Increment(ctx, d, storagetest.Forced("major", "one"), storage.Request{User: "ada"}))
	undo, err := b.TryRollback(d, up.ID, storage.Stack)
	b.Must(err)
	_, err = b.TryRollback(d, undo.ID, storage.Stack)
	b.Must(err)
	_, err = b.Generated(d, catalog.Append, "SELECT range + 10 AS id, range AS n, range / 3 AS x FROM range(2000)")
	b.Must(err)
	name := "its name"
	must(b.EditDataset(ctx, d, storage.Edit{Name: &name}, storage.Request{}))
	must(b.CreateTag(ctx, d, storage.NewTag{Name: "Paper"}, storage.Request{}))
	made, err := b.Fork(ctx, d, storage.NewFork{Name: "a fork"}, storage.Request{})
	b.Must(err)
	f := made.Dataset.ID
	b.JSON(f, catalog.Append, `[{"id":5,"n":5,"new":"column"}]`)
	b.JSON(f, catalog.Overwrite, `[{"id":1,"n":10,"x":1}]`)
	b.JSON(d, catalog.Delete, `[{"id":12},{"id":13}]`)
	must(b.Merge(ctx, d, storage.Merge{Source: f}, storage.Request{}))
	b.MakeSavepoint(d, storage.NewSavepoint{Description: "after the merge"}, true)
	b.JSON(d, catalog.Replace, `[{"id":1,"n":0},{"id":2,"n":0}]`)
	must(b.Restore(ctx, d, "Paper", storage.Request{}))
	b.JSON(f, catalog.Append, `[{"id":6,"n":6}]`)
	return d, f
}

// history is what a dataset's log says, without what another store numbers otherwise.
func history(b *bench, dataset string) string {
	b.Helper()
	list, err := b.CommitsSince(b.Context(), dataset, 0, 1000)
	b.Must(err)
	place := map[int64]int{0: -1}
	for i, c := range list {
		place[c.ID] = i
	}
	var out strings.Builder
	for _, c := range list {
		fmt.Fprintf(&out, "%s %q %s %s %s, undoes %d, undone by %d, played by %d, %s, %s\n", c.Mode, c.Message, c.User,
			c.CreatedAt, c.Hash, place[c.ParentCommitID], place[c.RollbackCommitID], place[c.MergeCommitID],
			storagetest.Counts(c), b.DigestAt(dataset, strconv.FormatInt(c.ID, 10)))
	}
	versions, err := b.Versions(b.Context(), dataset)
	b.Must(err)
	for _, v := range versions {
		fmt.Fprintf(&out, "version %s %q %s at %d, %v\n", storage.VersionNumber(v), v.Description, v.User,
			place[v.CommitID], v.IsActive)
	}
	savepoints, err := b.Savepoints(b.Context(), dataset)
	b.Must(err)
	for _, p := range savepoints {
		fmt.Fprintf(&out, "savepoint %d %q at %d\n", p.Number, p.Description, place[p.CommitID])
	}
	tags, err := b.Tags(b.Context(), dataset)
	b.Must(err)
	for _, tag := range tags {
		fmt.Fprintf(&out, "tag %s at %d\n", tag.Name, place[tag.CommitID])
	}
	return out.String()
}

// A dataset comes back from a backup with its whole history, beside the one that it was, and into another store.
func TestGraft(t *testing.T) {
	t.Parallel()
	b := open(t)
	d, f := story(b)
	target := t.TempDir()
	b.backUp(target)
	was := map[string]string{"its name": history(b, d), "a fork": history(b, f)}
	other := open(t)
	for range 3 { // so that its ids are others
		other.JSON(other.Create(fmt.Sprint("other", other.NewID())), catalog.Append, `[{"n":1}]`)
	}
	for _, into := range []*bench{b, other} {
		for name, want := range was {
			g := storage.Graft{Backup: target, Project: 1, Dataset: name, Name: name + " again"}
			made, err := into.Graft(t.Context(), g, storage.Request{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			id := made.Dataset.ID
			if got := history(into, id); got != want {
				t.Errorf("%s came as\n%s\nit was\n%s", name, got, want)
			}
			if made.Properties.Name != name+" again" || made.Compared == 0 || made.Compared != made.Commits {
				t.Errorf("%s: %+v", name, made)
			}
			goesOn(into, id, name == "its name")
		}
		into.Sound()
	}
	told := other.Told()
	dir := other.ClosedDir()
	for _, name := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(dir, name))
	}
	again := reopen(t, dir, storage.Options{})
	if got := again.Told(); got != told {
		t.Errorf("without the catalog it is\n%s\nit was\n%s", got, told)
	}
	again.Sound()
}

// goesOn makes sure that the history that came can be worked with.
func goesOn(b *bench, d string, hasTag bool) {
	b.Helper()
	commit := b.JSON(d, catalog.Upsert, `[{"id":1,"n":77}]`)
	before := b.DigestAt(d, strconv.FormatInt(commit.Previous, 10))
	if _, err := b.TryRollback(d, commit.ID, storage.Stack); err != nil {
		b.Fatal(err)
	}
	if got := b.DigestAt(d, "head"); got != before {
		b.Error("the rollback of a commit after the restore left other records")
	}
	if !hasTag {
		return
	}
	if _, err := b.Restore(context.Background(), d, "1.0.0", storage.Request{}); err != nil {
		b.Fatal(err)
	}
	if b.DigestAt(d, "head") != b.DigestAt(d, "1.0.0") {
		b.Error("the restored version has other records")
	}
}

// The machine stops at each step of a restore with history: the store is as it was, or has all of the dataset. What is
// left is removed.
func TestAGraftStopsAtAnyStep(t *testing.T) {
	t.Parallel()
	b := open(t)
	d := b.Create("its name", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"n":1}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"n":2}]`)
	_, err := b.CreateTag(t.Context(), d, storage.NewTag{Name: "t"}, storage.Request{})
	b.Must(err)
	target := t.TempDir()
	b.backUp(target)
	want, before := history(b, d), b.Told()
	dir := b.ClosedDir()
	g := storage.Graft{Backup: target, Project: 1, Dataset: "its name", Name: "again"}
	crashes(t, false, func(step int, s *storagetest.Stops) bool {
		b := reopen(t, storagetest.Copied(t, dir), storage.Options{Hook: s.Hook})
		s.Armed = true
		_, err := b.Graft(t.Context(), g, storage.Request{})
		if s.Crashed && err == nil {
			t.Errorf("step %d failed and nothing was said", step)
		}
		b.Close() //nolint:errcheck // the machine stopped
		b = reopen(t, b.Dir, storage.Options{})
		b.graftedOrNot(step, before, want, err == nil)
		b.ClosedDir()
		return s.Crashed
	})
}

// graftedOrNot makes sure that a store has the dataset "again" with its whole history, or is as it was.
func (b *bench) graftedOrNot(step int, before, want string, must bool) {
	b.Helper()
	made, err := b.FindDataset(b.Context(), 1, "again")
	switch {
	case err == nil:
		if got := history(b, made.ID); got != want {
			b.Errorf("step %d left\n%s\nwant\n%s", step, got, want)
		}
	case must:
		b.Errorf("step %d: it was answered, and then: %v", step, err)
	default:
		if got := b.Told(); got != before && !strings.Contains(got, `"again",true`) {
			b.Errorf("step %d left\n%s\nwant\n%s", step, got, before)
		}
	}
	if quarantined, _ := filepath.Glob(filepath.Join(b.Dir, "quarantine", "*")); len(quarantined) > 0 {
		b.Errorf("step %d left %v", step, quarantined)
	}
	b.Sound()
}

// What a restore with history refuses, it leaves without a trace.
func TestAGraftIsRefused(t *testing.T) {
	t.Parallel()
	b := open(t)
	d, _ := story(b)
	target := t.TempDir()
	m := b.backUp(target)
	before := b.Told()
	records := int64(10)
	b.Quotas.Set(map[int64]storage.Quota{7: {Records: &records}})
	for says, g := range map[string]storage.Graft{
		"Choose another name":                {Project: 1, Dataset: "its name"},
		"has no dataset nothing":             {Project: 1, Dataset: "nothing", Name: "new"},
		"no dataset its name in project 2":   {Project: 2, Dataset: "its name", Name: "new"},
		"name must have 1 to 255 bytes":      {Project: 1, Dataset: d, Name: " "},
		"Project 7 may store 10 records: it": {Project: 1, Dataset: d, Name: "new", Into: 7},
	} {
		g.Backup = target
		if _, err := b.Graft(t.Context(), g, storage.Request{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("not %q: %v", says, err)
		}
	}
	spoil(t, filepath.Join(target, "objects", m.List.SHA256[:2], m.List.SHA256))
	g := storage.Graft{Backup: target, Project: 1, Dataset: d, Name: "new"}
	if _, err := b.Graft(t.Context(), g, storage.Request{}); err == nil {
		t.Error("a damaged backup was restored")
	}
	if got := b.Told(); got != before {
		t.Errorf("it left\n%s\nwant\n%s", got, before)
	}
	b.Sound()
}

// What was compacted, erased and vacuumed since is as it was in the backup: gone is gone there too.
func TestAGraftOfWhatWasRemoved(t *testing.T) {
	t.Parallel()
	b := open(t)
	d, _ := story(b)
	b.JSON(d, catalog.Append, `[{"id":9000,"n":1}]`)
	b.JSON(d, catalog.Delete, `[{"id":9000}]`)
	b.CompactAll(d)
	if _, err := b.Removals.Erase(t.Context(), d, storage.Erasure{Where: "id IN (3, 20, 9000)"}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	one := int64(2)
	_, err := b.EditDataset(t.Context(), d, storage.Edit{
		Retention: &catalog.Retention{Commits: &one, Versions: true},
	}, storage.Request{})
	b.Must(err)
	b.VacuumAll(d)
	target := t.TempDir()
	b.backUp(target)
	g := storage.Graft{Backup: target, Project: 1, Dataset: d, Name: "again"}
	made, err := b.Graft(t.Context(), g, storage.Request{})
	b.Must(err)
	if made.Compared == made.Commits || made.Compared == 0 {
		t.Errorf("%d of %d states were compared", made.Compared, made.Commits)
	}
	was, err := b.CommitsSince(t.Context(), d, 0, 1000)
	b.Must(err)
	now, err := b.CommitsSince(t.Context(), made.Dataset.ID, 0, 1000)
	b.Must(err)
	for i, c := range was {
		if c.VacuumedAt != now[i].VacuumedAt || c.ErasedAt != now[i].ErasedAt || c.Hash != now[i].Hash {
			t.Errorf("%+v came as %+v", c, now[i])
		}
		if c.VacuumedAt.IsZero() && b.DigestAt(d, strconv.FormatInt(c.ID, 10)) !=
			b.DigestAt(made.Dataset.ID, strconv.FormatInt(now[i].ID, 10)) {
			t.Errorf("the state after commit %d is another", c.ID)
		}
	}
	b.Sound()
}
