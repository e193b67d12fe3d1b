package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// staying is the rows of a file that stay, in their order. They are found here, by binary search among the rows that
// go, so that a file costs what it has and not what goes of others.
type staying struct {
	file *catalog.File
	path string
	rows int64  // how many stay
	rest string // of the statement that reads them, after the file
}

// staying finds the rows of a file that stay.
func (w *rewriter) staying(ctx context.Context, conn *duck.Conn, f *catalog.File) (*staying, error) {
	s := &staying{file: f, path: w.pathOf(f)}
	switch {
	case w.removal.whole[f.ID]:
		return s, nil
	case f.Kind == schema.Data:
		return s, s.leaveOut(ctx, conn, w.removal.rows[f.ID])
	default:
		return s, s.move(ctx, conn, w.removal)
	}
}

// query returns the SQL of the rows that stay, in their order, with some columns of the file.
func (s *staying) query(columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "s." + duck.Ident(c.Name)
		if c.ID == schema.PosID {
			list[i] = "m.pos"
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + s.numbered() + " s " + s.rest
}

// numbered is the SQL of the rows of the file with their numbers.
func (s *staying) numbered() string {
	return "read_parquet([" + duck.Text(s.path) + "], hive_partitioning = false, file_row_number = true)"
}

// numbersAtOnce is how many numbers of rows are held at a time, and given to DuckDB by one statement.
const numbersAtOnce = 100_000

// fewGoing is up to how many rows are left out by conditions, which keeps the order of the others without a sort.
const fewGoing = 32

// leaveOut has all rows stay but some, by their numbers.
func (s *staying) leaveOut(ctx context.Context, conn *duck.Conn, going []int64) error {
	s.rows = s.file.Rows - int64(len(going))
	if len(going) <= fewGoing {
		list := make([]string, len(going))
		for i, row := range going {
			list[i] = fmt.Sprintf("s.file_row_number <> %d", row)
		}
		s.rest = "WHERE " + strings.Join(list, " AND ")
		return nil
	}
	s.rest = "ANTI JOIN left_out m ON m.row = s.file_row_number ORDER BY s.file_row_number"
	if _, err := conn.Exec(ctx, "CREATE TEMP TABLE left_out (row BIGINT)"); err != nil {
		return err
	}
	for some := range slices.Chunk(going, numbersAtOnce) {
		if _, err := conn.Exec(ctx, "INSERT INTO left_out SELECT unnest("+duck.Ints(some)+")"); err != nil {
			return err
		}
	}
	return nil
}

// moves are lines of a rollback file that stay: their numbers, and the places of the rows that they displace, once
// others are gone from the files of these.
type moves struct{ lines, places []int64 }

// move has those lines of a rollback file stay whose rows do.
func (s *staying) move(ctx context.Context, conn *duck.Conn, r *removal) error {
	s.rest = "JOIN moves m ON m.line = s.file_row_number ORDER BY s.file_row_number"
	for from := int64(0); from < s.file.Rows; from += numbersAtOnce {
		some, err := s.moves(ctx, conn, r, from)
		if err != nil {
			return err
		}
		s.rows += int64(len(some.lines))
		if s.file.Rows <= smallRows {
			s.rest = strings.Replace(s.rest, "moves", "("+some.sql()+")", 1)
			return nil
		}
		if from == 0 {
			if _, err := conn.Exec(ctx, "CREATE TEMP TABLE moves (line BIGINT, pos BIGINT)"); err != nil {
				return err
			}
		}
		if _, err := conn.Exec(ctx, "INSERT INTO moves "+some.sql()); err != nil {
			return err
		}
	}
	return nil
}

// moves looks at some lines of a rollback file.
func (s *staying) moves(ctx context.Context, conn *duck.Conn, r *removal, from int64) (m moves, err error) {
	batch, err := conn.Batch(ctx, duck.Fill(linesOf, duck.Parts{
		"lines": s.numbered(), "from": from, "until": from + numbersAtOnce,
	}))
	if err != nil {
		return m, err
	}
	defer batch.Release()
	lines, files, places := batch.Column(0).(*array.Int64), batch.Column(1).(*array.Int64), batch.Column(2).(*array.Int64)
	for i := range int(batch.NumRows()) {
		if place, stays := r.moved(files.Value(i), places.Value(i)); stays {
			m.lines, m.places = append(m.lines, lines.Value(i)), append(m.places, place)
		}
	}
	return m, nil
}

const linesOf = `SELECT file_row_number, CAST(_file AS BIGINT), CAST(_pos AS BIGINT) FROM {lines}
	WHERE file_row_number >= {from} AND file_row_number < {until}`

// moved returns where a row of a data file is without those that go, unless it goes itself.
func (r *removal) moved(file, row int64) (now int64, stays bool) {
	if r.whole[file] {
		return 0, false
	}
	before, goes := slices.BinarySearch(r.rows[file], row)
	return row - int64(before), !goes
}

// sql is a table of the moves.
func (m moves) sql() string {
	return "SELECT unnest(" + duck.Ints(m.lines) + ") AS line, unnest(" + duck.Ints(m.places) + ") AS pos"
}
