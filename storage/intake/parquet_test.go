package intake

import (
	"bytes"
	"encoding/gob"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// parquetUpload returns an upload of the rows of a query.
func parquetUpload(t *testing.T, conn *duck.Conn, query string) Upload {
	t.Helper()
	path := filepath.Join(t.TempDir(), "upload.parquet")
	if _, err := conn.Exec(t.Context(), "COPY ("+query+") TO "+duck.Text(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return Upload{Format: Parquet, Path: path, Size: info.Size()}
}

// The columns of a Parquet file have the types that DuckDB reads; whether they are found in the footer alone or by a
// statement makes no difference.
func TestTypesOfParquet(t *testing.T) {
	conn := ducktest.Conn(t)
	for value, want := range map[string]string{
		"1::BIGINT": "BIGINT plain", "1.5::DOUBLE": "DOUBLE plain", "'a'": "VARCHAR plain", "true": "BOOLEAN plain",
		"1::INTEGER": "INTEGER", "1::UBIGINT": "UBIGINT", "1.5::FLOAT": "FLOAT", "1.5::DECIMAL(9,2)": "DECIMAL(9,2)",
		"'a'::BLOB": "BLOB", "uuid()": "UUID", "'1'::JSON": "JSON", "DATE '2024-01-01'": "DATE",
		"TIMESTAMP '2024-01-01'": "TIMESTAMP", "TIMESTAMPTZ '2024-01-01'": "TIMESTAMP WITH TIME ZONE",
		"TIME '01:02:03'": "TIME", "[1]": "INTEGER[]", "{'a b': 1}": `STRUCT("a b" INTEGER)`,
		"MAP {'a': 1}": "MAP(VARCHAR, INTEGER)", "'x'::ENUM('x')": "VARCHAR plain",
	} {
		u := parquetUpload(t, conn, "SELECT "+value+" AS v")
		records, err := openParquet(t.Context(), conn, u)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		got := records.Columns()[0].Type.String()
		if isPlain(records) {
			described, err := describe(t.Context(), conn, duck.Text(u.Path))
			if err != nil || !described[0].Type.Equal(records.Columns()[0].Type) {
				t.Errorf("%s: %s by the footer, %+v by DuckDB (%v)", value, got, described, err)
			}
			got += " plain"
		}
		if got != want {
			t.Errorf("%s: %s, not %s", value, got, want)
		}
	}
}

// The types that the caller knows better than the file replace those of the file.
func TestTypesThatTheCallerKnows(t *testing.T) {
	conn := ducktest.Conn(t)
	u := parquetUpload(t, conn, "SELECT 'x' AS a, 'y' AS b")
	u.Types = map[string]schema.Type{"b": schema.Of(schema.JSON)}
	records, err := openParquet(t.Context(), conn, u)
	if err != nil {
		t.Fatal(err)
	}
	if c := records.Columns(); c[0].Type.Name != schema.Varchar || c[1].Type.Name != schema.JSON || isPlain(records) {
		t.Errorf("%+v", c)
	}
}

// Records are numbered in the order of the file, and a column may have any name.
func TestRelationsOfParquet(t *testing.T) {
	conn := ducktest.Conn(t)
	u := parquetUpload(t, conn, `SELECT i AS "it's ""odd""", 'x' || i AS _n, i::INTEGER AS file_row FROM range(3) t(i)`)
	records, err := openParquet(t.Context(), conn, u)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := table(t, conn, records); err != nil || got != "0|[0]|[x0]|[0]\n1|[1]|[x1]|[1]\n2|[2]|[x2]|[2]" {
		t.Errorf("%s, %v", got, err)
	}
}

// Names that SQL can't tell apart, and files that are not whole, are refused.
func TestParquetThatIsRefused(t *testing.T) {
	conn := ducktest.Conn(t)
	whole := parquetUpload(t, conn, "SELECT 1 AS a")
	body, err := os.ReadFile(whole.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body []byte
		says string
	}{
		"empty":          {nil, "the Parquet file can't be read: it is not a complete Parquet file"},
		"cut":            {body[:len(body)-9], "the Parquet file can't be read: it is not a complete Parquet file"},
		"without a mark": {body[4:], ""}, // the footer may still be right
		"text":           {bytes.Repeat([]byte("a,b\n"), 50), "the Parquet file can't be read"},
	} {
		u := upload(t, Parquet, string(c.body))
		_, err := openParquet(t.Context(), conn, u)
		if c.says == "" {
			continue
		}
		forClient(t, err)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), u.Path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A value that can't be kept, and one that can't be read, are told apart, without the path of the file.
func TestErrorsOfDuckDBInWords(t *testing.T) {
	conn := ducktest.Conn(t)
	for query, want := range map[string]struct {
		says  string
		shape bool
	}{
		"SELECT CAST('x' AS INTEGER)":   {"the file has a value that can't be kept: Could not convert string 'x'", true},
		"SELECT * FROM '/none.parquet'": {"the file can't be read: No files found", false},
	} {
		_, err := conn.Exec(t.Context(), query)
		var e *Error
		if !errors.As(unreadable("file", err), &e) || !strings.HasPrefix(e.Detail, want.says) || e.Shape != want.shape {
			t.Errorf("%s: %+v", query, e)
		}
	}
	other := errors.New("other")
	if unreadable("file", other) != other || unreadable("file", nil) != nil {
		t.Error("an error that is not the upload's became one")
	}
}

// asked sends a call to a desk as the server does, through the bytes of both messages.
func asked(t *testing.T, d *desk, conn *duck.Conn, c call) reply {
	t.Helper()
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(c); err != nil {
		t.Fatal(err)
	}
	answer, err := d.answer(conn, text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var out reply
	if err := gob.NewDecoder(bytes.NewReader(answer)).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A reader process answers what the server would find itself: the columns, the relation, all records, and the fault of
// the upload.
func TestTheDeskOfAReader(t *testing.T) {
	conn, d := ducktest.Conn(t), new(desk)
	u := parquetUpload(t, conn, "SELECT i, 'x' || i AS s FROM range(5) t(i)")
	opened := asked(t, d, conn, call{Open: &u})
	if !opened.Plain || len(opened.Columns) != 2 || opened.Columns[1].Name != "s" || opened.Err != nil {
		t.Fatalf("%+v", opened)
	}
	in, err := ipc.NewReader(bytes.NewReader(asked(t, d, conn, call{Few: true}).Stream))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	few, err := gather(in)
	if err != nil {
		t.Fatal(err)
	}
	relation := asked(t, d, conn, call{Relate: &Want{Columns: []int{0, 1}}})
	batch, err := conn.Batch(t.Context(), "SELECT o0, o1 FROM ("+relation.SQL+") ORDER BY _n")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if !array.Equal(batch.Column(i), few.Column(i)) {
			t.Errorf("column %d: %v, and in one call %v", i, batch.Column(i), few.Column(i))
		}
	}
	if reply := asked(t, d, conn, call{Failure: true}); reply.Err != nil {
		t.Errorf("%+v", reply)
	}
	if _, err := d.answer(conn, nil); err != nil || d.records != nil {
		t.Errorf("given back, it holds %v, %v", d.records, err)
	}
	bad := upload(t, Arrow, "nonsense")
	reply := asked(t, d, conn, call{Open: &bad})
	if reply.Err == nil || !strings.Contains(reply.Err.Detail, "Arrow stream") {
		t.Errorf("%+v", reply.Err)
	}
}

// The desk takes the stored type of a JSON column, and has the error of the last reading.
func TestTheDeskOfAReaderOfJSON(t *testing.T) {
	conn, d := ducktest.Conn(t), new(desk)
	u := upload(t, JSON, `[{"a":0.5,"b":1},{"a":1e400,"b":null}]`)
	if opened := asked(t, d, conn, call{Open: &u}); opened.Plain || len(opened.Columns) != 2 || !opened.Columns[0].Always {
		t.Fatalf("%+v", opened)
	}
	imposed := asked(t, d, conn, call{Impose: &imposition{0, schema.DecimalOf(5, 1)}})
	if len(imposed.Columns) != 1 || imposed.Columns[0].Type.Name != schema.Varchar {
		t.Fatalf("%+v", imposed)
	}
	asked(t, d, conn, call{Impose: &imposition{0, schema.Of(schema.Double)}})
	relation := asked(t, d, conn, call{Relate: &Want{Columns: []int{0}, Text: true}})
	if !strings.Contains(relation.SQL, "_json") {
		t.Errorf("%s", relation.SQL)
	}
}
