package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/storagetest"
)

func types(b *bench, d string) string {
	b.Helper()
	s, err := b.State(context.Background(), d, "head")
	if err != nil {
		b.Fatal(err)
	}
	var list []string
	for _, c := range s.Schema.Columns {
		list = append(list, c.Name+" "+c.Type.String())
	}
	return strings.Join(list, ", ")
}

// What types are found in text, and what is left as text because it would not come back the same.
func TestCSVTypes(t *testing.T) {
	for _, c := range []struct{ name, csv, types string }{
		{"numbers", "i,d,e,big\n1,1.5,1e3,9223372036854775807\n-2,.5,-0.0,-9223372036854775808\n",
			"i BIGINT, d DOUBLE, e DOUBLE, big BIGINT"},
		{"integers beyond 64 bits", "n\n9223372036854775808\n12345678901234567890123456789\n", "n DECIMAL(38,0)"},
		{"large integers beside fractions", "n\n9007199254740993\n0.5\n", "n DECIMAL(38,2)"},
		{"codes", "zip,plus,space\n01234,+5,5 \n99999,6,6\n", "zip VARCHAR, plus VARCHAR, space VARCHAR"},
		{"moments", "d,t,z\n2024-02-29,2024-01-01T10:00:00,2024-01-01T10:00:00Z\n" +
			"1999-12-31,2024-01-01 10:00:00.5,2024-01-01 10:00:00+05:30\n", "d DATE, t TIMESTAMP, z TIMESTAMP WITH TIME ZONE"},
		{"no dates", "d\n2023-02-29\n", "d VARCHAR"},
		{"booleans", "b,c\ntrue,TRUE\nfalse,no\n", "b BOOLEAN, c VARCHAR"},
		{"nothing yet", "a,b\n,\n,\n", "a NULL, b NULL"},
		{"an empty text is no null", "a\n\"\"\n", "a VARCHAR"},
		{"semicolons", "a;b\n1;x,y\n", "a BIGINT, b VARCHAR"},
		{"tabs and a mark", "\xef\xbb\xbfa\tb\r\n1\tx\r\n", "a BIGINT, b VARCHAR"},
		{"one column", "a\n1\n2\n", "a BIGINT"},
		{"quotes and line breaks", "\"a \"\"b\"\"\",c\n\"x\ny\",\"1,5\"\n", "a \"b\" VARCHAR, c VARCHAR"},
		{"only a header", "a,b\n", "a NULL, b NULL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			d := b.Create("x")
			b.Put(d, "append", intake.CSV, c.csv)
			if got := types(b, d); got != c.types {
				t.Errorf("got %s\nwant %s", got, c.types)
			}
		})
	}
}

// A type that holds for the first ten thousand rows need not hold for all.
func TestCSVTypesOfLateRows(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("id,code,late\n")
	for i := range 12_000 {
		fmt.Fprintf(&csv, "%d,%d,%d\n", i, 10+i, i)
	}
	csv.WriteString("12000,007,1.5\n")
	b := open(t)
	d := b.Create("x", "id")
	b.Put(d, "append", intake.CSV, csv.String())
	if got := types(b, d); got != "id BIGINT, code VARCHAR, late DOUBLE" {
		t.Error(got)
	}
	rows := b.Rows(d, "head", false)
	if last := `{"id":12000,"code":"007","late":1.5}`; rows[len(rows)-1] != last &&
		!strings.Contains(strings.Join(rows, "\n"), last) {
		t.Errorf("the last row is not there: %s", rows[len(rows)-1])
	}
}

func TestCSVNullsAndTexts(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.Put(d, "append", intake.CSV, "id,a\n1,\"\"\n2,\n3,\"say \"\"hi\"\"\"\n")
	b.Want(d, "head", `{"id":1,"a":""}`, `{"id":2,"a":null}`, `{"id":3,"a":"say \"hi\""}`)
}

