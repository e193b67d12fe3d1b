package snapshot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/snapshot"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	os.Exit(m.Run())
}

// listings are differences of a dataset that are listed in slices and in one statement.
type listings struct {
	*testing.T
	*storage.Store
	*rand.Rand
	dataset string
}

func open(t *testing.T, key ...string) *listings {
	t.Helper()
	seed := rand.Uint64()
	t.Log("seed", seed)
	s, err := storage.Open(context.Background(), t.TempDir(), storage.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	made, err := s.CreateDataset(context.Background(), storage.NewDataset{ProjectID: 1, Name: "d", Key: key},
		storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return &listings{t, s, rand.New(rand.NewPCG(seed, 0)), made.Dataset.ID}
}

func (l *listings) commit(mode catalog.Mode, body string) string {
	l.Helper()
	path := filepath.Join(l.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		l.Fatal(err)
	}
	c, err := l.Commit(context.Background(), l.dataset,
		storage.Change{Mode: mode, Upload: intake.Upload{Format: intake.JSON, Path: path, Size: int64(len(body))}})
	if err != nil {
		l.Fatal(err)
	}
	return fmt.Sprint(c.ID)
}

func (l *listings) diff(from, to string) *snapshot.Difference {
	l.Helper()
	a, err := l.Snapshot(context.Background(), l.dataset, from)
	if err != nil {
		l.Fatal(err)
	}
	b, err := l.Snapshot(context.Background(), l.dataset, to)
	if err != nil {
		l.Fatal(err)
	}
	return snapshot.Diff(a, b)
}

// value returns a value, or null, of the type that columns of that number have.
func (l *listings) value(column int) any {
	n := l.IntN(4)
	if n == 0 {
		return nil
	}
	return []any{
		n, fmt.Sprint("text ", n), float64(n) / 8, n == 1, []int{n, n}, map[string]any{"x": n, "y": []string{"é"}},
		map[string]any{}, fmt.Sprintf("2026-01-0%dT00:00:00Z", n),
	}[column%8]
}

// records returns records with a value of every fourth column or so.
func (l *listings) records(rows, columns int) string {
	list := make([]map[string]any, rows)
	for i := range list {
		list[i] = map[string]any{"before": fmt.Sprint(i % 3), "in_a": i}
		for c := range columns {
			if i == c || l.IntN(4) == 0 {
				list[i][fmt.Sprintf("c%d", c)] = l.value(c)
			}
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

// A difference that is listed from tables of slices of the columns is the same as that of a single statement: its
// records, their order and every type.
func TestADifferenceInSlicesIsThatOfOneStatement(t *testing.T) {
	l := open(t, "before", "in_a") // names that the statement has too
	refs := []string{"0", l.commit("append", l.records(20, 4))}
	for range 2 { // the first one adds columns, so that the commits before have none of some slices
		refs = append(refs, l.commit("upsert", l.records(25, 17)))
	}
	refs = append(refs, l.commit("delete", `[{"before":"0","in_a":3},{"before":"1","in_a":4}]`))
	kinds := [][]string{nil, nil, {"added"}, {"removed"}, {"modified"}, {"added", "modified"}}
	for range 15 {
		from, to := refs[l.IntN(len(refs))], refs[l.IntN(len(refs))]
		l.same(l.diff(from, to), 1+l.IntN(9), kinds[l.IntN(len(kinds))])
	}
	l.same(l.diff(refs[1], refs[4]), 5, nil)
}

// A page of a difference of wide records has what a single statement has there, without sorting whole records: of every
// kind of change, of some columns, at its ends and beyond.
func TestAPageOfADifferenceInSlicesIsThatOfOneStatement(t *testing.T) {
	l := open(t, "before", "in_a")
	refs := []string{"0", l.commit("append", l.records(20, 4))}
	for range 2 {
		refs = append(refs, l.commit("upsert", l.records(25, 17)))
	}
	refs = append(refs, l.commit("delete", `[{"before":"0","in_a":3},{"before":"1","in_a":4}]`))
	kinds := [][]string{nil, {"added"}, {"modified", "removed"}}
	for _, limit := range []int64{0, 1, 7, 1000, math.MaxInt64} { // by their keys, and of tables of all
		for _, offset := range []int64{0, 3, 24, 1000} {
			// Where both are the empty state, there are no columns but the key's, and nothing to slice.
			from, to := refs[l.IntN(len(refs))], refs[1+l.IntN(len(refs)-1)]
			s := snapshot.Selection{Changes: kinds[l.IntN(len(kinds))], Limit: &limit, Offset: offset}
			d := l.diff(from, to)
			if from != "0" && to != "0" && l.IntN(2) == 0 {
				s.Columns = []string{"c1", "c3"}
			}
			whole, err := d.ListingIn(1000, s)
			if err != nil {
				l.Fatal(err)
			}
			sliced := d.ListingIn
			if limit < math.MaxInt64 && l.IntN(2) == 0 {
				sliced = d.PageIn
			}
			page, err := sliced(1+l.IntN(5), s)
			if err != nil {
				l.Fatal(err)
			}
			if !strings.Contains(whole.SQL, "ORDER BY") || strings.Contains(page.SQL, "ORDER BY") {
				l.Fatalf("not sorted whole:\n%s\nor in slices:\n%s", whole.SQL, page.SQL)
			}
			if got, want := l.written(page, intake.NDJSON), l.written(whole, intake.NDJSON); !bytes.Equal(got, want) {
				l.Errorf("%+v, limit %d, in slices:\n%.2000s\nin one statement:\n%.2000s", s, limit, got, want)
			}
		}
	}
}

// The tables have the same order where there are many records, of several row groups.
func TestADifferenceOfManyRecordsInSlices(t *testing.T) {
	l := open(t, "in_a")
	from := l.commit("append", l.records(130_000, 3))
	to := l.commit("overwrite", l.records(125_000, 3))
	l.same(l.diff(from, to), 2, nil)
}

// Records that have no key but _id.
func TestADifferenceOfRecordsWithoutAKeyInSlices(t *testing.T) {
	l := open(t)
	from, to := l.commit("append", l.records(20, 4)), l.commit("append", l.records(20, 9))
	l.same(l.diff(from, to), 3, nil)
	l.same(l.diff(to, from), 3, nil)
}

// same compares a listing in slices with that of a single statement.
func (l *listings) same(d *snapshot.Difference, most int, changes []string) {
	l.Helper()
	list, err := d.ListIn(most, changes...)
	if err != nil {
		l.Fatal(err)
	}
	var whole snapshot.Listing
	if whole.SQL, whole.Columns, err = d.Records(changes...); err != nil {
		l.Fatal(err)
	}
	if !reflect.DeepEqual(list.Columns, whole.Columns) {
		l.Errorf("other columns in slices of %d", most)
	}
	for _, format := range []intake.Format{intake.NDJSON, intake.Arrow} {
		got, want := l.written(list, format), l.written(whole, format)
		if format == intake.Arrow { // its types; the values are compared as text
			got, want = l.shape(got), l.shape(want)
		}
		if !bytes.Equal(got, want) {
			l.Fatalf("%v in slices of %d:\n%.2000s\nin one statement:\n%.2000s", changes, most, got, want)
		}
	}
	if len(changes) > 0 {
		return
	}
	whole.SQL = "SELECT * EXCLUDE (before, after) FROM (" + whole.SQL + ")"
	whole.Columns = whole.Columns[:len(whole.Columns)-2]
	if got, want := l.written(d.KeysIn(most), intake.CSV), l.written(whole, intake.CSV); !bytes.Equal(got, want) {
		l.Errorf("the keys in slices of %d are\n%.2000s\nnot\n%.2000s", most, got, want)
	}
}

// written runs a listing and returns its result.
func (l *listings) written(list snapshot.Listing, format intake.Format) []byte {
	l.Helper()
	ctx := context.Background()
	conn, err := l.Conn(ctx)
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close()
	if err := list.Prepare(ctx, conn); err != nil {
		l.Fatal(err)
	}
	var out bytes.Buffer
	q := output.Query{SQL: list.SQL, Columns: list.Columns}
	if _, err := output.Write(ctx, conn, q, format, &out, l.Scratch("out")); err != nil {
		l.Fatal(err)
	}
	return out.Bytes()
}

// shape returns the schema of an Arrow stream.
func (l *listings) shape(stream []byte) []byte {
	l.Helper()
	r, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		l.Fatal(err)
	}
	defer r.Release()
	return []byte(r.Schema().String())
}
