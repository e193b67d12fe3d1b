package storage_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/storagetest"
)

// What an upsert makes of a record, by format (design, section 3).
func TestUpsertMerges(t *testing.T) {
	const start = `[{"id":1,"n":5,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"y"}},"j":1},{"id":2,"j":{"k":1,"l":{"m":2}}}]`
	for _, c := range []struct {
		name   string
		format intake.Format
		body   string
		want   string
	}{
		{"an absent field stays", "json", `[{"id":1,"n":6}]`,
			`{"id":1,"n":6,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"y"}},"j":1}`},
		{"a null clears", "json", `[{"id":1,"n":null,"s":null}]`, `{"id":1,"n":null,"list":[1,2],"s":null,"j":1}`},
		{"a list is replaced", "json", `[{"id":1,"list":[9]}]`,
			`{"id":1,"n":5,"list":[9],"s":{"a":1,"b":{"c":"x","d":"y"}},"j":1}`},
		{"a struct is merged", "json", `[{"id":1,"s":{"b":{"d":"z"}}}]`,
			`{"id":1,"n":5,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"z"}},"j":1}`},
		{"a null clears within", "json", `[{"id":1,"s":{"a":null,"b":{"c":null}}}]`,
			`{"id":1,"n":5,"list":[1,2],"s":{"a":null,"b":{"c":null,"d":"y"}},"j":1}`},
		{"an empty struct changes nothing", "json", `[{"id":1,"s":{}}]`,
			`{"id":1,"n":5,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"y"}},"j":1}`},
		{"records need not have the same fields", "json", `[{"id":1,"n":7},{"id":3,"s":{"a":2}}]`,
			`{"id":1,"n":7,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"y"}},"j":1}`},
		{"JSON objects are merged", "ndjson", `{"id":2,"j":{"l":{"n":3},"k":null}}`,
			`{"id":2,"n":null,"list":null,"s":null,"j":{"l":{"m":2,"n":3}}}`},
		{"JSON of another kind replaces", "json", `[{"id":2,"j":[1]}]`, `{"id":2,"n":null,"list":null,"s":null,"j":[1]}`},
		{"in CSV an empty field clears", "csv", "id,n\n1,\n",
			`{"id":1,"n":null,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"y"}},"j":1}`},
		{"a new record", "json", `[{"id":9,"s":{"b":{"d":"new"}}}]`,
			`{"id":9,"n":null,"list":null,"s":{"a":null,"b":{"c":null,"d":"new"}},"j":null}`},
		{"names with dots, slashes and quotes", "json", `[{"id":1,"s":{"b":{"d":"z"}},"a.b/c~d\"e":1}]`,
			`{"id":1,"n":5,"list":[1,2],"s":{"a":1,"b":{"c":"x","d":"z"}},"j":1,"a.b/c~d\"e":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			d := b.Create("x", "id")
			b.JSON(d, "append", start)
			up := b.Put(d, "upsert", c.format, c.body)
			rows := strings.Join(b.Rows(d, "head", false), "\n")
			if !strings.Contains("\n"+rows+"\n", "\n"+c.want+"\n") {
				t.Errorf("got\n%s\nwant among them\n%s", rows, c.want)
			}
			if _, err := b.TryRollback(d, up.ID, storage.Stack); err != nil {
				t.Fatal(err)
			}
			b.Sound()
		})
	}
}

// A struct that comes in Parquet with only some of its fields leaves the others as they are.
func TestUpsertMergesTypedStructs(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"s":{"a":1,"b":2}},{"id":2,"s":{"a":3,"b":4}}]`)
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := filepath.Join(t.TempDir(), "up.parquet")
	if _, err := conn.Exec(ctx, "COPY (SELECT 1::BIGINT AS id, {b: 9} AS s UNION ALL SELECT 2, {b: NULL}) TO "+
		duck.Text(path)+" (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(ctx, d, storage.Change{Mode: "upsert",
		Upload: intake.Upload{Format: "parquet", Path: path, Size: info.Size()}}); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"s":{"a":1,"b":9}}`, `{"id":2,"s":{"a":3,"b":null}}`)
}

// An overwrite or upsert that changes nothing rewrites nothing.
func TestEqualRecordsAreLeftAlone(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	records := `[{"id":1,"f":0.1,"s":{"a":[1,null]},"t":null},{"id":2,"f":null,"s":null,"t":"x"}]`
	b.JSON(d, "append", records)
	before := b.Rows(d, "head", true)
	for _, mode := range []string{"overwrite", "upsert"} {
		c := b.Put(d, "overwrite", intake.JSON, records)
		if storagetest.Counts(c) != "+0 -0 ~0 =2" {
			t.Errorf("%s: %s", mode, storagetest.Counts(c))
		}
	}
	if after := b.Rows(d, "head", true); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

// Records written in a format and committed again come back equal, whatever their types. An overwrite says so: it
// leaves what is equal alone.
func TestFormatsRoundTrip(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := filepath.Join(t.TempDir(), "all.parquet")
	if _, err := conn.Exec(ctx, `COPY (SELECT * FROM (VALUES
		(1, true, (-128)::TINYINT, 32767::SMALLINT, 9223372036854775807::BIGINT, 18446744073709551615::UBIGINT,
			0.1::FLOAT, 0.1::DOUBLE, 12345678901234567890.12::DECIMAL(38,2), 'a "b", c
d', '\x00\xFFz'::BLOB, DATE '2024-02-29', TIME '23:59:59.999999',
			TIMESTAMP '1969-12-31 23:59:59.000001', '2024-01-01 10:00:00.5+02'::TIMESTAMPTZ,
			'2024-01-01 10:00:00.123456789'::TIMESTAMP_NS, '00112233-4455-6677-8899-aabbccddeeff'::UUID,
			[1, NULL], {a: 1, b: 'x'}, '{"k":[1]}'::JSON, [{t: TIMESTAMPTZ '2024-01-01 10:00:00+00', b: 'z'::BLOB}]),
		(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, [],
			{a: NULL, b: NULL}, NULL, NULL))
		t(id, b, i8, i16, i64, u64, f, d, dec, s, bl, dt, tm, ts, tz, ns, u, li, st, js, nest))
		TO `+duck.Text(path)+` (FORMAT parquet)`); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	d := b.Create("x", "id")
	if _, err := b.Commit(ctx, d, storage.Change{Mode: "append",
		Upload: intake.Upload{Format: "parquet", Path: path, Size: info.Size()}}); err != nil {
		t.Fatal(err)
	}
	snap, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []intake.Format{"parquet", "arrow", "csv", "ndjson", "json"} {
		t.Run(string(format), func(t *testing.T) {
			var out bytes.Buffer
			if _, err := output.Write(ctx, conn, output.Query{SQL: snap.Table(), Columns: snap.TableColumns()}, format, &out,
				b.Scratch("out")); err != nil {
				t.Fatal(err)
			}
			c, err := b.Try(d, "overwrite", format, out.String())
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			if storagetest.Counts(c) != "+0 -0 ~0 =2" {
				t.Errorf("%s\n%s\n%v", storagetest.Counts(c), out.String(), b.Rows(d, "head", false))
			}
		})
	}
	b.Sound()
}
