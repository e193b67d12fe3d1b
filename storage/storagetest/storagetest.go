package storagetest

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

// Bench is a store in a temporary directory, with short words for what tests do to it.
type Bench struct {
	*testing.T
	*storage.Store
	Dir string
}

// Open opens a new store. It is closed when the test ends.
func Open(t *testing.T) *Bench {
	t.Helper()
	dir := t.TempDir()
	return Reopen(t, dir, storage.Options{})
}

// Reopen opens the store in a directory. It is closed when the test ends.
func Reopen(t *testing.T, dir string, o storage.Options) *Bench {
	t.Helper()
	o.Threads = 2
	s, err := storage.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bench{T: t, Store: s, Dir: dir}
	t.Cleanup(func() { s.Close() })
	return b
}

// Create makes a dataset and returns its id.
func (b *Bench) Create(name string, key ...string) string {
	b.Helper()
	d, err := b.CreateDataset(context.Background(), storage.NewDataset{ProjectID: 1, Name: name, Key: key},
		storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return d.Dataset.ID
}

// Upload is a body as it is staged.
func (b *Bench) Upload(format intake.Format, body string) intake.Upload {
	b.Helper()
	path := filepath.Join(b.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		b.Fatal(err)
	}
	return intake.Upload{Format: format, Path: path, Size: int64(len(body))}
}

// Try commits an upload.
func (b *Bench) Try(dataset string, mode catalog.Mode, format intake.Format, body string) (catalog.Commit, error) {
	b.Helper()
	return b.Commit(context.Background(), dataset, storage.Change{Mode: mode, Upload: b.Upload(format, body)})
}

// Put commits an upload, and fails the test where that is refused.
func (b *Bench) Put(dataset string, mode catalog.Mode, format intake.Format, body string) catalog.Commit {
	b.Helper()
	c, err := b.Try(dataset, mode, format, body)
	if err != nil {
		b.Fatalf("%s: %v", mode, err)
	}
	return c
}

// JSON commits a JSON array.
func (b *Bench) JSON(dataset string, mode catalog.Mode, body string) catalog.Commit {
	b.Helper()
	return b.Put(dataset, mode, intake.JSON, body)
}

// Rows returns the records at a ref as JSON lines, sorted, without _commit unless tags.
func (b *Bench) Rows(dataset, ref string, tags bool) []string {
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

// Want checks the records at a ref, which are given as JSON lines in any order.
func (b *Bench) Want(dataset, ref string, lines ...string) {
	b.Helper()
	got := b.Rows(dataset, ref, false)
	sort.Strings(lines)
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		b.Errorf("at %s\n got %s\nwant %s", ref, strings.Join(got, "\n     "), strings.Join(lines, "\n     "))
	}
}

// TryRollback rolls a commit back.
func (b *Bench) TryRollback(dataset string, commit int64, p storage.Policy) (catalog.Commit, error) {
	return b.Rollback(context.Background(), dataset, commit, p, storage.Request{})
}

// Counts is what a commit did, and how many records there are after it.
func Counts(c catalog.Commit) string {
	return fmt.Sprintf("+%d -%d ~%d =%d", c.Added, c.Removed, c.Modified, c.Total)
}

// ToJSON encodes a value.
func ToJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Sound checks the whole store.
func (b *Bench) Sound() {
	b.Helper()
	problems, err := b.Check(context.Background(), true)
	if err != nil {
		b.Error(err)
	}
	for _, p := range problems {
		b.Errorf("check: %+v", p)
	}
}

// Forced is a version of whatever state there is, named already or not.
func Forced(part, description string) storage.NewVersion {
	return storage.NewVersion{Part: part, Description: description, Force: true}
}

// Generated commits the rows of a query, as Parquet.
func (b *Bench) Generated(dataset string, mode catalog.Mode, query string) (catalog.Commit, error) {
	b.Helper()
	conn, err := b.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	path := filepath.Join(b.TempDir(), "upload.parquet")
	if _, err := conn.Exec(context.Background(),
		"COPY ("+query+") TO "+duck.Text(path)+" (FORMAT parquet, COMPRESSION uncompressed)"); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return b.Commit(context.Background(), dataset,
		storage.Change{Mode: mode, Upload: intake.Upload{Format: intake.Parquet, Path: path, Size: info.Size()}})
}
