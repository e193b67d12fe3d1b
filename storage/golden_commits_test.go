package storage_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// goldenStore is a store with every kind of commit, and ledger.txt: all that it held, as the program told that made it.
// A change of the file formats makes it anew, on purpose: ROWBACK_GOLDEN=write.
const goldenStore = "store-of-all-commits.tar.gz"

// goldenOptions have every id and every time be the same each time.
func goldenOptions() storage.Options {
	// A start asked for the time once more when the golden store was made.
	clock, ids := time.Date(2026, 1, 31, 10, 0, 1, 0, time.UTC), 0
	return storage.Options{
		Now:   func() time.Time { clock = clock.Add(time.Second); return clock },
		NewID: func() string { ids++; return fmt.Sprintf("%032x", ids) },
	}
}

// golden makes the commits of the golden store.
type golden struct{ *bench }

func (g golden) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g golden) rolledBack(d string, commit int64, p storage.Policy) {
	g.Helper()
	_, err := g.TryRollback(d, commit, p)
	g.must(err)
}

// makeAll makes a dataset by each way that there is, and a commit of each kind.
func (g golden) makeAll() {
	g.Helper()
	people := g.makePeople()
	g.makeVariables(people)
	g.makeFamily(people)
	g.makeCopies(people)
	g.makeNumbered()
}

// makePeople commits records in all modes, some of them more than are written without DuckDB.
func (g golden) makePeople() string {
	g.Helper()
	ctx := context.Background()
	d := g.Create("people", "id")
	var many []string
	for i := range 560 {
		many = append(many, fmt.Sprintf(
			`{"id":%d,"name":"n%d","category":"c%d","quality_score":%g,"at":"2026-01-%02dT00:00:00Z","s":{"n":%d,"t":["x"]}}`,
			i, i, i%3, float64(i%7)/4, i%28+1, i))
	}
	first := g.JSON(d, "append", "["+strings.Join(many, ",")+"]")
	g.JSON(d, "upsert", `[{"id":1,"name":"ada","s":{"n":-1}},{"id":5000,"name":"new","category":"c9","w":1.5}]`)
	g.Put(d, "overwrite", intake.CSV, "id,name,w\n2,grace,2\n3,alan,\n")
	g.JSON(d, "upsert", "["+strings.Join(many[40:], ",")+"]")
	deleted := g.JSON(d, "delete", `[{"id":4},{"id":5}]`)
	_, err := g.Commit(ctx, d, storage.Change{Mode: catalog.Delete, Where: "id BETWEEN 10 AND 20 OR w > 1.9"})
	g.must(err)
	_, err = g.Increment(ctx, d, storagetest.Forced("patch", "as it came"), storage.Request{User: "ada"})
	g.must(err)
	g.rolledBack(d, deleted.ID, storage.Records)
	g.JSON(d, "append", `[{"id":9000,"name":"late","w":12345678901234}]`)
	_, err = g.Increment(ctx, d, storage.NewVersion{Part: "minor", Force: true}, storage.Request{})
	g.must(err)
	_, err = g.Restore(ctx, d, fmt.Sprint(first.ID), storage.Request{Message: "back"})
	g.must(err)
	_, err = g.RollbackVersion(ctx, d, "1.1.0", storage.Request{})
	g.must(err)
	name, quality := "persons", "w"
	metadata := catalog.Metadata{"k": json.RawMessage(`[1,"é"]`)}
	_, err = g.EditDataset(ctx, d, storage.Edit{Name: &name, QualityColumn: &quality, Metadata: metadata},
		storage.Request{})
	g.must(err)
	return d
}

// makeVariables creates, changes, derives and drops columns, and undoes some of that.
func (g golden) makeVariables(d string) {
	g.Helper()
	ctx, none := context.Background(), storage.Request{User: "ann"}
	_, v, err := g.CreateVariable(ctx, d, storage.NewVariable{Name: "size", Type: "INTEGER", Description: "of a shoe"},
		none)
	g.must(err)
	g.JSON(d, "upsert", `[{"id":1,"size":41},{"id":2,"size":42}]`)
	_, derived, err := g.CreateVariable(ctx, d, storage.NewVariable{Name: "twice", Derivation: `size * 2 + length(name)`},
		none)
	g.must(err)
	wider, name := "BIGINT", "shoe"
	_, _, err = g.EditVariable(ctx, d, v.ID, storage.VariableEdit{Type: &wider}, none)
	g.must(err)
	renamed, _, err := g.EditVariable(ctx, d, v.ID, storage.VariableEdit{Name: &name}, none)
	g.must(err)
	dropped, err := g.DropVariable(ctx, d, derived.ID, none)
	g.must(err)
	g.rolledBack(d, dropped.ID, storage.Stack)
	g.rolledBack(d, renamed.ID, storage.Records)
	_, err = g.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: "with sizes"}, none)
	g.must(err)
	g.JSON(d, "delete", `[{"id":30}]`)
	_, err = g.Revert(ctx, d, "master__000001", none)
	g.must(err)
	_, err = g.DescribeSavepoint(ctx, d, "master__000001", "with all sizes", storage.Request{})
	g.must(err)
}