func TestJSONTypes(t *testing.T) {
	for _, c := range []struct{ name, json, types string }{
		{"integers stay exact", `[{"a":9007199254740993,"b":18446744073709551615,"c":123456789012345678901234567890}]`,
			"a BIGINT, b UBIGINT, c DECIMAL(38,0)"},
		{"integers beside fractions", `[{"a":1},{"a":1.5}]`, "a DOUBLE"},
		{"large integers beside fractions", `[{"a":9007199254740993},{"a":1.5}]`, "a DECIMAL(17,1)"},
		{"strings stay strings", `[{"a":"2024-01-01","b":"5"}]`, "a VARCHAR, b VARCHAR"},
		{"nested", `[{"a":{"b":[{"c":1},{"d":null}]}}]`, `a STRUCT("b" STRUCT("c" BIGINT, "d" NULL)[])`},
		{"kinds mixed", `[{"a":1},{"a":"x"}]`, "a JSON"},
		{"kinds mixed in a list", `[{"a":[1,"x",null]}]`, "a JSON[]"},
		{"objects without fields", `[{"a":{},"b":[{}]}]`, "a JSON, b JSON[]"},
		{"nulls", `[{"a":null}]`, "a NULL"},
		{"booleans", `[{"a":true},{"a":null}]`, "a BOOLEAN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			d := b.Create("x")
			b.Put(d, "append", intake.JSON, c.json)
			if got := types(b, d); got != c.types {
				t.Errorf("got %s\nwant %s", got, c.types)
			}
		})
	}
}

