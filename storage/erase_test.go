package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func (b *bench) erase(dataset string, keys ...string) storage.Erased {
	b.Helper()
	e := storage.Erasure{}
	for _, k := range keys {
		e.Keys = append(e.Keys, json.RawMessage(k))
	}
	out, err := b.Removals.Erase(context.Background(), dataset, e, storage.Request{User: "ann"})
	if err != nil {
		b.Fatalf("erasing %v: %v", keys, err)
	}
	return out
}

// An erased record is in no state any more, and what commits say of records is what is left.
func TestARecordIsErasedFromAllHistory(t *testing.T) {
	b := open(t)
	d := b.create("people", "id")
	first := b.json(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"}]`)
	second := b.json(d, catalog.Upsert, `[{"id":2,"x":"B"},{"id":4,"x":"d"}]`)
	third := b.json(d, catalog.Delete, `[{"id":2},{"id":1}]`)
	fourth := b.json(d, catalog.Append, `[{"id":2,"x":"again"}]`)
	out := b.erase(d, "2")
	if out.ID == 0 || out.Records != 1 || out.Rows != 3 {
		t.Errorf("erased %+v", out)
	}
	b.want(d, "head", `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.want(d, fmt.Sprint(first.ID), `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`)
	b.want(d, fmt.Sprint(second.ID), `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.want(d, fmt.Sprint(third.ID), `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	for id, want := range map[int64]string{
		first.ID: "+2 -0 ~0 =2", second.ID: "+1 -0 ~0 =3", third.ID: "+0 -1 ~0 =2", fourth.ID: "+0 -0 ~0 =2",
	} {
		c := b.commitAt(d, id)
		if counts(c) != want || c.ErasedAt.IsZero() {
			t.Errorf("commit %d is %s, erased at %v; want %s", id, counts(c), c.ErasedAt, want)
		}
	}
	b.sound()
	if _, err := b.rollback(d, fourth.ID, storage.Stack); err != nil {
		t.Error("a commit whose records are gone:", err)
	}
	if _, err := b.rollback(d, third.ID, storage.Records); err != nil {
		t.Error(err)
	}
	b.want(d, "head", `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
	b.sound()
	b.reopened(t, true).want(d, "head", `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`, `{"id":4,"x":"d"}`)
}

// reopened opens the store again, perhaps without its catalog, and checks it.
func (b *bench) reopened(t *testing.T, lost bool) *bench {
	t.Helper()
	b.dir2()
	if lost {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			os.Remove(filepath.Join(b.dir, "catalog.db"+suffix))
		}
	}
	out := reopen(t, b.dir, storage.Options{})
	out.sound()
	return out
}

func (b *bench) commitAt(d string, id int64) (c catalog.Commit) {
	b.Helper()
	c, err := b.CommitByID(context.Background(), d, id)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// holds returns the files of a directory that have some bytes.
func holds(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
