package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/seal"
	"github.com/rowback/rowback/storage/storagetest"
)

// servers opens a store on several servers, each with a data directory of its own.
func servers(t *testing.T, o storage.Options, n int) []*bench {
	t.Helper()
	out := make([]*bench, n)
	for i := range out {
		o.Server = fmt.Sprintf("server %d", i)
		out[i] = reopen(t, t.TempDir(), o)
	}
	return out
}

// Servers that write to one store at once lose nothing and do nothing twice, whether they write to one dataset or to
// several, and each shows what the others did.
func TestServersWriteToOneStore(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	all := servers(t, inBoth(server, "postgres", nil), 3)
	shared, unkeyed := all[0].Create("shared", "id"), all[1].Create("unkeyed")
	var own []string
	for i, b := range all {
		own = append(own, b.Create(fmt.Sprintf("own %d", i), "id"))
	}
	const each = 8
	var work sync.WaitGroup
	for i, b := range all {
		for w := range 2 {
			work.Go(func() {
				for n := range each {
					id := 100*(2*i+w) + n
					for d, record := range map[string]string{
						shared:  fmt.Sprintf(`[{"id":%d,"c%d_%d":1}]`, id, i, w),
						own[i]:  fmt.Sprintf(`[{"id":%d}]`, id),
						unkeyed: fmt.Sprintf(`[{"n":%d}]`, id),
					} {
						if _, err := b.Try(d, catalog.Append, "json", record); err != nil {
							t.Errorf("server %d: %v", i, err)
						}
					}
				}
			})
		}
	}
	work.Wait()
	for i, b := range all {
		for d, want := range map[string]int{shared: 6 * each, own[i]: 2 * each, unkeyed: 6 * each} {
			if rows := b.Rows(d, "head", false); len(rows) != want {
				t.Errorf("server %d has %d records, not %d", i, len(rows), want)
			}
		}
		ids := map[string]bool{}
		for _, row := range b.Rows(unkeyed, "head", true) {
			ids[row] = true
		}
		if len(ids) != 6*each {
			t.Errorf("%d records have ids of their own", len(ids))
		}
		// Each column that a server added has a field id of its own.
		fields := map[int]bool{}
		for _, c := range b.SchemaAt(shared, "head").Columns {
			fields[c.ID] = true
		}
		if len(fields) != 7 {
			t.Errorf("the shared dataset has the fields %v", fields)
		}
	}
	all[1].Sound()
	told := all[0].Told()
	dir := all[2].ClosedDir()
	o := inBoth(server, "postgres", nil)
	back := reopen(t, dir, o)
	if got := back.Told(); got != told {
		t.Errorf("one that comes back shows\n%s\nwant\n%s", got, told)
	}
	back.ClosedDir()
	alone := inBoth(server, "postgres", nil)
	alone.CatalogThere = true
	if _, err := storage.Open(t.Context(), dir, alone); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("a command that is to have the store alone: %v", err)
	}
	other := inBoth(server, "postgres", nil)
	other.Objects.URL = strings.Replace(other.Objects.URL, "/p", "/other", 1)
	if _, err := storage.Open(t.Context(), t.TempDir(), other); err == nil {
		t.Error("a server with other objects is let in")
	}
}

// A server that does not name the database of the others takes nothing away from them. One that is to have a catalog of
// its own does, and finds out once a server of the former catalog goes on: never do both write.
func TestTwoCatalogsNeverWriteToOneBucket(t *testing.T) {
	server, objects := postgrestest.Start(t), buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	first := servers(t, o, 1)[0]
	d := first.Create("d", "id")
	// An older version did not say where the catalog is: the next server that joins does.
	marker := filepath.Join(objects.Dir, "store", "p", datadir.MarkerFile)
	var says map[string]any
	text, err := os.ReadFile(marker)
	first.Must(errors.Join(err, json.Unmarshal(text, &says)))
	delete(says, "catalog")
	delete(says, "checksum")
	text, err = seal.Text(says)
	first.Must(errors.Join(err, os.WriteFile(marker, text, 0o600)))
	servers(t, o, 1)[0].ClosedDir()
	unnamed := o
	unnamed.Catalog = ""
	_, err = storage.Open(t.Context(), t.TempDir(), unnamed)
	if err == nil || !strings.Contains(err.Error(), "--catalog") {
		t.Errorf("a server without the database: %v", err)
	}
	first.JSON(d, catalog.Append, `[{"id":1}]`)
	dir := first.ClosedDir()
	embedded := o
	embedded.Catalog = storage.EmbeddedCatalog
	moved := reopen(t, dir, embedded)
	moved.JSON(d, catalog.Append, `[{"id":2}]`)
	back := servers(t, o, 1)[0]
	back.JSON(d, catalog.Append, `[{"id":4}]`)
	if _, err := moved.Try(d, catalog.Append, "json", `[{"id":3}]`); err == nil || storage.Explain(err).Code != "other_server" {
		t.Errorf("the one whose objects were taken over: %v", err)
	}
	if rows := back.Rows(d, "head", false); len(rows) != 3 {
		t.Errorf("there are %v", rows)
	}
}

// What one server does to files, names and columns another one sees at its next read: rows that were erased are gone
// there as well, with the copies of the files that had them, and no file is called damaged.
func TestServersSeeWhatOthersDidToFiles(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	log := &safeBuffer{}
	o := inBoth(server, "postgres", nil)
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	o.Compact = storagetest.Eager.Compact
	all := servers(t, o, 2)
	a, b := all[0], all[1]
	const secret = "a secret of someone"
	d := a.Create("d", "id")
	for n := range 12 {
		a.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d,"x":"a%d"}]`, n, n))
	}
	a.JSON(d, catalog.Upsert, `[{"id":1,"x":"`+secret+`"}]`)
	same := func(what string) {
		t.Helper()
		if mine, others := a.Told(), b.Told(); mine != others {
			t.Errorf("after %s one shows\n%s\nand the other\n%s", what, mine, others)
		}
	}
	same("the first commits")
	opened := b.Opens(d, "head")
	made := a.CompactAll(d)
	same("a compaction")
	if now := b.Opens(d, "head"); made.Made == 0 || now != a.Opens(d, "head") || now >= opened {
		t.Errorf("%d were made; the other opens %d files, and %d after that; the first %d",
			made.Made, opened, now, a.Opens(d, "head"))
	}
	a.EraseKeys(d, "1")
	for _, row := range b.Rows(d, "head", false) {
		if strings.Contains(row, secret) {
			t.Errorf("what was erased is there: %s", row)
		}
	}
	same("an erasure")
	b.Must(b.Removals.Observe(t.Context()))
	if names := storagetest.Holds(t, b.Dir, secret); len(names) > 0 {
		t.Errorf("what was erased is in copies: %v", names)
	}
	if damaged := b.Damaged(); len(damaged) > 0 {
		t.Errorf("damaged: %+v", damaged)
	}
	_, _, err := a.TryEdit(d, "x", storage.VariableEdit{Name: new("y")})
	a.Must(err)
	same("a rename of a column")
	a.Keeps(d, 3)
	a.VacuumAll(d)
	same("a vacuum")
	b.JSON(d, catalog.Upsert, `[{"id":2,"y":"of the other"}]`)
	same("a commit of the other")
	a.CompactAll(d)
	b.CompactAll(d)
	same("compactions by both")
	a.Sound()
	b.Sound()
	if text := log.String(); strings.Contains(text, "damaged") {
		t.Errorf("the log: %s", text)
	}
}
