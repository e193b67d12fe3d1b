package lookup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// keyTypes are types of keys, with an expression of the i-th value, distinct and in no order.
var keyTypes = []struct {
	t    schema.Type
	expr string
}{
	{schema.Of(schema.Bigint), "(hash(i) >> 1)::BIGINT - 4000000000000000000"},
	{schema.Of(schema.Integer), "(hash(i) >> 33)::INTEGER - 1000000000"},
	{schema.Of("SMALLINT"), "(i % 65536 - 32768)::SMALLINT"},
	{schema.Of("UINTEGER"), "(hash(i) >> 32)::UINTEGER"},
	{schema.Of(schema.Ubigint), "hash(i)::UBIGINT"},
	{schema.Of(schema.Varchar), "md5(i::VARCHAR)"},
	{schema.Of(schema.Varchar), "CASE i WHEN 0 THEN '' ELSE 'ü' || i % 7 || repeat('x', (i % 40)::INTEGER) || i END"},
	{schema.Of(schema.UUID), "md5(i::VARCHAR)::UUID"},
	{schema.Of(schema.Date), "DATE '1950-01-01' + (hash(i) % 90000)::INTEGER"},
	{schema.Of(schema.Timestamp), "TIMESTAMP '1950-01-01' + to_microseconds((hash(i) % 9000000000000000)::BIGINT)"},
	{schema.Of(schema.TimestampTZ), "make_timestamptz((hash(i) % 9000000000000000)::BIGINT - 4000000000000000)"},
	{schema.Of(schema.TimestampNS), "make_timestamp_ns((hash(i) >> 3)::BIGINT - 1000000000000000000)"},
	{schema.Of(schema.Time), "TIME '00:00:00' + to_microseconds((hash(i) % 86400000000)::BIGINT)"},
	{schema.Of(schema.Double), "CASE i WHEN 0 THEN -0.0 WHEN 1 THEN 'nan'::DOUBLE ELSE hash(i) / 3.0 - 1e15 END"},
	{schema.Of(schema.Float), "(hash(i) % 16777216)::FLOAT / 4"},
	{schema.DecimalOf(9, 2), "((hash(i) % 1900000000)::BIGINT - 950000000)::DECIMAL(18, 2) / 100"},
	{schema.DecimalOf(18, 4), "(hash(i) >> 12)::DECIMAL(18, 0) / 10000"},
	{schema.DecimalOf(38, 3), "hash(i)::DECIMAL(38, 0) * 1000000000 / 1000 - 7"},
	{schema.Of(schema.Boolean), "i % 2 = 0"},
	{schema.Of(schema.Blob), "from_hex(md5(i::VARCHAR))"},
}

// Of a table that is written as stored files are, every key of a sample is found in the rows that DuckDB finds it in;
// its filter names the row group; and its text is the value again.
func TestEveryKeyIsFoundWhereDuckDBFindsIt(t *testing.T) {
	conn := open(t)
	for i, k := range keyTypes {
		path := write(t, conn, fmt.Sprintf("SELECT CAST(%s AS %s) AS k, i AS n FROM range(9000) t(i)", k.expr, k.t.SQL()))
		t.Run(fmt.Sprint(i, k.t), func(t *testing.T) { findAll(t, conn, path, Column{"k", k.t}) })
	}
}

func findAll(t *testing.T, conn *duck.Conn, path string, c Column) {
	f := mustOpen(t, path)
	filter := mustBuild(t, f, []Column{c}, []int{1})
	from := fmt.Sprintf("read_parquet([%s], file_row_number = true)", duck.Text(path))
	batch, err := conn.Batch(t.Context(), "SELECT k FROM "+from+" WHERE n % 1501 < 2 ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	for row := range int(batch.NumRows()) {
		key, ok := KeyOf(batch.Columns(), []schema.Type{c.Type}, row)
		if !ok {
			t.Fatalf("%v has no canonical form", batch.Column(0).ValueStr(row))
		}
		want := places(t, conn, fmt.Sprintf(`SELECT s.file_row_number FROM %s s
			WHERE k IS NOT DISTINCT FROM (SELECT k FROM %s WHERE n %% 1501 < 2 ORDER BY n LIMIT 1 OFFSET %d) ORDER BY 1`,
			from, from, row))
		if got := rowsWith(t, f, []Column{c}, key, filter); !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: found in %v, not in %v", batch.Column(0).ValueStr(row), got, want)
		}
		sameText(t, conn, f, c, want[0], from)
	}
	if absent, ok := KeyOf(batch.Columns(), []schema.Type{c.Type}, 0); ok {
		absent[0].number, absent[0].text = absent[0].number+12345, absent[0].text+"absent"
		if got := rowsWith(t, f, []Column{c}, absent, nil); len(got) > 0 && c.Type.Name != schema.Boolean &&
			c.Type.Name != "SMALLINT" {
			t.Errorf("a key that is not there is found in %v", got)
		}
	}
}

