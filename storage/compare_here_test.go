package storage_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// plainTable is the SQL of n records with a column of every type that a look-up returns the values of.
const plainTable = `SELECT {key} AS id, CASE WHEN i % 5 > 0 THEN i % 100 END::TINYINT AS tiny, i * 3 AS big,
	(i % 60000)::USMALLINT AS small, i / 4.0::DOUBLE AS x, CAST((i % 1000) / 8.0 AS DECIMAL(9, 2)) AS d,
	hash(i)::DECIMAL(30, 0) AS wide, DATE '2000-01-01' + (i % 9000)::INTEGER AS day,
	TIMESTAMP '2000-01-01' + to_microseconds(i * 1_000_003) AS at, TIMESTAMPTZ '2000-01-01 00:00:00+00' AS zoned,
	CASE WHEN i % 3 > 0 THEN 'v' || i END AS v, i % 2 = 0 AS b, (i / 8.0)::FLOAT AS f, TIME '10:00:00.5' AS t,
	md5(i::VARCHAR)::UUID AS u, '{"a": 1.50}'::JSON AS j FROM range({n}) t(i)`

// plainValues are what a random change may give a column, as JSON. Decimals, which JSON has as text, come as CSV.
var plainValues = map[string][]string{
	"tiny": {"7", "-7", "null"}, "big": {"9223372036854775807", "3", "null"}, "small": {"60000", "null"},
	"x": {"-0.0", "0.0", "1e-300", "0.25", "null"}, "day": {`"1999-12-31"`, `"2000-01-02"`, "null"},
	"at":    {`"2000-01-01T00:00:01.000003"`, `"1969-12-31T23:59:59.999999"`, "null"},
	"zoned": {`"2000-01-01T00:00:00Z"`, `"2000-01-01T02:30:00+02:00"`, "null"}, "v": {`""`, `"v1"`, `"ü'\"x"`, "null"},
	"b": {"true", "false", "null"},
}

// Few records become what statements make of them, compared with what was looked up: of two datasets with the same
// commits, one has a column of lists, which is left to statements. Their states, counts and effects are equal, and so
// are they when the commits are rolled back.
func TestFewRecordsAreComparedAsByStatements(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for _, key := range []string{"i", "md5(i::VARCHAR)"} {
		b := open(t)
		rows := strings.NewReplacer("{key}", key, "{n}", "6000").Replace(plainTable)
		here, there := b.Create("here", "id"), b.Create("there", "id")
		b.Put(here, catalog.Append, intake.Parquet, b.parquetOf(rows))
		b.Put(there, catalog.Append, intake.Parquet, b.parquetOf("SELECT *, NULL::INTEGER[] AS l FROM ("+rows+")"))
		b.CompactAll(here)
		cost := b.costs()
		var made [2][]catalog.Commit
		for range 15 {
			mode, format, body := plainChange(random, key)
			one, other := b.Put(here, mode, format, body), b.Put(there, mode, format, body)
			if got, want := outcome(one), outcome(other); got != want {
				t.Fatalf("%s of %s: %s, not %s", mode, body, got, want)
			}
			if b.DigestAt(here, "head") != b.DigestAt(there, "head") {
				t.Fatalf("after %s of %s the records differ", mode, body)
			}
			made[0], made[1] = append(made[0], one), append(made[1], other)
		}
		if c := cost(); c.Compared < 3 { // decimals in JSON, and some of CSV, are left to statements
			t.Errorf("%d of 15 commits were compared without a statement: %+v", c.Compared, c)
		}
		for i := range slices.Backward(made[0]) {
			for d, id := range []string{here, there} {
				if _, err := b.TryRollback(id, made[d][i].ID, storage.Stack); err != nil {
					t.Fatal(err)
				}
			}
			if b.DigestAt(here, "head") != b.DigestAt(there, "head") {
				t.Fatalf("with commit %d rolled back the records differ", i)
			}
		}
		b.Sound()
	}
}

// plainChange is a random change of few records.
func plainChange(random *rand.Rand, key string) (mode catalog.Mode, format intake.Format, body string) {
	var records []string
	used := map[int]bool{}
	format = []intake.Format{intake.JSON, intake.JSON, intake.CSV}[random.IntN(3)]
	for range 1 + random.IntN(4) {
		i := []int{1, 2, 3, 5999, random.IntN(6000), 6000 + random.IntN(5)}[random.IntN(6)]
		if used[i] {
			continue
		}
		used[i] = true
		id := fmt.Sprint(i)
		if key != "i" {
			id = `"` + randomKey(i) + `"`
		}
		if format == intake.CSV {
			id = strings.Trim(id, `"`)
			rest := []string{",0.12,,4", ",,123456789012345678901234567890,", ",9999.99,3,-4"}
			records = append(records, id+rest[random.IntN(3)])
			continue
		}
		fields := []string{`"id": ` + id}
		for name, values := range plainValues {
			if random.IntN(3) == 0 {
				fields = append(fields, fmt.Sprintf("%q: %s", name, values[random.IntN(len(values))]))
			}
		}
		records = append(records, "{"+strings.Join(fields, ", ")+"}")
	}
	mode = []catalog.Mode{catalog.Upsert, catalog.Upsert, catalog.Overwrite}[random.IntN(3)]
	if format == intake.CSV {
		return mode, format, "id,d,wide,big\n" + strings.Join(records, "\n") + "\n"
	}
	return mode, format, "[" + strings.Join(records, ",\n") + "]"
}

// outcome is what a commit did.
func outcome(c catalog.Commit) string {
	text, _ := json.Marshal([]any{c.Added, c.Modified, c.Removed, c.Total, c.Effects}) //nolint:errchkjson // plain values
	return string(text)
}

// A change that changes nothing is none, a null clears in JSON where an absent field keeps, and in CSV clears too.
func TestFewRecordsThatStayAsTheyAre(t *testing.T) {
	b := open(t)
	id := b.Create("d", "id")
	b.JSON(id, catalog.Append, `[{"id": 1, "v": "a", "x": 1.5}, {"id": 2, "v": "b", "x": null}]`)
	cost := b.costs()
	for _, c := range []struct {
		mode     catalog.Mode
		format   intake.Format
		body     string
		modified int64
		want     string
	}{
		{catalog.Upsert, intake.JSON, `[{"id": 1, "v": "a"}]`, 0, "1 a 1.5, 2 b null"},
		{catalog.Upsert, intake.JSON, `[{"id": 1, "x": null}, {"id": 2, "v": "b"}]`, 1, "1 a null, 2 b null"},
		{catalog.Upsert, intake.CSV, "id,v,x\n1,a,2.5\n2,,3.5\n", 2, "1 a 2.5, 2 null 3.5"},
		{catalog.Overwrite, intake.JSON, `[{"id": 1, "v": "a"}, {"id": 2, "x": 3.5}]`, 1, "1 a null, 2 null 3.5"},
	} {
		if made := b.Put(id, c.mode, c.format, c.body); made.Modified != c.modified {
			t.Errorf("%s of %s modified %d", c.mode, c.body, made.Modified)
		}
		got := strings.NewReplacer(`{"id":`, "", `,"v":`, " ", `,"x":`, " ", `"`, "", "}", "").
			Replace(strings.Join(b.Rows(id, "head", false), ", "))
		if got != c.want {
			t.Errorf("after %s of %s: %s, not %s", c.mode, c.body, got, c.want)
		}
	}
	if c := cost(); c.Compared != 4 {
		t.Errorf("%d of 4 were compared without a statement", c.Compared)
	}
	b.Sound()
}
