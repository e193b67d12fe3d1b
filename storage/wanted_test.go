package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// manyKinds is a dataset with nulls, nested values, displaced rows, and columns that were renamed, widened, retyped,
// dropped and derived. One of its columns is called as columns are in our own statements.
func (b *bench) manyKinds(name string, key ...string) (dataset string) {
	b.Helper()
	d := b.Create(name, key...)
	record := func(i, shift int) string {
		tie := "null"
		if i%3 > 0 {
			tie = fmt.Sprint((i + shift) % 2)
		}
		return fmt.Sprintf(`{"id":%d,"part":"p%d","c1":%d,"tie":%s,"text":"é\"%d,\n","list":[%d,null],"s":{"a":%d,"b":["x",null]},`+
			`"gone":1,"was":%d,"small":%d,"score":%d.5,"at":"2026-01-%02dT00:00:00Z","yes":%t}`,
			i, i%4, 50-i, tie, i+shift, i, i+shift, i, i%5, i, i%20+1, i%2 == 0)
	}
	records := func(from, to, shift int) string {
		var all []string
		for i := from; i < to; i++ {
			all = append(all, record(i, shift))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	// Records as they are once the columns were changed.
	later := func(from, to, shift int) string {
		text := strings.NewReplacer(`"gone":1,`, "", `"was"`, `"is"`).Replace(records(from, to, shift))
		return regexp.MustCompile(`"small":(\d)`).ReplaceAllString(text, `"small":"$1"`)
	}
	b.JSON(d, "append", records(0, 20, 0))
	b.drop(d, "gone")
	b.rename(d, "was", "is")
	b.retype(d, "small", "VARCHAR")
	b.derive(d, "sum", `"is" + score`)
	if len(key) == 0 {
		b.JSON(d, "append", later(20, 30, 1))
		return d
	}
	b.JSON(d, "upsert", `[{"id":3,"part":"p3","list":null,"s":{"b":[]}},{"id":4,"part":"p0","text":null,"new":{"x":1}}]`)
	b.JSON(d, "overwrite", later(10, 25, 7))
	b.JSON(d, "delete", `[{"id":1,"part":"p1"},{"id":12,"part":"p0"}]`)
	return d
}

// What is wanted of wide records is read in slices of their columns, and is what one statement reads: the same records
// in the same order, in every format.
func TestWideRecordsAreWantedAsByOneStatement(t *testing.T) {
	b := open(t)
	keyed, unkeyed := b.manyKinds("keyed", "part", "id"), b.manyKinds("unkeyed")
	fork := b.MakeFork(keyed, "fork", "head")
	b.JSON(fork, "upsert", `[{"id":5,"part":"p1","tie":9},{"id":77,"part":"p1","score":0.25}]`)
	ten, three := int64(10), int64(3)
	for dataset, key := range map[string]string{keyed: `"part", "id"`, fork: `"part", "id"`, unkeyed: `"_id"`} {
		snap, err := b.Snapshot(context.Background(), dataset, "head")
		b.Must(err)
		all := snap.TableColumns()
		named := func(names ...string) (out []schema.Column) {
			for _, c := range all {
				for _, n := range names {
					if c.Name == n {
						out = append(out, c)
					}
				}
			}
			return out
		}
		for _, w := range []storage.Wanted{
			{Order: " ORDER BY " + key},
			{Order: ` ORDER BY "tie" DESC, ` + key, By: named("tie"), Limit: &ten, Offset: 4},
			{Order: ` ORDER BY "c1" ASC, ` + key, By: named("c1"), Limit: &ten},
			{Order: ` ORDER BY "sum" ASC, ` + key, By: named("sum"), Limit: &three, Offset: 1},
			{Where: "id % 2 = 1 -- odd", Order: " ORDER BY " + key},
			{Where: `sum > 4 AND "c1" < 48`, Order: ` ORDER BY "tie" ASC, "c1" DESC, ` + key, By: named("tie", "c1"), Limit: &ten},
			{Where: "COLUMNS(* EXCLUDE (tie, text, list, s, new)) IS NOT NULL", Order: " ORDER BY " + key},
			{Where: "records.score > 3 AND s.a IS NOT NULL AND (s).b[1] = 'x'", Order: ` ORDER BY "yes", ` + key, By: named("yes")},
			{Where: "list_count(list_filter(list, lambda x: x > 5)) > 0 AND \"is\" > 1", Order: " ORDER BY " + key},
			{Where: "score > (SELECT avg(r.score) FROM records r WHERE r.yes)", Order: " ORDER BY " + key},
			{Where: "_commit > 1", Order: " ORDER BY " + key, Limit: &ten},
			{Where: "false", Order: " ORDER BY " + key},
			{Order: " ORDER BY " + key, Offset: 1000},
		} {
			if dataset == unkeyed {
				w.Where = strings.ReplaceAll(w.Where, ", new", "")
			}
			w.Snapshot, w.Columns = snap, all
			b.sameInSlices(w)
			w.Columns = named("text", "sum", "is", "s", "_commit", "id", "tie") // in another order than the records
			w.Columns[0], w.Columns[3] = w.Columns[3], w.Columns[0]
			b.sameInSlices(w)
		}
	}
}

// fieldName matches a column of a file or of the table found, as a slice names it in what it selects.
var fieldName = regexp.MustCompile(`[rf]\.(c\d+|_commit) AS`)

// sameInSlices compares what is wanted in slices with what one statement reads, in every format.
func (b *bench) sameInSlices(w storage.Wanted) {
	b.Helper()
	const most = 3
	for _, format := range []intake.Format{intake.JSON, intake.NDJSON, intake.CSV, intake.Arrow, intake.Parquet} {
		whole, q := b.wanted(w, format)
		if len(q.Slices) > 0 {
			b.Fatal("the whole is read in slices")
		}
		got, q := b.wanted(w.InSlices(most), format)
		if len(q.Slices) < len(w.Columns)/most {
			b.Fatalf("%d columns are read in %d slices", len(w.Columns), len(q.Slices))
		}
		for _, s := range q.Slices {
			if n := len(fieldName.FindAllString(s.SQL, -1)); n > most || n != len(s.Columns) {
				b.Errorf("a slice of %d columns reads %d:\n%s", len(s.Columns), n, s.SQL)
			}
		}
		if got != whole {
			b.Errorf("%s of %q%s: in slices\n%s\nby one statement\n%s", format, w.Where, w.Order, got, whole)
		}
	}
}

// wanted reads what is wanted, as text.
func (b *bench) wanted(w storage.Wanted, format intake.Format) (string, output.Query) {
	b.Helper()
	ctx, scratch := context.Background(), b.Scratch("wanted")
	conn, q, err := b.OpenRecords(ctx, w, output.Scratch(format, scratch))
	b.Must(err)
	defer conn.Close()
	var out bytes.Buffer
	_, err = output.Write(ctx, conn, q, format, &out, scratch)
	b.Must(err)
	switch format {
	case intake.Arrow:
		return arrowText(b, out.Bytes()), q
	case intake.Parquet:
		return parquetText(b, out.Bytes()), q
	}
	return out.String(), q
}

// arrowText returns what is in an Arrow stream: its types, and its records.
func arrowText(b *bench, body []byte) string {
	b.Helper()
	in, err := ipc.NewReader(bytes.NewReader(body))
	b.Must(err)
	defer in.Release()
	out := in.Schema().String()
	for in.Next() {
		if in.RecordBatch().NumRows() == 0 {
			continue
		}
		records := array.RecordToStructArray(in.RecordBatch())
		out += strings.Trim(records.String(), "{}[]")
		records.Release()
	}
	return out
}

// parquetText returns what is in a Parquet file: its types, and its records.
func parquetText(b *bench, body []byte) string {
	b.Helper()
	conn, err := b.Conn(context.Background())
	b.Must(err)
	defer conn.Close()
	path := b.Upload(intake.Parquet, string(body)).Path
	var out string
	b.Must(conn.Row(context.Background(), "SELECT coalesce(string_agg(to_json(p) || typeof(p), chr(10)), '') FROM "+
		"read_parquet("+duck.Text(path)+") p", &out))
	return out
}

// A condition that can't be evaluated, or is more than a condition, is refused for wide records as for others.
func TestConditionsOnWideRecordsAreRefused(t *testing.T) {
	b := open(t)
	d := b.manyKinds("records", "id")
	snap, err := b.Snapshot(context.Background(), d, "head")
	b.Must(err)
	for where, code := range map[string]string{
		"nothing = 1": "invalid_sql", "_pos > 0": "invalid_sql", "1) OR (1": "invalid_condition", "text::INT = 1": "invalid_sql",
	} {
		w := storage.Wanted{Snapshot: snap, Columns: snap.TableColumns(), Where: where}.InSlices(2)
		_, _, err := b.OpenRecords(context.Background(), w, nil)
		if e := storage.Explain(clientsql.Explain(err)); e == nil || e.Code != code {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// Records are read in slices only where they are as wide as that pays, and few.
func TestWhatIsReadInSlices(t *testing.T) {
	b := open(t)
	d := b.Create("wide", "id")
	b.JSON(d, "append", "["+someOf(1, snapshot.SliceColumns+1, 0, func(int) bool { return true })+"]")
	snap, err := b.Snapshot(context.Background(), d, "head")
	b.Must(err)
	columns := snap.TableColumns()
	for n, want := range map[int]int{3: 0, snapshot.SliceColumns: 0, len(columns): 2} {
		w := storage.Wanted{Snapshot: snap, Columns: columns[:n]}.ByStatements()
		conn, q, err := b.OpenRecords(context.Background(), w, nil)
		b.Must(err)
		conn.Close()
		if len(q.Slices) != want {
			t.Errorf("%d columns are read in %d slices, not %d", n, len(q.Slices), want)
		}
	}
}
