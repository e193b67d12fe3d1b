package storage_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// kept makes a dataset with a first state worth keeping, and changes it after.
func (b *bench) kept() (dataset string, first catalog.Commit) {
	b.Helper()
	dataset = b.Create("kept", "id")
	first = b.JSON(dataset, "append",
		`[{"id":1,"v":"a","s":{"n":1}},{"id":2,"v":null,"s":null},{"id":3,"v":"c","s":{"n":3}}]`)
	b.JSON(dataset, "delete", `[{"id":1}]`)
	b.JSON(dataset, "upsert", `[{"id":2,"v":"changed"},{"id":4,"w":4.5}]`)
	return dataset, first
}

func TestABackupIsOneSelfContainedArchive(t *testing.T) {
	b := open(t)
	d, first := b.kept()
	made, text := b.Archive(d, "1")
	if made.CommitID != first.ID || made.Bytes != int64(len(text)) || made.User != "ada" {
		t.Errorf("%+v", made)
	}
	parts := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if parts[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var about struct {
		Dataset string
		Records int64
		Key     []string
	}
	if err := json.Unmarshal(parts["backup.json"], &about); err != nil {
		t.Fatal(err)
	}
	if about.Dataset != "kept" || about.Records != 3 || !slices.Equal(about.Key, []string{"id"}) {
		t.Errorf("%+v", about)
	}
	if data := parts["data.parquet"]; len(parts) != 2 || !bytes.HasPrefix(data, []byte("PAR1")) ||
		!bytes.HasSuffix(data, []byte("PAR1")) {
		t.Errorf("the archive has %d parts; data.parquet has %d bytes", len(parts), len(data))
	}
	list, err := b.Backups.List(context.Background(), d)
	if err != nil || len(list) != 1 || list[0].ID != made.ID {
		t.Errorf("%v %v", list, err)
	}
	b.Sound()
}

func TestABackupRestoresItsDataset(t *testing.T) {
	b := open(t)
	d, _ := b.kept()
	_, text := b.Archive(d, "1")
	want := b.Rows(d, "1", false)
	before := b.Rows(d, "head", true)
	c, err := b.RestoreBackup(context.Background(), d, bytes.NewReader(text), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if storagetest.Counts(c) != "+1 -1 ~1 =3" || c.Mode != catalog.Restore {
		t.Errorf("%s: %s", c.Mode, storagetest.Counts(c))
	}
	got := b.Rows(d, "head", false)
	for i := range want { // the column that came since stays, and is empty
		want[i] = strings.TrimSuffix(want[i], "}") + `,"w":null}`
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := b.Rows(d, "head", true); !slices.Equal(got, before) {
		t.Errorf("a restore from a backup was rolled back to %v\nwant %v", got, before)
	}
	b.Sound()
}

func TestABackupMakesANewDataset(t *testing.T) {
	b := open(t)
	d, _ := b.kept()
	_, text := b.Archive(d, "head")
	other := open(t) // another store, which has never heard of the first
	made, err := other.CreateFromBackup(context.Background(), bytes.NewReader(text), "", 0, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if made.Properties.Name != "kept" || made.Total() != 3 {
		t.Errorf("%+v", made.Properties)
	}
	if got, want := other.Rows(made.Dataset.ID, "head", false), b.Rows(d, "head", false); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if _, err := other.Try(made.Dataset.ID, "append", "json", `[{"id":3}]`); err == nil {
		t.Error("the key was lost")
	}
	if _, err := other.CreateFromBackup(context.Background(), bytes.NewReader(text), "kept", 1,
		storage.Request{}); storage.Explain(err).Code != "name_taken" {
		t.Errorf("the name was given twice: %v", err)
	}
	other.Sound()
}

func TestABackupWithoutAKeyKeepsRowIDs(t *testing.T) {
	b := open(t)
	d := b.Create("free")
	b.JSON(d, "append", `[{"v":1},{"v":2},{"v":3}]`)
	_, text := b.Archive(d, "head")
	b.JSON(d, "delete", `[{"_id":2}]`)
	b.JSON(d, "append", `[{"v":4}]`)
	if c, err := b.RestoreBackup(context.Background(), d, bytes.NewReader(text), storage.Request{}); err != nil ||
		storagetest.Counts(c) != "+1 -1 ~0 =3" {
		t.Errorf("%s %v", storagetest.Counts(c), err)
	}
	b.Want(d, "head", `{"_id":1,"v":1}`, `{"_id":2,"v":2}`, `{"_id":3,"v":3}`)
	b.Sound()
}

func TestADamagedArchiveIsRefused(t *testing.T) {
	b := open(t)
	d, _ := b.kept()
	_, text := b.Archive(d, "1")
	before := b.Rows(d, "head", true)
	flipped := bytes.Clone(text)
	flipped[bytes.Index(flipped, []byte("PAR1"))+20] ^= 1
	empty := new(bytes.Buffer)
	tar.NewWriter(empty).Close()
	for name, text := range map[string][]byte{"flipped": flipped, "short": text[:len(text)/2], "no tar": []byte("hello"),
		"nothing": nil, "empty": empty.Bytes()} {
		_, err := b.RestoreBackup(context.Background(), d, bytes.NewReader(text), storage.Request{})
		if e := storage.Explain(err); e.Code != "invalid_backup" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.CreateFromBackup(context.Background(), bytes.NewReader(text), "new", 1,
			storage.Request{}); storage.Explain(err).Code != "invalid_backup" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := b.Rows(d, "head", true); !slices.Equal(got, before) {
		t.Errorf("got %v\nwant %v", got, before)
	}
	b.Sound()
}

func TestARemovedBackupIsGone(t *testing.T) {
	b := open(t)
	d, _ := b.kept()
	made, _ := b.Archive(d, "1")
	if err := b.Backups.Remove(context.Background(), made, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Backups.Find(context.Background(), d, made.ID); storage.Explain(err).Code != "backup_not_found" {
		t.Error(err)
	}
	if _, err := b.Backups.Open(context.Background(), made, false); err == nil {
		t.Error("its archive is there")
	}
	b.Sound()
}

// Columns of which no value has been seen are so again.
func TestABackupKeepsTypes(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":null,"e":[]}]`)
	_, text := b.Archive(d, "head")
	b.JSON(d, "append", `[{"id":2,"v":"text","e":["x"]}]`)
	if _, err := b.RestoreBackup(context.Background(), d, bytes.NewReader(text), storage.Request{}); err != nil {
		t.Error(err)
	}
	b.Want(d, "head", `{"id":1,"v":null,"e":[]}`)
	made, err := b.CreateFromBackup(context.Background(), bytes.NewReader(text), "y", 1, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.JSON(made.Dataset.ID, "append", `[{"id":2,"v":"text","e":["x"]}]`)
	b.Sound()
}