// What a column becomes when it meets other values, and what is refused with the three names.
func TestTypesMeet(t *testing.T) {
	for _, c := range []struct{ name, first, then, types, refused string }{
		{"a wider integer", `[{"v":1}]`, `[{"v":18446744073709551615}]`, "v DECIMAL(20,0)", ""},
		{"a fraction", `[{"v":1}]`, `[{"v":1.5}]`, "v DOUBLE", ""},
		{"a fraction beside a large integer", `[{"v":9007199254740993}]`, `[{"v":0.5}]`, "", "v BIGINT DOUBLE"},
		{"whole numbers in a column of fractions", `[{"v":1.5}]`, `[{"v":2}]`, "v DOUBLE", ""},
		{"a large integer in a column of fractions", `[{"v":1.5}]`, `[{"v":9007199254740993}]`, "", "v DOUBLE BIGINT"},
		{"text in a column of numbers", `[{"v":1}]`, `[{"v":"x"}]`, "", "v BIGINT VARCHAR"},
		{"a number in a column of text", `[{"v":"x"}]`, `[{"v":1}]`, "", "v VARCHAR BIGINT"},
		{"something after nothing", `[{"v":null}]`, `[{"v":{"a":[1]}}]`, `v STRUCT("a" BIGINT[])`, ""},
		{"a new field", `[{"v":{"a":1}}]`, `[{"v":{"b":"x"}}]`, `v STRUCT("a" BIGINT, "b" VARCHAR)`, ""},
		{"a field of another type", `[{"v":{"a":1}}]`, `[{"v":{"a":"x"}}]`, "", `v STRUCT("a" BIGINT) STRUCT("a" VARCHAR)`},
		{"a list after a number", `[{"v":1}]`, `[{"v":[1]}]`, "", "v BIGINT BIGINT[]"},
		{"anything in a column of JSON", `[{"v":1},{"v":"x"}]`, `[{"v":{"a":1}}]`, "v JSON", ""},
		{"an empty object in a struct", `[{"v":{"a":1}}]`, `[{"v":{}}]`, `v STRUCT("a" BIGINT)`, ""},
		{"an empty list", `[{"v":[]}]`, `[{"v":[{"a":1}]}]`, `v STRUCT("a" BIGINT)[]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			d := b.Create("x")
			b.Put(d, "append", intake.JSON, c.first)
			before := b.Rows(d, "head", true)
			_, err := b.Try(d, "append", intake.JSON, c.then)
			if c.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := types(b, d); got != c.types {
					t.Errorf("got %s, want %s", got, c.types)
				}
				b.Rows(d, "1", true)
				b.Rows(d, "head", true)
				return
			}
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != "type_mismatch" {
				t.Fatalf("got %v, want a refusal", err)
			}
			if got := fmt.Sprint(e.Fields["column"], " ", e.Fields["stored_type"], " ",
				e.Fields["offered_type"]); got != c.refused {
				t.Errorf("got %s, want %s", got, c.refused)
			}
			if after := b.Rows(d, "head", true); strings.Join(after, "") != strings.Join(before, "") {
				t.Error("a refused commit changed the records")
			}
		})
	}
}

func TestTextMeetsTypes(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.Put(d, "append", intake.CSV, "id,when,n,code\n1,2024-01-01,5,x\n")
	b.Put(d, "append", intake.JSON, `[{"id":2,"when":"2024-02-29","n":6,"code":"7"}]`)
	b.Put(d, "append", intake.CSV, "id,when,n,code\n3,2024-03-01,7,007\n")
	b.Want(d, "head", `{"id":1,"when":"2024-01-01","n":5,"code":"x"}`, `{"id":2,"when":"2024-02-29","n":6,"code":"7"}`,
		`{"id":3,"when":"2024-03-01","n":7,"code":"007"}`)
	for _, bad := range []string{`[{"id":4,"when":"2024-02-30"}]`, `[{"id":4,"n":"8"}]`} {
		_, err := b.Try(d, "append", intake.JSON, bad)
		wantRefusal(t, err, "type_mismatch")
	}
	_, err := b.Try(d, "append", intake.CSV, "id,n\n4,eight\n")
	wantRefusal(t, err, "type_mismatch")
	b.Put(d, "append", intake.CSV, "id,when\n4,2024-01-01 10:00:00\n") // a date column widens
	if got := types(b, d); got != "id BIGINT, when TIMESTAMP, n BIGINT, code VARCHAR" {
		t.Error(got)
	}
	b.Want(d, "1", `{"id":1,"when":"2024-01-01","n":5,"code":"x"}`)
}

// Everything malformed is told in words, changes nothing, and leaves the store fit for the next request.
func TestBadInput(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":"kept"}]`)
	stream := arrowStream(t, 50)
	parquet := parquetBytes(t, b)
	for _, c := range []struct {
		name   string
		format intake.Format
		body   string
		says   string
	}{
		{"empty JSON", "json", "", "is empty"},
		{"cut JSON", "json", `[{"id":2},{"id":`, "record 2"},
		{"JSON that is an object", "json", `{"id":2}`, "not an array"},
		{"JSON that is numbers", "json", `[1,2]`, "record 1 is not a JSON object"},
		{"JSON and more", "json", `[{"id":2}] x`, "more after"},
		{"JSON with a comma too many", "json", `[{"id":2},]`, "record 2"},
		{"JSON with a name twice", "json", `[{"id":2,"id":3}]`, "\"id\" appears twice"},
		{"JSON that is not UTF-8", "json", "[{\"id\":2,\"v\":\"\xff\"}]", "UTF-8"},
		{"NDJSON with a bad line", "ndjson", "{\"id\":2}\n{\"id\":3,}\n", "record 2"},
		{"names that differ in case", "json", `[{"id":2,"V":"x","v":"y"}]`, "differ only in case"},
		{"a reserved name", "json", `[{"id":2,"_file":1}]`, "uses itself"},
		{"empty CSV", "csv", "", "is empty"},
		{"ragged CSV, short", "csv", "id,v\n2,a\n3\n", "row 3"},
		{"ragged CSV, long", "csv", "id,v\n2,a,b\n", "row 2"},
		{"CSV with an open quote", "csv", "id,v\n2,\"a\n", "CSV"},
		{"CSV with a name twice", "csv", "id,v,v\n2,a,b\n", "twice"},
		{"CSV with a nameless column", "csv", "id,\n2,a\n", "column 2 has no name"},
		{"CSV that is not UTF-8", "csv", "id,v\n2,\xff\xfe\n", "line 2"},
		{"Parquet that is none", "parquet", "PAR1 and so on", "can't be read"},
		{"cut Parquet", "parquet", parquet[:len(parquet)-20], "can't be read"},
		{"Parquet without its start", "parquet", parquet[20:], "can't be read"},
		{"Arrow that is none", "arrow", "id,v\n2,a\n", "Arrow"},
		{"cut Arrow", "arrow", stream[:len(stream)/2], "Arrow stream"},
		{"Arrow without its end", "arrow", stream[:len(stream)-8], "marker"},
		{"no key column", "json", `[{"v":"x"}]`, `no column "id"`},
		{"a null key", "json", `[{"id":2},{"id":null,"v":"x"}]`, "record 2"},
		{"a key twice", "json", `[{"id":2},{"id":3},{"id":2}]`, "id = 2"},
		{"a key that is live", "json", `[{"id":2},{"id":1}]`, "id = 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.Try(d, "append", c.format, c.body)
			e := storage.Explain(err)
			if err == nil || e.Kind != fault.Malformed && e.Kind != fault.Invalid {
				t.Fatalf("got kind %d: %v", e.Kind, err)
			}
			if !strings.Contains(e.Detail, c.says) {
				t.Errorf("%q does not say %q", e.Detail, c.says)
			}
			if strings.Contains(e.Detail, b.Dir) || strings.Contains(e.Detail, "staging") ||
				strings.Contains(e.Detail, "SELECT") {
				t.Errorf("%q tells what is ours", e.Detail)
			}
			b.Want(d, "head", `{"id":1,"v":"kept"}`)
		})
	}
	b.JSON(d, "append", `[{"id":2,"v":"after"}]`)
	b.Sound()
}

