package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
)

// bench is a store in a temporary directory, with short words for what tests do to it.
type bench struct {
	*testing.T
	*storage.Store
	dir string
}

func open(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	return reopen(t, dir, storage.Options{})
}

func reopen(t *testing.T, dir string, o storage.Options) *bench {
	t.Helper()
	o.Threads = 2
	s, err := storage.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, Store: s, dir: dir}
	t.Cleanup(func() { s.Close() })
	return b
}

func (b *bench) create(name string, key ...string) string {
	b.Helper()
	d, err := b.CreateDataset(context.Background(), storage.NewDataset{ProjectID: 1, Name: name, Key: key},
		storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return d.Dataset.ID
}

func (b *bench) upload(format intake.Format, body string) intake.Upload {
	b.Helper()
	path := filepath.Join(b.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		b.Fatal(err)
	}
	return intake.Upload{Format: format, Path: path, Size: int64(len(body))}
}

func (b *bench) try(dataset string, mode catalog.Mode, format intake.Format, body string) (catalog.Commit, error) {
	b.Helper()
	return b.Commit(context.Background(), dataset, storage.Change{Mode: mode, Upload: b.upload(format, body)})
}

func (b *bench) put(dataset string, mode catalog.Mode, format intake.Format, body string) catalog.Commit {
	b.Helper()
	c, err := b.try(dataset, mode, format, body)
	if err != nil {
		b.Fatalf("%s: %v", mode, err)
	}
	return c
}

// json commits a JSON array.
func (b *bench) json(dataset string, mode catalog.Mode, body string) catalog.Commit {
	b.Helper()
	return b.put(dataset, mode, intake.JSON, body)
}

// rows returns the records at a ref as JSON lines, sorted, without _commit unless tags.
func (b *bench) rows(dataset, ref string, tags bool) []string {
	b.Helper()
	ctx := context.Background()
	snap, err := b.Snapshot(ctx, dataset, ref)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	table := snap.Table()
	if !tags {
		table = "SELECT * EXCLUDE (_commit) FROM (" + table + ")"
	}
	var out []string
	if err := conn.Rows(ctx, "SELECT CAST(to_json(_row) AS VARCHAR) FROM ("+table+") _row", func(scan duck.Scan) error {
		var line string
		err := scan(&line)
		out = append(out, line)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	if int64(len(out)) != snap.Total() {
		b.Errorf("%d records are live at %s; the commit says %d", len(out), ref, snap.Total())
	}
	sort.Strings(out)
	return out
}

func (b *bench) want(dataset, ref string, lines ...string) {
	b.Helper()
	got := b.rows(dataset, ref, false)
	sort.Strings(lines)
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		b.Errorf("at %s\n got %s\nwant %s", ref, strings.Join(got, "\n     "), strings.Join(lines, "\n     "))
	}
}

func (b *bench) rollback(dataset string, commit int64, p storage.Policy) (catalog.Commit, error) {
	return b.Rollback(context.Background(), dataset, commit, p, storage.Request{})
}

func counts(c catalog.Commit) string {
	return fmt.Sprintf("+%d -%d ~%d =%d", c.Added, c.Removed, c.Modified, c.Total)
}

func toJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// sound checks the whole store.
func (b *bench) sound() {
	b.Helper()
	problems, err := b.Check(context.Background(), true)
	if err != nil {
		b.Error(err)
	}
	for _, p := range problems {
		b.Errorf("check: %+v", p)
	}
}

// forced is a version of whatever state there is, named already or not.
func forced(part, description string) storage.NewVersion {
	return storage.NewVersion{Part: part, Description: description, Force: true}
}
