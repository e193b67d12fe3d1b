package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/published"
	"github.com/rowback/rowback/storage/storagetest"
)

// avroFile reads the records of a file that is named by its URI.
func avroFile(t *testing.T, uri string) (records []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(strings.TrimPrefix(uri, "file://"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ocf.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var one map[string]any
		if err := r.Decode(&one); errors.Is(err, io.EOF) {
			return records
		} else if err != nil {
			t.Fatal(err)
		}
		records = append(records, one)
	}
}

// publishedKeys reads a snapshot as an engine does, from its manifest list on, and returns the keys of its rows.
func (b *bench) publishedKeys(s published.Snapshot) (keys []string) {
	b.Helper()
	paths := map[int32][]string{}
	for _, m := range avroFile(b.T, s.List) {
		for _, e := range avroFile(b.T, m["manifest_path"].(string)) {
			file := e["data_file"].(map[string]any)
			path := strings.TrimPrefix(file["file_path"].(string), "file://")
			if info, err := os.Stat(path); err != nil || info.Size() != file["file_size_in_bytes"].(int64) {
				b.Errorf("%s: %v, and not of %d bytes", path, err, file["file_size_in_bytes"])
			}
			content := file["content"].(int32)
			paths[content] = append(paths[content], path)
		}
	}
	if len(paths[0]) == 0 {
		return nil
	}
	query := "SELECT id FROM read_parquet(" + duck.Texts(paths[0]) + ", file_row_number = true, filename = true) d"
	if len(paths[1]) > 0 {
		query += " ANTI JOIN read_parquet(" + duck.Texts(paths[1]) + ") p ON 'file://' || d.filename = p.file_path " +
			"AND d.file_row_number = p.pos"
	}
	b.Must(ducktest.Conn(b.T).Rows(b.Context(), query, func(scan duck.Scan) error {
		var id int64
		err := scan(&id)
		keys = append(keys, fmt.Sprint(id))
		return err
	}))
	slices.Sort(keys)
	return keys
}

// keysAt returns the keys of the records at a ref.
func (b *bench) keysAt(dataset, ref string) (keys []string) {
	b.Helper()
	for _, row := range b.Rows(dataset, ref, false) {
		_, after, _ := strings.Cut(row, `"id":`)
		key, _, _ := strings.Cut(after, ",")
		keys = append(keys, strings.TrimRight(key, "}"))
	}
	slices.Sort(keys)
	return keys
}

// published returns a dataset as engines load it.
func (b *bench) published(dataset, ref string) published.Table {
	b.Helper()
	t, err := b.Published.Table(b.Context(), dataset, ref, true)
	b.Must(err)
	return t
}

// readsAsPublished checks that engines read every state that is listed.
func (b *bench) readsAsPublished(dataset string) published.Table {
	b.Helper()
	t := b.published(dataset, "")
	for _, s := range t.Snapshots {
		if got, want := b.publishedKeys(s), b.keysAt(dataset, fmt.Sprint(s.Commit)); !slices.Equal(got, want) {
			b.Errorf("at %d: engines read %d records, and not %d", s.Commit, len(got), len(want))
		}
	}
	return t
}

// shelf lists what is published.
func (b *bench) shelf() (names []string) {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(b.Dir, "published", "*", "*", "*"))
	b.Must(err)
	for _, f := range found {
		names = append(names, filepath.Base(f))
	}
	return names
}

// changed is a dataset with rows that were displaced, reopened and displaced again, and a fork of it.
func (b *bench) changed() (dataset, fork string) {
	b.Helper()
	dataset = b.Create("d", "id")
	b.Put(dataset, catalog.Append, intake.CSV, "id,v\n1,a\n2,b\n3,c\n4,d\n")
	b.JSON(dataset, catalog.Upsert, `[{"id": 2, "v": "B"}, {"id": 9, "v": "new"}]`)
	gone := b.Put(dataset, catalog.Delete, intake.CSV, "id\n1\n2\n")
	fork = b.MakeFork(dataset, "fork", "head")
	b.Undo(dataset, gone.ID)
	b.JSON(dataset, catalog.Upsert, `[{"id": 1, "v": "again"}]`)
	b.JSON(fork, catalog.Append, `[{"id": 2, "v": "of the fork"}]`)
	return dataset, fork
}

// Engines read every state of a family; what is published can be lost, and is made again to the byte. A file that states
// share is published once.
func TestEnginesReadEveryState(t *testing.T) {
	t.Parallel()
	b := open(t)
	dataset, fork := b.changed()
	b.readsAsPublished(dataset)
	before := len(b.shelf())
	b.readsAsPublished(fork)
	if more := len(b.shelf()) - before; more > 6 { // the fork's own two states, and the list of each other one
		t.Errorf("%d files were published for the fork: %v", more, b.shelf())
	}
	want := b.shelf()
	b.Sound()
	remade := func(b *bench) {
		b.readsAsPublished(dataset)
		b.readsAsPublished(fork)
		if got := b.shelf(); !slices.Equal(got, want) {
			t.Errorf("published again: %v\nand not %v", got, want)
		}
	}
	b.Must(os.RemoveAll(filepath.Join(b.Dir, "published")))
	remade(b)
	b.Must(os.RemoveAll(filepath.Join(b.Dir, "published")))
	remade(&bench{Bench: b.Reopened(t, true)})
}