func TestBadChanges(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":1}]`)
	for _, mode := range []catalog.Mode{"overwrite", "upsert", "delete"} {
		for body, code := range map[string]string{`[{"v":2}]`: "key_missing", `[{"id":null}]`: "key_null",
			`[{"id":1},{"id":1}]`: "key_duplicate"} {
			_, err := b.Try(d, mode, intake.JSON, body)
			wantRefusal(t, err, code)
		}
	}
	_, err := b.Try(d, "sideways", intake.JSON, `[{"id":2}]`)
	wantRefusal(t, err, "unknown_mode")
	_, err = b.Commit(ctx, "nowhere", storage.Change{Mode: "append"})
	wantRefusal(t, err, "dataset_not_found")
	for _, where := range []string{"v = ", "nope > 1", "1=1; DROP TABLE x",
		"true) UNION SELECT 1, 1 FROM records WHERE (true", "v IN (SELECT 1 FROM read_csv('/etc/passwd'))",
		"sum(v) > 1", " "} {
		_, err := b.Commit(ctx, d, storage.Change{Mode: "delete", Where: where})
		if e := storage.Explain(err); err == nil || e.Kind != fault.Invalid || strings.Contains(e.Detail, b.Dir) {
			t.Errorf("%q: %v", where, err)
		}
	}
	c, err := b.Commit(ctx, d, storage.Change{Mode: "delete", Where: "v = 1 -- all of them"})
	if err != nil || c.Removed != 1 {
		t.Errorf("a comment after the condition: %v, %d removed", err, c.Removed)
	}
	b.Sound()
}