// sameText makes sure that the text of a value casts to that value.
func sameText(t *testing.T, conn *duck.Conn, f *File, c Column, row int64, from string) {
	t.Helper()
	f.seen = map[cell]parquet.Value{}
	group := 0
	for row >= f.firstRow(group)+f.RowGroups()[group].NumRows() {
		group++
	}
	cells, err := f.Cells(group, c, []int64{row})
	if err != nil {
		t.Fatal(err)
	}
	sameArray(t, conn, cells[0], c, row, from)
	text, ok := Text(cells[0], c.Type)
	if !ok {
		if c.Type.Name != schema.Blob && c.Type.Name != schema.Double {
			t.Errorf("row %d has no text", row)
		}
		return
	}
	var same bool
	query := fmt.Sprintf("SELECT k IS NOT DISTINCT FROM CAST(%s AS %s) FROM %s WHERE file_row_number = %d",
		duck.Text(text), c.Type.SQL(), from, row)
	if err := conn.Row(t.Context(), query, &same); err != nil || !same {
		t.Errorf("row %d: %q is not the value, %v", row, text, err)
	}
}

// sameArray makes sure that a value in Arrow is as DuckDB has it.
func sameArray(t *testing.T, conn *duck.Conn, v parquet.Value, c Column, row int64, from string) {
	t.Helper()
	if ArrowType(c.Type) == nil {
		return
	}
	batch, err := conn.Batch(t.Context(), fmt.Sprintf("SELECT k FROM %s WHERE file_row_number = %d", from, row))
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	got, want := Array(v, c.Type), batch.Column(0)
	if got.DataType().ID() != want.DataType().ID() || got.Len() != 1 || got.ValueStr(0) != want.ValueStr(0) {
		t.Errorf("row %d is %v %s, not %v %s", row, got.DataType(), got, want.DataType(), want)
	}
}

// All values of a column, and those of some rows, are appended as DuckDB has them: of every type, with nulls among them,
// and of a column that has nothing else.
func TestValuesAreAppended(t *testing.T) {
	conn := open(t)
	for _, k := range keyTypes {
		if ArrowType(k.t) == nil {
			continue
		}
		path := write(t, conn, fmt.Sprintf(`SELECT CASE WHEN i %% 3 > 0 THEN CAST(%[1]s AS %[2]s) END AS k,
			CAST(NULL AS %[2]s) AS e FROM range(500) t(i)`, k.expr, k.t.SQL()))
		f := mustOpen(t, path)
		for _, name := range []string{"k", "e"} {
			for _, odd := range []bool{false, true} {
				query, rows := "SELECT "+name+" FROM read_parquet(["+duck.Text(path)+"], file_row_number = true)", []bool(nil)
				if odd {
					query += " WHERE file_row_number % 2 = 1"
					for i := range 500 {
						rows = append(rows, i%2 == 1)
					}
				}
				b := array.NewBuilder(memory.DefaultAllocator, ArrowType(k.t))
				err := f.Append(b, Column{name, k.t}, rows)
				if errors.Is(err, ErrUnfit) && strings.Contains(k.t.SQL(), "INT") { // too far apart for one encoding
					continue
				}
				if err != nil {
					t.Fatal(k.t, err)
				}
				want, err := conn.Batch(t.Context(), query)
				if err != nil {
					t.Fatal(err)
				}
				if got := b.NewArray(); fmt.Sprint(got) != fmt.Sprint(want.Column(0)) { // a NaN is not equal to itself
					t.Errorf("%s: %.200s, not %.200s", k.t, got, want.Column(0))
				}
				want.Release()
			}
		}
	}
}