// Compacted files stand in for the files that they are made of, with what the state does not have of them deleted.
func TestEnginesReadCompactedFiles(t *testing.T) {
	t.Parallel()
	b := reopen(t, t.TempDir(), storagetest.Eager)
	dataset, fork := b.changed()
	b.smallCommits(dataset, 10, 8)
	b.Published.CompactFrom(0)
	before := len(avroEntries(b, b.published(dataset, "")))
	b.CompactAll(dataset)
	head := b.readsAsPublished(dataset)
	if after := len(avroEntries(b, head)); after >= before {
		t.Errorf("%d files are listed, and %d before", after, before)
	}
	b.readsAsPublished(fork)
	for _, c := range head.Snapshots { // each as the current state
		at := b.published(dataset, fmt.Sprint(c.Commit))
		if got, want := b.publishedKeys(at.Snapshots[0]), b.keysAt(dataset, fmt.Sprint(c.Commit)); !slices.Equal(got, want) {
			t.Errorf("at %d: %v, and not %v", c.Commit, got, want)
		}
	}
}

// avroEntries are the files that the current state lists.
func avroEntries(b *bench, t published.Table) (entries []map[string]any) {
	b.Helper()
	for _, m := range avroFile(b.T, t.Snapshots[len(t.Snapshots)-1].List) {
		entries = append(entries, avroFile(b.T, m["manifest_path"].(string))...)
	}
	return entries
}

// What was erased is nowhere on the shelf, at once.
func TestWhatIsErasedIsNotPublished(t *testing.T) {
	t.Parallel()
	b := open(t)
	dataset := b.Create("d", "id")
	// A list makes a copy, with the value in it; the key's bounds are in manifests.
	b.JSON(dataset, catalog.Append, `[{"id": "secret-key", "v": ["secret-value"]}, {"id": "b", "v": ["other"]}]`)
	b.published(dataset, "")
	if holds := storagetest.Holds(t, filepath.Join(b.Dir, "published"), "secret"); len(holds) == 0 {
		t.Fatal("nothing has the value before")
	}
	b.EraseKeys(dataset, `"secret-key"`)
	b.published(dataset, "")
	if holds := storagetest.Holds(t, filepath.Join(b.Dir, "published"), "secret"); len(holds) > 0 {
		t.Errorf("it is in %v", holds)
	}
}

// What a server puts on the shelf over which it dies, or whose client leaves, while records are erased has a name from
// before the erase, and goes.
func TestWhatIsLateForAnEraseIsNotPublished(t *testing.T) {
	t.Parallel()
	b := open(t)
	dataset := b.Create("d", "id")
	b.JSON(dataset, catalog.Append, `[{"id": "secret-key"}, {"id": "b"}]`)
	b.published(dataset, "")
	found, err := filepath.Glob(filepath.Join(b.Dir, "published", "*", "*"))
	b.Must(err)
	late := filepath.Join(found[0], "late.parquet")
	leave := func() {
		b.Must(errors.Join(os.MkdirAll(found[0], 0o700), os.WriteFile(late, []byte("secret-key"), 0o600)))
	}
	b.EraseKeys(dataset, `"secret-key"`)
	b.published(dataset, "")
	want := b.shelf()
	leave()
	b.Must(b.Published.Tidy(b.Context()))
	if got := b.shelf(); !slices.Equal(got, want) {
		t.Errorf("%v is left, and not %v", got, want)
	}
	leave()
	b.EraseKeys(dataset, `"b"`)
	if got := b.shelf(); len(got) > 0 {
		t.Errorf("%v is left after another erase", got)
	}
}

// Columns that are added or renamed need no other copies of the files that engines can't read as they are.
func TestCopiesForEnginesStayWhenColumnsChange(t *testing.T) {
	t.Parallel()
	b := open(t)
	dataset := b.Create("d", "id")
	b.JSON(dataset, catalog.Append, `[{"id": 1, "v": ["a"]}]`)
	b.readsAsPublished(dataset)
	copies := func() (n int) {
		for _, name := range b.shelf() {
			if strings.HasPrefix(name, "data-") {
				n++
			}
		}
		return n
	}
	if copies() != 1 {
		t.Fatalf("%v", b.shelf())
	}
	b.JSON(dataset, catalog.Append, `[{"id": 2, "v": ["b"], "w": 1}]`)
	b.readsAsPublished(dataset)
	if n := copies(); n != 2 {
		t.Errorf("%d copies of two files: %v", n, b.shelf())
	}
}

// A table that has more named states than are listed says so, and states between those that are listed are not taken
// for them: what stands for them can't be read.
func TestStatesThatAreNotListed(t *testing.T) {
	t.Parallel()
	b := open(t)
	dataset := b.Create("d", "id")
	first := b.JSON(dataset, catalog.Append, `[{"id": 1}]`)
	_, err := b.CreateTag(b.Context(), dataset, storage.NewTag{Name: "first"}, storage.Request{})
	b.Must(err)
	second := b.JSON(dataset, catalog.Append, `[{"id": 2}]`)
	last := b.JSON(dataset, catalog.Append, `[{"id": 3}]`)
	table, err := b.Published.Table(b.Context(), dataset, "", false)
	b.Must(err)
	if len(table.Snapshots) != 3 || table.Tags["first"] != first.ID || table.Head != last.ID {
		t.Fatalf("%+v", table)
	}
	if gap := table.Snapshots[1]; gap.Commit != second.ID || !gap.At.Equal(second.CreatedAt) || !strings.Contains(gap.List, "not-listed") {
		t.Errorf("%+v", gap)
	}
}