// makeFamily forks, and merges with records that only one side, both sides and neither changed.
func (g golden) makeFamily(d string) {
	g.Helper()
	ctx := context.Background()
	fork, err := g.Fork(ctx, d, storage.NewFork{}, storage.Request{User: "eve"})
	g.must(err)
	f := fork.Dataset.ID
	g.JSON(f, "upsert", `[{"id":1,"name":"fork"},{"id":7000,"name":"fork"}]`)
	undone := g.JSON(f, "delete", `[{"id":40}]`)
	g.rolledBack(f, undone.ID, storage.Records)
	_, _, err = g.CreateVariable(ctx, f, storage.NewVariable{Name: "note", Type: "VARCHAR"}, storage.Request{})
	g.must(err)
	g.JSON(f, "upsert", `[{"id":50,"note":"n"}]`)
	g.JSON(d, "upsert", `[{"id":1,"w":3},{"id":60,"name":"up"}]`)
	merged, err := g.Merge(ctx, d, storage.Merge{Source: f, Autorollback: true}, storage.Request{})
	g.must(err)
	g.rolledBack(d, merged.Commit.ID, storage.Stack)
	_, err = g.Merge(ctx, d, storage.Merge{Source: f}, storage.Request{})
	g.must(err)
	g.JSON(f, "upsert", `[{"id":70,"name":"theirs"}]`)
	g.JSON(d, "upsert", `[{"id":70,"name":"ours"}]`)
	if _, err = g.Merge(ctx, d, storage.Merge{Source: f}, storage.Request{}); fault.KindOf(err) != fault.Conflict {
		g.Fatal(err)
	}
	g.must(g.DeleteDataset(ctx, f, storage.Request{}))
	_, err = g.UndeleteDataset(ctx, f, storage.Request{})
	g.must(err)
	gone := g.Create("gone")
	g.must(g.DeleteDataset(ctx, gone, storage.Request{}))
}

// makeCopies makes backups, and datasets of them.
func (g golden) makeCopies(d string) {
	g.Helper()
	ctx := context.Background()
	made, text := g.Archive(d, "1.0.0")
	_, err := g.CreateFromBackup(ctx, bytes.NewReader(text), "copy", 1, storage.Request{})
	g.must(err)
	g.JSON(d, "delete", `[{"id":80}]`)
	_, err = g.RestoreBackup(ctx, d, bytes.NewReader(text), storage.Request{})
	g.must(err)
	g.must(g.Backups.Remove(ctx, made, storage.Request{}))
	g.Archive(d, "head")
}

// makeNumbered makes a dataset with its first records, whose row ids the server gives, with a receipt.
func (g golden) makeNumbered() {
	g.Helper()
	ctx := context.Background()
	told := func(snapshot.State) (json.RawMessage, error) { return json.RawMessage(`"made"`), nil }
	r := storage.Request{User: "ann", Receipt: &storage.Receipt[snapshot.State]{Slot: storage.Slot{Key: "k",
		Fingerprint: "p"}, Answer: told}}
	made, err := g.CreateWithRecords(ctx, storage.NewDataset{ProjectID: 2, Name: "numbered"}, storage.Change{
		Request: r, Mode: catalog.Append, Upload: g.Upload(intake.NDJSON, `{"a":1}`+"\n"+`{"a":2}`),
	})
	g.must(err)
	g.JSON(made.Dataset.ID, "append", `[{"a":3,"b":"x"}]`)
	g.JSON(made.Dataset.ID, "delete", `[{"_id":1}]`)
}

// answers are the ledger of a store, and what differs between states of its datasets.
func (g golden) answers() string {
	g.Helper()
	out := []string{g.ledger()}
	states, err := g.Datasets(context.Background(), catalog.DatasetFilter{Limit: 1000})
	g.must(err)
	for _, s := range states {
		actions, err := g.Actions(context.Background(), s.Dataset.ID, storage.ActionFilter{})
		g.must(err)
		for _, c := range actions {
			out = append(out, g.diff(s.Dataset.ID, fmt.Sprint(c.ID), "head"))
		}
	}
	return strings.Join(out, "\n")
}

