package snapshot

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// Few records of many columns are read without statements. For each statement DuckDB describes all columns of the files
// that it opens, however few of them are read, so that reading them in slices takes time quadratic in the columns. What
// is here says which rows of which files are read; the tests compare it with the statements.

// Piece is rows of a file.
type Piece struct {
	File    *catalog.File
	Columns []schema.Column // as the file has them; one without a name is null in each row
	Rows    []bool          // which rows of the file
}

// Reader reads pieces, one after the other, whose columns have the same types. It returns nil where it can't: then a
// statement does, or says what is wrong.
type Reader func(ctx context.Context, pieces []Piece) (arrow.RecordBatch, error)

// ReadHere has the snapshot, and those made of it, read few records of many columns by a reader.
func (s *Snapshot) ReadHere(r Reader) { s.reader = r }

// Columns from which on, values of the files opened up to which, and files up to which, records are read here.
const (
	columnsHere = 100
	valuesHere  = 1_000_000
	filesHere   = 64
)

// areReadHere reports whether some columns of files are read here.
func areReadHere(files []*catalog.File, columns []schema.Column) bool {
	return len(files) <= filesHere && rowsOf(files)*int64(len(columns)) <= valuesHere && arePlain(columns)
}

// arePlain reports whether columns are many, and their values are read and compared here.
func arePlain(columns []schema.Column) bool {
	return len(columns) >= columnsHere && !slices.ContainsFunc(columns, func(c schema.Column) bool {
		switch c.Type.Name {
		case schema.Boolean, schema.Float, schema.Double, schema.Decimal, schema.Varchar, schema.Date, schema.Timestamp,
			schema.TimestampTZ:
			return false
		}
		return !c.Type.IsInteger()
	})
}

// pieceOf returns those rows of a file whose places are wanted.
func pieceOf(f *catalog.File, columns []schema.Column, places []Place, isWanted func(Place) bool) Piece {
	rows := make([]bool, len(places))
	for i, p := range places {
		rows[i] = isWanted(p)
	}
	return Piece{f, columns, rows}
}

// layout returns some columns as a file with schema fs has them; ok is false where their values have to be cast.
type layout func(fs schema.Schema) (columns []schema.Column, ok bool)

// laid returns the layout of columns.
func laid(columns []schema.Column) layout {
	return func(fs schema.Schema) ([]schema.Column, bool) {
		out := make([]schema.Column, len(columns))
		for i, c := range columns {
			own, ok := fs.ByID(c.ID)
			switch {
			case c.ID == schema.CommitID:
				out[i] = c
			case !ok || own.Type.Name == schema.Null:
				out[i].Type = c.Type
			case own.Type.Equal(c.Type) && len(c.Since(own)) == 1:
				out[i] = own
			default:
				return nil, false
			}
		}
		return out, true
	}
}

// The columns of places.
var placeColumns = []schema.Column{
	{Name: schema.FileColumn, Type: schema.Of(schema.Bigint)}, {Name: schema.PosColumn, Type: schema.Of(schema.Bigint)},
}

// placesIn reads the places that files have of their rows, which are others' or compacted ones.
func (s *Snapshot) placesIn(ctx context.Context, files []*catalog.File) (places []Place, ok bool, err error) {
	if len(files) == 0 {
		return nil, true, nil
	}
	var pieces []Piece
	for _, f := range files {
		pieces = append(pieces, Piece{f, placeColumns, slices.Repeat([]bool{true}, int(f.Rows))})
	}
	batch, err := s.reader(ctx, pieces)
	if batch == nil || err != nil {
		return nil, false, err
	}
	defer batch.Release()
	file, pos := batch.Column(0).(*array.Int64), batch.Column(1).(*array.Int64)
	for row := range int(batch.NumRows()) {
		places = append(places, Place{file.Value(row), pos.Value(row)})
	}
	return places, true, nil
}

// liveHere finds the snapshot's rows, in the order of its files.
func (s *Snapshot) liveHere(ctx context.Context, in layout) (pieces []Piece, ok bool, err error) {
	displacers := s.displacers()
	parts := s.dataParts(displacers)
	var rollbacks []*catalog.File
	for _, p := range parts {
		rollbacks = append(rollbacks, p.displacersOf(displacers)...)
	}
	displaced, ok, err := s.placesIn(ctx, distinct(rollbacks))
	if !ok || err != nil {
		return nil, false, err
	}
	gone := setOf(displaced)
	for _, p := range parts {
		columns, fits := in(s.SchemaOf(p.File))
		places, ok, err := s.placesOf(ctx, p)
		if !fits || !ok || err != nil {
			return nil, false, err
		}
		holds := map[int64]bool{}
		for _, f := range p.Holds {
			holds[f.ID] = true
		}
		isLive := func(at Place) bool { return holds[at.File] && !gone[at] }
		pieces = append(pieces, pieceOf(p.File, columns, places, isLive))
	}
	return pieces, true, nil
}

// placesOf returns the places of the rows of a part.
func (s *Snapshot) placesOf(ctx context.Context, p Part) (places []Place, ok bool, err error) {
	if p.Compacted != nil {
		return s.placesIn(ctx, []*catalog.File{p.File})
	}
	for row := range p.Rows {
		places = append(places, Place{p.ID, row})
	}
	return places, true, nil
}

func setOf(places []Place) map[Place]bool {
	set := make(map[Place]bool, len(places))
	for _, p := range places {
		set[p] = true
	}
	return set
}

// readHere reads the rows of a side: the compared columns, in the order of Schema.Stored. It returns nil where a
// statement has to.
func (s side) readHere(ctx context.Context, other *Snapshot) (arrow.RecordBatch, error) {
	if s.own.reader == nil || s.own.isPicked || len(s.inPlace) > 0 {
		return nil, nil
	}
	columns := s.common.Stored()
	seen := make([]schema.Column, len(columns))
	for i, c := range columns {
		if seen[i], _ = s.own.Schema.ByID(c.ID); seen[i].Type.Name == schema.Null {
			seen[i].Type = c.Type // no file has a value
		}
		if !seen[i].Type.Equal(c.Type) {
			return nil, nil
		}
	}
	in := laid(seen)
	pieces, ok, err := s.own.liveHere(ctx, in)
	if !ok || err != nil {
		return nil, err
	}
	also, ok, err := s.own.placesIn(ctx, s.also)
	if !ok || err != nil {
		return nil, err
	}
	gone := setOf(also)
	isOurs := func(at Place) bool { return s.targets[at.File] && !gone[at] }
	for _, r := range s.displaced {
		held, fits := in(other.SchemaOf(r))
		places, ok, err := s.own.placesIn(ctx, []*catalog.File{r})
		if !fits || !ok || err != nil {
			return nil, err
		}
		pieces = append(pieces, pieceOf(r, held, places, isOurs))
	}
	if len(pieces) == 0 {
		none := make([]schema.Column, len(columns))
		for i, c := range columns {
			none[i].Type = c.Type
		}
		pieces = []Piece{{Columns: none}}
	}
	return s.own.reader(ctx, pieces)
}
