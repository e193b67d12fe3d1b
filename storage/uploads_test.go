package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/datadir"
)

// Files that are uploaded to be used later are there for a day by the database's clock, are what was sent, and are
// removed where the catalog is left that knows them.
func TestUploadsOfServers(t *testing.T) {
	server, objects := postgrestest.Start(t), buckettest.Start(t)
	dir, url := t.TempDir(), server.URL("postgres", "")
	now := time.Now().Add(-100 * time.Hour) // this server's clock is wrong
	o := storage.Options{
		Catalog: url, Objects: &storage.ObjectStore{Objects: datadir.Objects{URL: objects.Options("p").URL}},
		Now: func() time.Time { return now },
	}
	b := reopen(t, dir, o)
	u := b.Uploads()
	path := filepath.Join(t.TempDir(), "file")
	b.Must(os.WriteFile(path, []byte("id\n1\n"), 0o600))
	for _, id := range []string{"good", "damaged", "unsummed", "old"} {
		b.Must(u.Keep(t.Context(), catalog.Upload{ID: id, User: "eva", Name: id, Format: "csv", Size: 5}, path))
	}
	there := func(id string) string { return filepath.Join(objects.Dir, "store", "p", "uploads", id) }
	b.Must(errors.Join(
		os.WriteFile(there("damaged"), []byte("id\n2\n"), 0o600), os.WriteFile(there("unsummed"), []byte("id\n2\n"), 0o600)))
	change(t, url, `UPDATE uploads SET checksum = '' WHERE id = 'unsummed'`) // a former version has put it
	change(t, url, `UPDATE uploads SET uploaded_at = uploaded_at - 86400000000 WHERE id = 'old'`)
	now = now.Add(200 * time.Hour)
	list, err := u.List(t.Context(), "eva")
	if err != nil || len(list) != 3 {
		t.Errorf("there are %+v, %v", list, err)
	}
	for id, want := range map[string]string{
		"good": "", "damaged": "corrupted_data", "unsummed": "", "old": "source_not_found",
	} {
		of, err := u.Find(t.Context(), "eva", id)
		if err == nil {
			got, errOpen := u.Open(t.Context(), of)
			if err = errOpen; err == nil {
				b.Must(os.Remove(got.Path))
			}
		}
		if (err == nil) != (want == "") || err != nil && storage.Explain(err).Code != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	// The next start of a server finds them; one that has another catalog finds what no one can ask for.
	b.Close()
	b = reopen(t, dir, o)
	if _, err := os.Stat(there("good")); err != nil {
		t.Error(err)
	}
	b.Close()
	o.Catalog = storage.EmbeddedCatalog
	b = reopen(t, dir, o)
	for _, id := range []string{"good", "damaged", "unsummed", "old"} {
		if _, err := os.Stat(there(id)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", id, err)
		}
	}
	if b.Uploads() != nil {
		t.Error("a server that is alone keeps uploads in the bucket")
	}
}

// change runs SQL on a connection of its own.
func change(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