// arrowStream is an IPC stream with text, numbers, a dictionary and a nested column.
func arrowStream(t *testing.T, rows int) string {
	t.Helper()
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	s := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "v", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "kind", Type: dict, Nullable: true}, {Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32),
			Nullable: true},
	}, nil)
	build := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer build.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(s))
	for i := range rows {
		build.Field(0).(*array.Int64Builder).Append(int64(100 + i))
		build.Field(1).(*array.StringBuilder).Append(fmt.Sprint("text ", i))
		if err := build.Field(2).(*array.BinaryDictionaryBuilder).AppendString([]string{"x", "y"}[i%2]); err != nil {
			t.Fatal(err)
		}
		list := build.Field(3).(*array.ListBuilder)
		list.Append(true)
		list.ValueBuilder().(*array.Int32Builder).AppendValues([]int32{int32(i), 1}, nil)
	}
	batch := build.NewRecordBatch()
	defer batch.Release()
	if err := errors.Join(w.Write(batch), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestArrowIn(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.Put(d, "append", intake.Arrow, arrowStream(t, 2))
	b.Want(d, "head", `{"id":100,"v":"text 0","kind":"x","list":[0,1]}`, `{"id":101,"v":"text 1","kind":"y","list":[1,1]}`)
	b.Put(d, "delete", intake.Arrow, arrowStream(t, 1)) // only the key is read of it
	b.Want(d, "head", `{"id":101,"v":"text 1","kind":"y","list":[1,1]}`)
}

func parquetBytes(t *testing.T, b *bench) string {
	t.Helper()
	ctx := context.Background()
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := filepath.Join(t.TempDir(), "x.parquet")
	if _, err := conn.Exec(ctx, "COPY (SELECT 200 + i AS id, 'v' || i AS v, [i, NULL] AS l FROM range(5000) t(i)) TO '"+
		path+"' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A stream or file in which bytes have changed is refused or read, and never takes the server down.
func TestDamagedUploads(t *testing.T) {
	b := open(t)
	d := b.Create("x")
	b.JSON(d, "append", `[{"kept":1}]`)
	rng := rand.New(rand.NewPCG(7, 7))
	for format, whole := range map[intake.Format]string{"arrow": arrowStream(t, 300), "parquet": parquetBytes(t, b)} {
		for range 120 {
			body := []byte(whole)
			for range 1 + rng.IntN(4) {
				body[rng.IntN(len(body))] ^= byte(1 << rng.IntN(8))
			}
			c, err := b.Try(d, "append", format, string(body))
			if err != nil {
				if k := storage.Explain(err).Kind; k != fault.Malformed && k != fault.Invalid {
					t.Errorf("%s: kind %d: %v", format, k, err)
				}
				continue
			}
			if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Want(d, "head", `{"_id":1,"kept":1}`)
	b.Sound()
}

// Lists in lists cost twice as much with every level, so that a short document could stop the server.
func TestDeepValuesAreKeptAsJSON(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	deep := strings.Repeat("[", 100) + "1" + strings.Repeat("]", 100)
	b.JSON(d, "append", `[{"id":1,"v":`+deep+`,"w":[[[1]]]}]`)
	state, err := b.State(context.Background(), d, "head")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range state.Schema.Columns {
		if c.Type.Depth() > schema.MaxDepth || c.Name == "w" && c.Type.String() != "BIGINT[][][]" {
			t.Errorf("%s is %s", c.Name, c.Type)
		}
	}
	b.JSON(d, "upsert", `[{"id":1,"v":[`+deep+`]}]`)
	if rows := b.Rows(d, "head", false); len(rows) != 1 || strings.Count(rows[0], "[") < 100 {
		t.Errorf("%v", rows)
	}
	b.Sound()
}

// What a record becomes does not depend on the records that came with it.
func TestJSONColumnsKeepWhatCame(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"j":{}},{"id":2,"j":[1,"a"]}]`)
	b.JSON(d, "upsert", `[{"id":1,"j":{"a":1,"b":2}}]`)
	b.JSON(d, "upsert",
		`[{"id":1,"j":{"a":5}},{"id":2,"j":{"b": 9007199254740993}},{"id":3,"j":0.5},{"id":4,"j":12345678901234567890123}]`)
	b.Want(d, "head", `{"id":1,"j":{"b":2,"a":5}}`, `{"id":2,"j":{"b":9007199254740993}}`, `{"id":3,"j":0.5}`,
		`{"id":4,"j":12345678901234567890123}`)
	if c := b.JSON(d, "overwrite", `[{"id":2,"j":{"b":9007199254740993}},{"id":3,"j":0.5}]`); c.Modified != 0 {
		t.Errorf("equal records count as modified: %s", storagetest.Counts(c))
	}
	b.JSON(d, "upsert", `[{"id":5,"j":{"k":1.50}}]`)
	if c := b.JSON(d, "upsert", `[{"id":5,"j":{"k":1.50}}]`); c.Modified != 0 {
		t.Errorf("a merge that changes nothing counts as a change: %s", storagetest.Counts(c))
	}
	e := b.Create("y", "id")
	b.JSON(e, "append", `[{"id":1,"l":[1]},{"id":2,"l":["a"]},{"id":3,"s":{"a":1}},{"id":4,"s":{"a":"x"}}]`)
	b.JSON(e, "append", `[{"id":5,"l":[7],"s":{"a":7}}]`)
	b.Sound()
}

func TestJSONNumbersAreKeptExactly(t *testing.T) {
	b := open(t)
	for _, c := range []struct{ values, want string }{
		{`1, 2.5e-3`, `1.0, 0.0025`},
		{`1, 1e2`, `1.0, 100.0`},
		{`9007199254740993, 1.5e0`, `9007199254740993.0, 1.5`},
		{`1234567890123456.7891, 0.5`, `1234567890123456.7891, 0.5000`},
		{`0.1000000000000000055511151231257827021181583404541015625, 0.5`, `0.1, 0.5`}, // a double, with all its digits
		{`0.30000000000000004, -0.0`, `0.30000000000000004, -0.0`},
		{`123456789012345678901234567890123456789012345, 1`, `123456789012345678901234567890123456789012345, 1`},
		{`-0, 0e0`, `-0.0, 0.0`},
		{`1e-300, 12345`, `1e-300, 12345.0`},
	} {
		first, second, _ := strings.Cut(c.values, ", ")
		d := b.Create("d"+c.values, "id")
		b.JSON(d, "append", fmt.Sprintf(`[{"id":1,"v":%s},{"id":2,"v":%s}]`, first, second))
		one, two, _ := strings.Cut(c.want, ", ")
		got := strings.Join(b.Rows(d, "head", false), " ")
		if want := fmt.Sprintf(`{"id":1,"v":%s} {"id":2,"v":%s}`, one, two); got != want {
			t.Errorf("%s became %s, want %s", c.values, got, want)
		}
	}
}

// Records may bring the _id that the server gave them once; what it gives comes after.
func TestRowIDsThatAreBrought(t *testing.T) {
	b := open(t)
	d := b.Create("x")
	for _, body := range []string{`[{"_id":1.5}]`, `[{"_id":12345678901234567890}]`, `[{"_id":-1}]`,
		`[{"_id":9223372036854775807}]`, `[{"_id":"a"}]`} {
		if _, err := b.Try(d, "append", "json", body); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", body, err)
		}
	}
	b.JSON(d, "append", `[{"_id":3,"v":1},{"v":2},{"v":3},{"v":4}]`)
	b.JSON(d, "append", `[{"v":5}]`)
	b.Want(d, "head", `{"_id":3,"v":1}`, `{"_id":5,"v":2}`, `{"_id":6,"v":3}`, `{"_id":7,"v":4}`, `{"_id":8,"v":5}`)
	b.Sound()
}

func TestNamesThatAreOneOnlyElsewhere(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"s":1,"\u017f":2,"K":3,"\u212a":4}]`)
	b.JSON(d, "upsert", `[{"id":1,"s":10,"\u017f":20,"\u212a":30}]`)
	b.Want(d, "head", "{\"id\":1,\"s\":10,\"\u017f\":20,\"K\":3,\"\u212a\":30}")
	for _, name := range []string{"file_index", "FILE_ROW_NUMBER"} {
		if _, err := b.Try(d, "append", "json", `[{"id":2,"`+name+`":1}]`); storage.Explain(err).Code != "reserved_column" {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.Sound()
}

// Bounds of keys with nanoseconds meet, however they were found.
func TestNanosecondKeys(t *testing.T) {
	b := open(t)
	for _, n := range []int64{1700000000000000999, 873, -1, 1234567890123456999} {
		d := b.Create(fmt.Sprint("x", n), "t")
		build := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Nanosecond})
		build.Append(arrow.Timestamp(n))
		body := stream(t, arrow.NewSchema([]arrow.Field{{Name: "t", Type: build.Type()}}, nil), build.NewArray())
		b.Put(d, "append", intake.Arrow, body)
		if _, err := b.Try(d, "append", intake.Arrow, body); storage.Explain(err).Code != "key_exists" {
			t.Errorf("%d: %v", n, err)
		}
	}
	b.Sound()
}

func stream(t *testing.T, s *arrow.Schema, columns ...arrow.Array) string {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(s))
	if err := errors.Join(w.Write(array.NewRecordBatch(s, columns, int64(columns[0].Len()))), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Of many keys that do not come in order, one that comes twice is found, whatever their type and range.
func TestManyKeysOneTwice(t *testing.T) {
	t.Parallel()
	b := open(t)
	for name, key := range map[string]string{
		"near":     "CAST(hash(i) % 1 + i AS BIGINT)",
		"negative": "CAST(i - 150000 AS INTEGER)",
		"far":      "i * 1000003",
		"unsigned": "CAST(18446744073709551615 - CAST(i AS HUGEINT) AS UBIGINT)",
		"text":     "'k' || i",
		"small":    "CAST(i AS UINTEGER)",
	} {
		d := b.Create(name, "k")
		const rows = "SELECT %s AS k, repeat('x', 20) AS v FROM range(300000) t(i) ORDER BY hash(i)"
		if c, err := b.Generated(d, "append", fmt.Sprintf(rows, key)); err != nil || c.Added != 300_000 {
			t.Errorf("%s: %s %v", name, storagetest.Counts(c), err)
		}
		e := b.Create(name+" twice", "k")
		twice := fmt.Sprintf("SELECT * FROM (%s) UNION ALL (SELECT %s, 'again' FROM range(123456, 123457) t(i))",
			fmt.Sprintf(rows, key), key)
		if _, err := b.Generated(e, "append", twice); storage.Explain(err).Code != "key_duplicate" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.Generated(d, "append", fmt.Sprintf("SELECT %s AS k, 'late' AS v FROM range(299999, 300001) t(i)",
			key)); storage.Explain(err).Code != "key_exists" {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.Sound()
}
