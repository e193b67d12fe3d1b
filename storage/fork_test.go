package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

func (b *bench) fork(of, name, ref string) string {
	b.Helper()
	s, err := b.Fork(context.Background(), of, storage.NewFork{Name: name, Ref: ref}, storage.Request{User: "f"})
	if err != nil {
		b.Fatal(err)
	}
	return s.Dataset.ID
}

func (b *bench) merge(from, into string) storage.Merged {
	b.Helper()
	m, err := b.Merge(context.Background(), into, storage.Merge{Source: from, Autorollback: true}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

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

// diskBytes is how many bytes of Parquet there are.
func (b *bench) diskBytes() (n int64) {
	filepath.Walk(b.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			n += info.Size()
		}
		return nil
	})
	return n
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
	d := b.create("up", "id")
	b.json(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	second := b.json(d, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	if _, err := b.rollback(d, second.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	before := b.diskBytes()
	f := b.fork(d, "fork", "head")
	g := b.fork(d, "older", fmt.Sprint(second.ID))
	h := b.fork(g, "", "head")
	if after := b.diskBytes(); after != before {
		t.Errorf("forking wrote %d bytes of data", after-before)
	}
	b.want(f, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	b.want(g, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"B"}`)
	b.want(h, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"B"}`)
	if _, err := b.rollback(g, second.ID, storage.Stack); err != nil { // it stands there
		t.Error(err)
	}
	b.want(g, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
	b.json(f, catalog.Append, `[{"id":3,"x":"c"}]`)
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`)
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
	b.want(f, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.sound()
	b.loseCatalog()
	b.want(f, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	b.want(h, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"B"}`)
	b.sound()
}

// loseCatalog closes the store, removes the catalog, and opens it again.
func (b *bench) loseCatalog() {
	b.Helper()
	b.Store.Close()
	for _, f := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		os.Remove(filepath.Join(b.dir, f))
	}
	s, err := storage.Open(context.Background(), b.dir, storage.Options{Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	b.Store = s
	b.Cleanup(func() { s.Close() })
}

func TestMergeLinksFilesAndOneRollbackUndoesIt(t *testing.T) {
	b := open(t)
	d := b.create("up", "id")
	b.json(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	f := b.fork(d, "fork", "head")
	b.json(f, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.json(f, catalog.Append, `[{"id":3,"x":"c","new":true}]`)
	b.json(f, catalog.Delete, `[{"id":1}]`)
	b.json(d, catalog.Append, `[{"id":9,"x":"z"}]`)
	b.since(f, "Dataset.upsert", "Dataset.append", "Dataset.delete")
	b.upstream(f, "Dataset.append")
	before := b.diskBytes()
	m := b.merge(f, d)
	if after := b.diskBytes(); after != before {
		t.Errorf("a clean merge wrote %d bytes of data", after-before)
	}
	if got := counts(m.Commit); got != "+1 -1 ~1 =3" || len(m.Played) != 3 {
		t.Errorf("%s, played %d", got, len(m.Played))
	}
	b.want(d, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.since(f)
	b.upstream(f, "Dataset.append")
	if m := b.merge(f, d); m.Commit.ID != 0 {
		t.Errorf("merging again made %+v", m.Commit)
	}
	b.merge(d, f)
	b.upstream(f)
	b.want(f, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.sound()
	list, err := b.Commits(context.Background(), d, 1<<60, 10)
	if err != nil || len(list) != 3 || list[0].Mode != catalog.Merge {
		t.Errorf("the log: %+v %v", list, err)
	}
	if _, err := b.rollback(d, m.Commit.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":9,"x":"z"}`)
	b.since(f, "Dataset.upsert", "Dataset.append", "Dataset.delete")
	b.sound()
	b.merge(f, d)
	b.want(d, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.sound()
	b.loseCatalog()
	b.want(d, "head", `{"id":2,"x":"B","new":null}`, `{"id":3,"x":"c","new":true}`, `{"id":9,"x":"z","new":null}`)
	b.sound()
}

func TestMergeFindsConflictsByRecord(t *testing.T) {
	b := open(t)
	d := b.create("up", "id")
	b.json(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"},{"id":4,"x":"d"}]`)
	f := b.fork(d, "fork", "head")
	b.json(f, catalog.Upsert, `[{"id":4,"x":"D"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"mine"},{"id":2,"x":"same"},{"id":3,"x":"C"}]`)
	b.json(d, catalog.Upsert, `[{"id":1,"x":"theirs"},{"id":2,"x":"same"}]`)
	before := b.rows(d, "head", true)
	out, e := b.conflicts(f, d, storage.Merge{Autorollback: true})
	if len(out.Conflicts) != 1 || out.Conflicts[0].Count != 1 ||
		string(out.Conflicts[0].Records[0].Now) != `{"id":1,"x":"theirs"}` {
		t.Errorf("%+v", out.Conflicts)
	}
	if !strings.Contains(e.Detail, "Nothing was changed") {
		t.Error(e.Detail)
	}
	if after := b.rows(d, "head", true); !slices.Equal(before, after) {
		t.Errorf("a refused merge changed the records: %v", after)
	}
	b.sound()
	out, _ = b.conflicts(f, d, storage.Merge{})
	if len(out.Played) != 1 {
		t.Errorf("played %+v", out.Played)
	}
	b.want(d, "head", `{"id":1,"x":"theirs"}`, `{"id":2,"x":"same"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"D"}`)
	b.json(d, catalog.Upsert, `[{"id":1,"x":"a"}]`) // mended: it is as the fork found it
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"mine"}`, `{"id":2,"x":"same"}`, `{"id":3,"x":"C"}`, `{"id":4,"x":"D"}`)
	b.sound()
}

func TestNamesakesAreAskedForByTheirIDs(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.create("up", "id")
	b.json(d, catalog.Append, `[{"id":1}]`)
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
	b.json(ids[1], catalog.Append, `[{"id":2}]`)
	b.loseCatalog()
	b.want(ids[1], "head", `{"id":1}`, `{"id":2}`)
	b.sound()
}