// A key is found under the type that its column has by now, and hashes as it did.
func TestAWiderTypeKeepsTheKey(t *testing.T) {
	conn := open(t)
	for _, c := range []struct {
		from, to schema.Type
		value    string
	}{
		{schema.Of("TINYINT"), schema.Of(schema.Bigint), "-7"},
		{schema.Of("UTINYINT"), schema.Of("INTEGER"), "200"},
		{schema.Of(schema.Integer), schema.Of(schema.Bigint), "-2147483648"},
		{schema.Of(schema.Bigint), schema.DecimalOf(22, 2), "9007199254740993"},
		{schema.Of(schema.Ubigint), schema.DecimalOf(20, 0), "18446744073709551615"},
		{schema.DecimalOf(9, 2), schema.DecimalOf(38, 10), "-12.50"},
		{schema.Of(schema.Float), schema.Of(schema.Double), "0.1"},
		{schema.Of(schema.Date), schema.Of(schema.Timestamp), "1969-12-31"},
	} {
		if !Keeps(c.from, []schema.Type{c.to}) {
			t.Errorf("%s to %s does not keep keys", c.from, c.to)
			continue
		}
		path := write(t, conn, fmt.Sprintf("SELECT CAST('%s' AS %s) AS k", c.value, c.from.SQL()))
		f := mustOpen(t, path)
		column := Column{"k", c.from}
		filter := mustBuild(t, f, []Column{column}, []int{1})
		batch, err := conn.Batch(t.Context(),
			fmt.Sprintf("SELECT CAST(CAST('%s' AS %s) AS %s)", c.value, c.from.SQL(), c.to.SQL()))
		if err != nil {
			t.Fatal(err)
		}
		key, ok := KeyOf(batch.Columns(), []schema.Type{c.to}, 0)
		if got := rowsWith(t, f, []Column{column}, key, filter); !ok || len(got) != 1 {
			t.Errorf("%s as %s is not found in a file that has it as %s", c.value, c.to, c.from)
		}
		batch.Release()
	}
	for _, c := range [][]schema.Type{
		{schema.Of(schema.Integer), schema.Of(schema.Double)}, {schema.Of(schema.Bigint), schema.Of(schema.Varchar)},
		{schema.Of(schema.Timestamp), schema.Of(schema.Date), schema.Of(schema.Timestamp)},
		{schema.Of(schema.Double), schema.Of(schema.Float)}, {schema.Of(schema.Null), schema.Of(schema.Bigint)},
	} {
		if Keeps(c[0], c[1:]) {
			t.Errorf("%v is said to keep keys", c)
		}
	}
}

// The hash is part of the format of filters: it must not change.
const stableHashes = "b498a151346c18ae 4ff99079b252a40b"

func TestTheHashIsStable(t *testing.T) {
	a, b := Key{integer(1), {family: texts, text: "x"}}, Key{integer(1), {family: texts, text: "y"}}
	if got := fmt.Sprintf("%016x %016x", a.Hash(), b.Hash()); got != stableHashes {
		t.Errorf("the hashes are %s", got)
	}
}

// Of keys of several columns, only rows that have all of them are found; sorted ones by statistics alone.
func TestKeysOfSeveralColumns(t *testing.T) {
	conn := open(t)
	path := write(t, conn, `SELECT i // 100 AS k, 'x' || i % 100 AS l FROM range(300000) t(i)`)
	f := mustOpen(t, path)
	columns := []Column{{"k", schema.Of(schema.Bigint)}, {"l", schema.Of(schema.Varchar)}}
	filter := mustBuild(t, f, columns, []int{1, 2})
	for _, row := range []int64{0, 99, 100, 122_879, 122_880, 299_999} {
		key := Key{integer(row / 100), {family: texts, text: fmt.Sprint("x", row%100)}}
		if got := rowsWith(t, f, columns, key, filter); !slices.Equal(got, []int64{row}) {
			t.Errorf("row %d is found in %v", row, got)
		}
		if groups, err := f.Groups(columns[0], []Key{key}); err != nil || len(groups) > 2 {
			t.Errorf("row %d: statistics leave %v, %v", row, groups, err)
		}
	}
	if got := rowsWith(t, f, columns, Key{integer(5), {family: texts, text: "x100"}}, filter); len(got) > 0 {
		t.Errorf("a key that is not there is found in %v", got)
	}
	if sorted, err := f.IsSorted(columns[0]); err != nil || !sorted {
		t.Errorf("it is sorted: %v, %v", sorted, err)
	}
	if sorted, err := f.IsSorted(columns[1]); err != nil || sorted {
		t.Errorf("it is not sorted by the other column: %v, %v", sorted, err)
	}
}

// A filter of random keys names the row group of each of its keys, and of others few; whatever byte of it is changed,
// or cut, it is not read.
func TestFiltersAreReadAsTheyWereWritten(t *testing.T) {
	conn := open(t)
	path := write(t, conn, "SELECT md5(i::VARCHAR) AS k FROM range(300000) t(i)")
	f := mustOpen(t, path)
	filter := mustBuild(t, f, []Column{{"k", schema.Of(schema.Varchar)}}, []int{1})
	if size := filter.Size(); size > 300_000*24/10 {
		t.Errorf("it has %d bytes for 300,000 keys", size)
	}
	wrong := 0
	for i := range 1000 {
		wrong += len(filter.Groups([]Key{{{family: texts, text: fmt.Sprint("absent ", i)}}}))
	}
	if wrong > 3 { // 1,000 keys, 5 groups, 1 in 65,536: none as a rule
		t.Errorf("of 1,000 keys that are not there it names %d groups", wrong)
	}
	data, err := filter.Encode()
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		at := random.IntN(len(data))
		changed := slices.Clone(data)
		changed[at] ^= byte(1 << random.IntN(8))
		if _, err := Decode(changed); err == nil {
			t.Fatalf("seed %d: byte %d was changed, and it is read", seed, at)
		}
		if _, err := Decode(data[:at]); err == nil {
			t.Fatalf("seed %d: cut at %d, and it is read", seed, at)
		}
	}
	for _, length := range []int{0, 1, 31, 32, 33} {
		if _, err := Decode(make([]byte, length)); err == nil {
			t.Errorf("%d zeros are read", length)
		}
	}
}

