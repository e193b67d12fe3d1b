package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

func (b *bench) conflicts(from, into string, m storage.Merge) (storage.Merged, *fault.Error) {
	b.Helper()
	m.Source = from
	out, err := b.Merge(context.Background(), into, m, storage.Request{})
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != "merge_conflict" {
		b.Fatalf("got %v, want a conflict", err)
	}
	return out, e
}

func keysOf(list []catalog.Commit) (out []string) {
	for _, c := range list {
		out = append(out, storage.ActionKey(c))
	}
	return out
}

func (b *bench) since(fork string, want ...string) {
	b.Helper()
	d, err := b.SinceForking(context.Background(), fork)
	if err != nil {
		b.Fatal(err)
	}
	if got := keysOf(d.Actions); !slices.Equal(got, want) {
		b.Errorf("since forking: %v, want %v", got, want)
	}
}

func (b *bench) upstream(fork string, want ...string) {
	b.Helper()
	d, err := b.UpstreamDelta(context.Background(), fork)
	if err != nil {
		b.Fatal(err)
	}
	if got := keysOf(d.Actions); !slices.Equal(got, want) {
		b.Errorf("upstream delta: %v, want %v", got, want)
	}
}

func TestForkSharesFilesAndLivesOnItsOwn(t *testing.T) {
	b := open(t)
	d := b.Create("up", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	second := b.JSON(d, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	if _, err := b.TryRollback(d, second.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	before := b.DiskBytes()
	f := b.MakeFork(d, "fork", "head")
	g := b.MakeFork(d, "older", fmt.Sprint(second.ID))
	h := b.MakeFork(g, "", "head")
	if after := b.DiskBytes(); after != before {
		t.Errorf("forking wrote %d bytes of data", after-before)
	}
	b.Want(f, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	b.Want(g, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"B"}`)
	b.Want(h, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"B"}`)
	if _, err := b.TryRollback(g, second.ID, storage.Stack); err != nil { // it stands there
		t.Error(err)
	}
	b.Want(g, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	b.JSON(f, catalog.Append, `[{"id":3,"x":"c"}]`)
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	if list, err := b.Forks(context.Background(), d); err != nil || len(list) != 2 {
		t.Errorf("%v %v", list, err)
	}
	saves, err := b.Savepoints(context.Background(), f)
	if err != nil || len(saves) != 1 {
		t.Errorf("%v %v", saves, err)
	}
	if err := b.DeleteDataset(context.Background(), d, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.Want(f, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.Sound()
	b.LoseCatalog()
	b.Want(f, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.Want(h, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"B"}`)
	b.Sound()
}

func TestMergeLinksFilesAndOneRollbackUndoesIt(t *testing.T) {
	b := open(t)
	d := b.Create("up", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	f := b.MakeFork(d, "fork", "head")
	b.JSON(f, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.JSON(f, catalog.Append, `[{"id":3,"x":"c","new":true}]`)
	b.JSON(f, catalog.Delete, `[{"id":1}]`)
	b.JSON(d, catalog.Append, `[{"id":9,"x":"z"}]`)
	b.since(f, "Dataset.upsert", "Dataset.append", "Dataset.delete")
	b.upstream(f, "Dataset.append")
	before := b.DiskBytes()
	m := b.MakeMerge(f, d)
	if after := b.DiskBytes(); after != before {
		t.Errorf("a clean merge wrote %d bytes of data", after-before)
	}
	if got := storagetest.Counts(m.Commit); got != "+1 -1 ~1 =3" || len(m.Played) != 3 {
		t.Errorf("%s, played %d", got, len(m.Played))
	}
	b.Want(d, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.since(f)
	b.upstream(f, "Dataset.append")
	if m := b.MakeMerge(f, d); m.Commit.ID != 0 {
		t.Errorf("merging again made %+v", m.Commit)
	}
	b.MakeMerge(d, f)
	b.upstream(f)
	b.Want(f, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.Sound()
	list, err := b.Commits(context.Background(), d, 1<<60, 10)
	if err != nil || len(list) != 3 || list[0].Mode != catalog.Merge {
		t.Errorf("the log: %+v %v", list, err)
	}
	if _, err := b.TryRollback(d, m.Commit.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":9,"x":"z"}`)
	b.since(f, "Dataset.upsert", "Dataset.append", "Dataset.delete")
	b.Sound()
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.Sound()
	b.LoseCatalog()
	b.Want(d, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.Sound()
}

func TestMergeFindsConflictsByRecord(t *testing.T) {
	b := open(t)
	d := b.Create("up", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"},{"id":4,"x":"d"}]`)
	f := b.MakeFork(d, "fork", "head")
	b.JSON(f, catalog.Upsert, `[{"id":4,"x":"D"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"mine"},{"id":2,"x":"same"},{"id":3,"x":"C"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"theirs"},{"id":2,"x":"same"}]`)
	before := b.Rows(d, "head", true)
	out, e := b.conflicts(f, d, storage.Merge{Autorollback: true})
	if len(out.Conflicts) != 1 || out.Conflicts[0].Count != 1 ||
		string(out.Conflicts[0].Records[0].Now) != `{"id":1,"x":"theirs"}` {
		t.Errorf("%+v", out.Conflicts)
	}
	if !strings.Contains(e.Detail, "Nothing was changed") {
		t.Error(e.Detail)
	}
	if after := b.Rows(d, "head", true); !slices.Equal(before, after) {
		t.Errorf("a refused merge changed the records: %v", after)
	}
	b.Sound()
	out, _ = b.conflicts(f, d, storage.Merge{})
	if len(out.Played) != 1 {
		t.Errorf("played %+v", out.Played)
	}
	b.Want(d, "head", `{"id":1,"x":"theirs"}`, `{"id":2,"x":"same"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"D"}`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"x":"a"}]`) // mended: it is as the fork found it
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"mine"}`, `{"id":2,"x":"same"}`, `{"id":3,"x":"C"}`, `{"id":4,"x":"D"}`)
	b.Sound()
}

func TestNamesakesAreAskedForByTheirIDs(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("up", "id")
	b.JSON(d, catalog.Append, `[{"id":1}]`)
	var ids []string
	for range 2 {
		s, err := b.Fork(ctx, d, storage.NewFork{Name: "My fork", Namesake: true}, storage.Request{})
		if err != nil || s.Properties.Name != "My fork" {
			t.Fatal(s, err)
		}
		ids = append(ids, s.Dataset.ID)
	}
	if _, err := b.Fork(ctx, d, storage.NewFork{Name: "My fork"}, storage.Request{}); fault.KindOf(err) != fault.Exists {
		t.Errorf("a taken name: %v", err)
	}
	found, err := b.FindDataset(ctx, 1, "My fork")
	if err != nil || found.ID != ids[0] {
		t.Errorf("%+v %v", found, err)
	}
	b.JSON(ids[1], catalog.Append, `[{"id":2}]`)
	b.LoseCatalog()
	b.Want(ids[1], "head", `{"id":1}`, `{"id":2}`)
	b.Sound()
}
