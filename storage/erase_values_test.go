package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
)

// values are columns of many types, by SQL over i.
const values = `i AS id, i::TINYINT AS t, i::HUGEINT * 1e20::HUGEINT AS h, (i / 7)::DECIMAL(18, 3) AS d,
	CASE WHEN i % 2 = 0 THEN -0.0 ELSE 0.0 END::DOUBLE AS zero, CASE WHEN i % 3 = 0 THEN 'nan' ELSE '1.5' END::FLOAT AS f,
	DATE '2024-01-01' + i::INTEGER AS day, TIMESTAMP '2024-01-01' + to_microseconds(i) AS at,
	TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_microseconds(i) AS zoned, TIME '10:00:00' + to_microseconds(i) AS t6,
	CAST('00000000-0000-0000-0000-' || lpad(i::VARCHAR, 12, '0') AS UUID) AS u, encode('b' || i) AS bytes,
	CAST('{"a": ' || i || '}' AS JSON) AS j, [i, NULL, i + 1] AS list, {'a': i, 'b': ['x']} AS st, MAP {'k': i} AS m,
	CASE WHEN i % 5 > 0 THEN 'text ' || i END AS text, i % 2 = 0 AS yes, ('c' || i % 4) AS category`

// selected is an upload of rows that a query selects.
func (b *bench) selected(query string) intake.Upload {
	b.Helper()
	engine, err := duck.Open(duck.Limits{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	conn, err := engine.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	path := filepath.Join(b.TempDir(), "upload.parquet")
	if _, err := conn.Exec(b.Context(), "COPY ("+query+") TO "+duck.Text(path)+" (FORMAT parquet)"); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return intake.Upload{Format: intake.Parquet, Path: path, Size: info.Size()}
}

func (b *bench) commit(d string, mode catalog.Mode, u intake.Upload) {
	b.Helper()
	if _, err := b.Commit(b.Context(), d, storage.Change{Mode: mode, Upload: u}); err != nil {
		b.Fatal(err)
	}
}

var idIn = regexp.MustCompile(`"id":(\d+)`)

// without leaves out the records of some ids.
func without(states map[string][]string, gone func(id int64) bool) map[string][]string {
	out := map[string][]string{}
	for ref, rows := range states {
		out[ref] = []string{}
		for _, row := range rows {
			id, _ := strconv.ParseInt(idIn.FindStringSubmatch(row)[1], 10, 64)
			if !gone(id) {
				out[ref] = append(out[ref], row)
			}
		}
	}
	return out
}

// Whatever the types and however many rows and columns, what is not erased stays as it was to the last bit: in each
// state, with the sign of zero, and in the places that rollbacks refer to.
func TestWhatIsNotErasedStaysAsItWas(t *testing.T) {
	t.Parallel()
	wide := make([]string, 900)
	for i := range wide {
		wide[i] = fmt.Sprintf("i * %d AS w%d", i, i)
	}
	for name, columns := range map[string]string{"many types": values, "wide": "i AS id, " + strings.Join(wide, ", ")} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			d := b.Create("d", "id")
			b.commit(d, catalog.Append, b.selected("SELECT "+columns+" FROM (SELECT (r * 37) % 120 AS i FROM range(120) x(r))"))
			b.commit(d, catalog.Append, b.selected("SELECT "+columns+" FROM range(120, 127) x(i)"))
			b.commit(d, catalog.Upsert, b.selected("SELECT "+strings.Replace(columns, "i AS id", "i - 5 AS id", 1)+
				" FROM range(5, 80, 3) x(i)"))
			b.JSON(d, catalog.Delete, `[{"id":4},{"id":7},{"id":14},{"id":9}]`)
			before := b.EveryState(d)
			for _, one := range []struct {
				where string
				gone  func(int64) bool
			}{
				{"id = 3", func(id int64) bool { return id == 3 }},
				{"id % 2 = 1 OR id = 14", func(id int64) bool { return id%2 == 1 || id == 14 }},
			} {
				if _, err := b.Removals.Erase(b.Context(), d, storage.Erasure{Where: one.where}, storage.Request{}); err != nil {
					t.Fatal(err)
				}
				before = without(before, one.gone)
				b.SameStates(d, before)
				b.Sound()
			}
			commits, err := b.Commits(b.Context(), d, math.MaxInt64, 10)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []string{"", "5", "4", "3"} { // the newest first
				if _, err := b.TryRollback(d, commits[i].ID, storage.Records); err != nil {
					t.Fatalf("rollback %d %s: %v", i, want, err)
				}
				if i+1 < len(commits) {
					if got, want := b.Rows(d, "head", true), before[fmt.Sprint(commits[i+1].ID)]; strings.Join(got, "") != strings.Join(want, "") {
						t.Errorf("after rollback %d: %d records, not the %d before it", i, len(got), len(want))
					}
				}
			}
			b.Sound()
		})
	}
}

// Many rows of a large file are removed, from places all over it.
func TestManyRowsAreErased(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := open(t)
	d := b.Create("d", "id")
	b.commit(d, catalog.Append, b.selected(fmt.Sprintf(
		"SELECT r AS id, hash(r * %d) AS v FROM range(200000) x(r) ORDER BY hash(r)", random.IntN(1000))))
	b.commit(d, catalog.Upsert, b.selected("SELECT r AS id, r::UBIGINT AS v FROM range(0, 200000, 7) x(r)"))
	b.JSON(d, catalog.Delete, `[{"id":1},{"id":2},{"id":3},{"id":150000},{"id":150001}]`)
	before := b.EveryState(d)
	out, err := b.Removals.Erase(b.Context(), d, storage.Erasure{Where: "id % 3 = 0 OR id > 190000"}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Records < 60_000 {
		t.Errorf("erased %+v", out)
	}
	b.SameStates(d, without(before, func(id int64) bool { return id%3 == 0 || id > 190000 }))
	b.Sound()
	b.Reopened(t, true)
}