// Integers that are far apart were once written so that they are decoded to others here: such files are left alone.
func TestIntegersThatAreDecodedToOthersAreLeftAlone(t *testing.T) {
	conn, path := open(t), filepath.Join(t.TempDir(), "rows.parquet")
	if _, err := conn.Exec(t.Context(), "COPY (SELECT (hash(i) >> 32)::UINTEGER AS k FROM range(9000) t(i)) TO "+
		duck.Text(path)+" (FORMAT parquet, PARQUET_VERSION v2)"); err != nil {
		t.Fatal(err)
	}
	f, column := mustOpen(t, path), Column{"k", schema.Of("UINTEGER")}
	if _, err := f.Find(0, []Column{column}, []Key{{integer(1)}}); !errors.Is(err, ErrUnfit) {
		t.Errorf("found: %v", err)
	}
	_, err := f.Build(strings.Repeat("0", 64), []Column{column}, []int{1}, func() error { return nil })
	if !errors.Is(err, ErrUnfit) {
		t.Errorf("built: %v", err)
	}
}

// What is not a Parquet file as it should be is an error, not a panic.
func TestAFileThatIsNotOneIsAnError(t *testing.T) {
	conn := open(t)
	path := write(t, conn, "SELECT md5(i::VARCHAR) AS k FROM range(5000) t(i)")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	column := Column{"k", schema.Of(schema.Varchar)}
	for range 200 {
		changed := slices.Clone(data)
		for range 1 + random.IntN(20) {
			changed[random.IntN(len(changed))] ^= byte(1 << random.IntN(8))
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log("seed", seed)
		if f, err := Open(path, &Read{}); err == nil {
			f.Find(0, []Column{column}, []Key{{{family: texts, text: "x"}}}) //nolint:errcheck // it may even be sound
			f.Close()
		}
	}
	f := mustOpen(t, write(t, conn, "SELECT 1 AS k"))
	if _, err := f.Find(0, []Column{{"l", column.Type}}, nil); !errors.Is(err, ErrUnfit) {
		t.Errorf("a missing column: %v", err)
	}
}

func open(t *testing.T) *duck.Conn {
	t.Helper()
	return ducktest.Conn(t)
}

// write writes the rows of a query as stored files are written.
func write(t *testing.T, conn *duck.Conn, query string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if _, err := datafile.CopyQuery(t.Context(), conn, query, path, 0, ""); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustOpen(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path, &Read{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func mustBuild(t *testing.T, f *File, columns []Column, ids []int) *Filter {
	t.Helper()
	sum := sha256.Sum256([]byte("the file"))
	filter, err := f.Build(hex.EncodeToString(sum[:]), columns, ids, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	data, err := filter.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Decode(data)
	if err != nil || read.Rows() != f.NumRows() || !slices.Equal(read.Columns, ids) {
		t.Fatalf("read again: %+v, %v", read, err)
	}
	return read
}

// rowsWith returns the rows of a file that have a key, and makes sure that the filter, if any, names their row groups.
func rowsWith(t *testing.T, f *File, columns []Column, key Key, filter *Filter) (rows []int64) {
	t.Helper()
	groups, err := f.Groups(columns[0], []Key{key})
	if err != nil {
		t.Fatal(err)
	}
	for g := range f.RowGroups() {
		matches, err := f.Find(g, columns, []Key{key})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range matches {
			rows = append(rows, m.Row)
		}
		if len(matches) == 0 {
			continue
		}
		if !slices.Contains(groups, g) {
			t.Errorf("statistics leave out row group %d, which has %+v", g, key)
		}
		if filter != nil && !slices.Contains(filter.Groups([]Key{key}), g) {
			t.Errorf("the filter leaves out row group %d, which has %+v", g, key)
		}
	}
	return rows
}

func places(t *testing.T, conn *duck.Conn, query string) (rows []int64) {
	t.Helper()
	err := conn.Rows(t.Context(), query, func(scan duck.Scan) error {
		var row int64
		err := scan(&row)
		rows = append(rows, row)
		return err
	})
	if err != nil {
		t.Fatal(strings.TrimSpace(query), err)
	}
	return rows
}