// diff is how many records differ between two states, and all of them.
func (g golden) diff(d, from, to string) string {
	g.Helper()
	ctx := context.Background()
	a, err := g.Snapshot(ctx, d, from)
	g.must(err)
	b, err := g.Snapshot(ctx, d, to)
	g.must(err)
	conn, err := g.Conn(ctx)
	g.must(err)
	defer conn.Close()
	difference := snapshot.Diff(a, b)
	counts, err := difference.Count(ctx, conn)
	g.must(err)
	sql, _, err := difference.Records()
	g.must(err)
	lines := []string{fmt.Sprintf("%s %s {%d %d %d %v}", from, to, counts.Added, counts.Removed, counts.Modified,
		counts.Columns)}
	g.must(conn.Rows(ctx, "SELECT CAST(to_json(r) AS VARCHAR) FROM ("+sql+") r", func(scan duck.Scan) error {
		var line string
		err := scan(&line)
		lines = append(lines, line)
		return err
	}))
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

// A store with every kind of commit, made before storage was divided into packages, opens, is sound and answers as it
// did, with its catalog and without.
func TestTheGoldenStoreReadsAsItDid(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROWBACK_GOLDEN") == "write" {
		writeGolden(t)
	}
	for _, name := range []string{goldenStore, "store-before-effects.tar.gz"} {
		for _, lost := range []bool{false, true} {
			dir, want := unpackStore(t, name)
			if lost {
				storagetest.WithCatalog(t, dir, nil)
			}
			g := golden{reopen(t, dir, storage.Options{})}
			g.Sound()
			if got := g.answers(); got != want {
				t.Errorf("%s, lost catalog: %v: %s", name, lost, firstDifference(got, want))
			}
		}
	}
}

// fromArchive are what the golden store has of archives. An archive has its records in the order in which DuckDB scans
// them, which changes with the statement, and what is restored from it follows that.
var fromArchive = regexp.MustCompile(`/backups/|/labels/backup-|^objects/0*2/44/|^objects/0*2f/42/`)

// The same commits, made anew, leave the same bytes in the same files, and a store that reads the same.
func TestTheSameCommitsGiveTheSameBytes(t *testing.T) {
	want, answers := unpackStore(t, goldenStore)
	got := makeGolden(t)
	names := objectsIn(t, want)
	if made := objectsIn(t, got); !slices.Equal(made, names) {
		t.Fatalf("made %v\nnot %v", made, names)
	}
	same := 0
	for _, name := range names {
		if fromArchive.MatchString(name) {
			continue
		}
		a, errA := os.ReadFile(filepath.Join(got, name))
		b, errB := os.ReadFile(filepath.Join(want, name))
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s is not what it was: %s", name, firstDifference(string(a), string(b)))
		}
		same++
	}
	if left := len(names) - same; left > 15 {
		t.Errorf("%d of %d files were not compared", left, len(names))
	}
	g := golden{reopen(t, got, storage.Options{})}
	made, answers := withoutSums(g.answers()), withoutSums(answers)
	if made != answers {
		t.Errorf("it reads differently: %s", firstDifference(made, answers))
	}
}

// withoutSums leaves out the sizes and checksums of archives, which change with the version of DuckDB that writes them.
func withoutSums(answers string) string { return archiveSums.ReplaceAllString(answers, `$1`) }

var archiveSums = regexp.MustCompile(`(/archive\.tar",)"Bytes":\d+,"Checksum":"[0-9a-f]+",`)

// What a description says of a commit is all that the commit is: described again, it is the same.
func TestACommitIsWhatItsDescriptionSays(t *testing.T) {
	dir, _ := unpackStore(t, goldenStore)
	g := golden{reopen(t, dir, storage.Options{})}
	described := 0
	states, err := g.Datasets(context.Background(), catalog.DatasetFilter{Limit: 1000})
	g.must(err)
	for _, s := range states {
		actions, err := g.Actions(context.Background(), s.Dataset.ID, storage.ActionFilter{})
		g.must(err)
		for _, c := range actions {
			stored, again, err := g.Redescribed(s.Dataset, c.ID)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was inherited from the upstream, or a merge played it
			}
			g.must(err)
			described++
			if !bytes.Equal(stored, again) {
				t.Errorf("commit %d (%s): %s", c.ID, c.Mode, firstDifference(string(again), string(stored)))
			}
		}
	}
	if described < 30 {
		t.Errorf("only %d commits have a description", described)
	}
}

// makeGolden makes the golden store in a new directory.
func makeGolden(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	g := golden{reopen(t, dir, goldenOptions())}
	g.makeAll()
	g.must(g.Store.Close())
	return dir
}

func objectsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "objects"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// firstDifference is where two texts part.
func firstDifference(got, want string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(s string) string { return s[max(0, i-100):min(len(s), i+200)] }
	return fmt.Sprintf("at byte %d of %d and %d\n got %q\nwant %q", i, len(got), len(want), around(got), around(want))
}

func writeGolden(t *testing.T) {
	t.Helper()
	dir := makeGolden(t)
	g := golden{reopen(t, storagetest.Copied(t, dir), storage.Options{})}
	g.must(os.WriteFile(filepath.Join(dir, "ledger.txt"), []byte(g.answers()), 0o600))
	out, err := os.Create(filepath.Join("testdata", goldenStore))
	g.must(err)
	zipped := gzip.NewWriter(out)
	files := tar.NewWriter(zipped)
	g.must(files.AddFS(os.DirFS(dir)))
	g.must(errors.Join(files.Close(), zipped.Close(), out.Close()))
}
