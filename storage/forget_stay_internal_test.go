package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// reads counts the statements that read stored files.
type reads struct{ statements int }

func (*reads) Hold([]string) func() { return func() {} }

func (r *reads) Check(context.Context, []string) error              { r.statements++; return nil }
func (r *reads) Seen([]string) func() error                         { return func() error { return nil } }
func (r *reads) Blame(_ context.Context, _ []string, e error) error { return e }

// place is where a row lay that a line of a rollback file stands for.
type place struct{ file, pos int64 }

// rowsOfAFile is how many rows a data file has.
const rowsOfAFile = 60_000

// rollbackFile writes a rollback file of lines with these places, in their order.
func rollbackFile(t *testing.T, conn *duck.Conn, lines []place) *staying {
	t.Helper()
	var files, rows []int64
	targets := map[int64]int64{}
	for _, l := range lines {
		files, rows = append(files, l.file), append(rows, l.pos)
		targets[l.file]++
	}
	path := filepath.Join(t.TempDir(), "rollback.parquet")
	_, err := conn.Exec(t.Context(), fmt.Sprintf("COPY (SELECT unnest(%s) AS _file, unnest(%s) AS _pos) TO %s (FORMAT parquet)",
		duck.Ints(files), duck.Ints(rows), duck.Text(path)))
	if err != nil {
		t.Fatal(err)
	}
	f := &catalog.File{ID: 1, Kind: schema.Rollback, Rows: int64(len(lines)), Targets: targets}
	return &staying{file: f, path: path}
}

// Which lines of a rollback file stay, and where the rows lie then that they stand for, is what comes of going through
// all lines and rows. It takes a statement for each hundred thousand lines and one more, however many rows go; and no
// statement is given these rows.
func TestARollbackFileCostsWhatItHas(t *testing.T) {
	engine, err := duck.Open(duck.Limits{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r := &removal{rows: map[int64][]int64{}, whole: map[int64]bool{13: true}}
	goes := map[place]bool{}
	for file := int64(10); file < 12; file++ {
		for pos := range int64(rowsOfAFile) {
			if random.IntN(2) == 0 {
				r.rows[file] = append(r.rows[file], pos)
				goes[place{file, pos}] = true
			}
		}
	}
	for n, statements := range map[int]int{1: 2, 40: 2, smallRows: 2, smallRows + 1: 2, 250_000: 4} {
		conn, err := engine.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lines := make([]place, n)
		for i := range lines {
			lines[i] = place{10 + random.Int64N(4), random.Int64N(rowsOfAFile)} // 12 loses nothing
		}
		s := rollbackFile(t, conn, lines)
		counted := &reads{}
		conn.Guard(counted)
		if err := s.move(t.Context(), conn, r); err != nil {
			t.Fatal(err)
		}
		var got []place
		query := s.query([]schema.Column{{ID: schema.FileID, Name: "_file"}, {ID: schema.PosID, Name: "_pos"}})
		err = conn.Rows(t.Context(), query, func(scan duck.Scan) error {
			var p place
			err := scan(&p.file, &p.pos)
			got = append(got, p)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := moved(lines, r, goes); !slices.Equal(got, want) || s.rows != int64(len(want)) {
			t.Errorf("of %d lines, %d stay, not %d, or elsewhere", n, len(got), len(want))
		}
		if counted.statements != statements || len(query) > 100*smallRows {
			t.Errorf("of %d lines: %d statements, the last of %d bytes", n, counted.statements, len(query))
		}
		conn.Close()
	}
}

// moved goes through all lines, and all rows of the files that lose some.
func moved(lines []place, r *removal, goes map[place]bool) (out []place) {
	before := map[int64][]int64{} // by file and row: how many rows before it go
	for file := range r.rows {
		n := int64(0)
		for pos := range int64(rowsOfAFile) {
			before[file] = append(before[file], n)
			if goes[place{file, pos}] {
				n++
			}
		}
	}
	for _, l := range lines {
		if goes[l] || r.whole[l.file] {
			continue
		}
		if n := before[l.file]; n != nil {
			l.pos -= n[l.pos]
		}
		out = append(out, l)
	}
	return out
}
