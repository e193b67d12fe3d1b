package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// crowd makes the same random commits to two datasets: to one of a few records, which are decoded, checked, compared,
// written and measured in memory; to the other among fillers, so many that all of it is done by statements and files.
// The two come to the same.
type crowd struct {
	*bench
	random    *rand.Rand
	key       string // its type
	format    intake.Format
	few, many string // the datasets
	round     int
	next      int          // the first filler that has not been
	live      map[int]bool // the fillers that are live, by the first of fillersOnce
}

// fillersOnce is how many fillers come with a commit: past storage's smallRows, and more text than its tinyUpload.
const fillersOnce = 1200

// pools has values for columns of each type, as SQL: plain ones, and those that readers and writers may take for
// others. There is one zero: DuckDB's Parquet writer takes 0.0 and -0.0 for the same dictionary entry.
var pools = map[string][]string{
	"BIGINT":        {"0", "-1", "7", "9223372036854775807", "-9223372036854775808"},
	"DOUBLE":        {"0.25", "-1.5", "'nan'", "'inf'", "1024.5", "3"},
	"VARCHAR":       {"''", "'a'", "'it''s'", "'NULL'", "'ü'", "'1'", "'a,b'"},
	"BOOLEAN":       {"true", "false"},
	"DECIMAL(18,2)": {"0.10", "-12.34", "9999999999999999.99", "5"},
	"DATE":          {"'2024-02-29'", "'1969-12-31'", "'9999-12-31'"},
	"TIMESTAMP":     {"'2024-02-29 10:00:00'", "'1960-01-01 00:00:00.000001'", "'2024-01-01'"},
	"BIGINT[]":      {"[]", "[1, NULL]", "[2]"},
}

// fillerKeys are the keys of the fillers n, by type: none is in a pool.
var fillerKeys = map[string]string{
	"BIGINT": "1000000 + n", "VARCHAR": "'zz' || n", "DATE": "DATE '2500-01-01' + n::INT", "DOUBLE": "1000000.5 + n",
	"DECIMAL(18,2)": "1000000.25 + n", "TIMESTAMP": "TIMESTAMP '2500-01-01 00:00:00' + INTERVAL (n) MINUTE",
}

// others are the columns beside the key, with their types: the first have the plain types, of which Arrow and SQL have
// the same values.
var others = []struct{ name, typ string }{
	{"n", "BIGINT"}, {"quality_score", "DOUBLE"}, {"category", "VARCHAR"}, {"b", "BOOLEAN"},
	{"m", "DECIMAL(18,2)"}, {"day", "DATE"}, {"moment", "TIMESTAMP"}, {"list", "BIGINT[]"},
}

// value is a random value of a type, or, where it may be, null; at times a date or time that can't be stored.
func (c *crowd) value(typ string, nulls bool) string {
	pool := pools[typ]
	text := pool[c.random.IntN(len(pool))]
	switch {
	case nulls && c.random.IntN(4) == 0:
		text = "NULL"
	case (typ == "DATE" || typ == "TIMESTAMP") && c.round > 0 && c.random.IntN(40) == 0:
		text = "'infinity'"
	}
	return "CAST(" + text + " AS " + typ + ")"
}

// records is the SQL of a few random records, with a random choice of the columns, and of the same among fillers from
// the first one on. Column f sets them apart: 1 of the few.
func (c *crowd) records(mode catalog.Mode, filler int) (few, many string) {
	names := []string{"k", "f"}
	nulls := []string{"CAST(" + fillerKeys[c.key] + " AS " + c.key + ")", duck.Int(int64(c.round + 2))}
	var typs []string
	offered := others
	if c.round > 0 && c.random.IntN(2) == 0 {
		offered = others[:4]
	}
	for _, o := range offered {
		if mode != catalog.Delete && (c.round == 0 || c.random.IntN(3) > 0) {
			names, typs = append(names, o.name), append(typs, o.typ)
			nulls = append(nulls, "CAST(NULL AS "+o.typ+")")
		}
	}
	rows := make([]string, 1+c.random.IntN(6))
	if c.random.IntN(5) == 0 {
		rows = make([]string, 20)
	}
	for i := range rows {
		values := []string{c.value(c.key, c.round > 0 && c.random.IntN(20) == 0), duck.Int(1)}
		for _, typ := range typs {
			values = append(values, c.value(typ, true))
		}
		rows[i] = "(" + strings.Join(values, ", ") + ")"
	}
	if c.round == 0 || c.random.IntN(4) > 0 { // most have no key twice
		slices.Sort(rows)
		rows = slices.CompactFunc(rows, func(a, b string) bool {
			first := func(row string) string { return strings.SplitAfter(row, " AS ")[0] }
			return first(a) == first(b)
		})
	}
	few = fmt.Sprintf("SELECT * FROM (VALUES %s) v(%s)", strings.Join(rows, ", "), strings.Join(names, ", "))
	return few, fmt.Sprintf("%s UNION ALL SELECT %s FROM range(%d, %d) t(n)",
		few, strings.Join(nulls, ", "), filler, filler+fillersOnce)
}

// body writes the records of a query in the crowd's format.
func (c *crowd) body(query string) string {
	conn, err := c.Conn(context.Background())
	if err != nil {
		c.Fatal(err)
	}
	defer conn.Close()
	if c.format == intake.Arrow {
		var out bytes.Buffer
		all := &duck.Bound{Rows: math.MaxInt64, Bytes: math.MaxInt64}
		if err := conn.WriteArrow(context.Background(), &out, all, query); err != nil {
			c.Fatal(err)
		}
		return out.String()
	}
	options := map[intake.Format]string{
		intake.Parquet: "FORMAT parquet, COMPRESSION uncompressed", intake.CSV: "FORMAT csv", intake.NDJSON: "FORMAT json",
	}[c.format]
	path := filepath.Join(c.TempDir(), "body")
	if _, err := conn.Exec(context.Background(), "COPY ("+query+") TO "+duck.Text(path)+" ("+options+")"); err != nil {
		c.Fatal(err)
	}
	return readFile(c.bench, path)
}

// step makes one commit to both, and reports whether it stands.
func (c *crowd) step() bool {
	modes := []catalog.Mode{catalog.Append, catalog.Upsert, catalog.Overwrite, catalog.Replace, catalog.Delete}
	mode := modes[c.random.IntN(len(modes))]
	if c.round == 0 {
		mode = catalog.Append // which gives the datasets their columns
	}
	filler := c.next
	if mode != catalog.Append && len(c.live) > 0 && c.random.IntN(4) > 0 {
		filler = slices.Min(slices.Collect(maps.Keys(c.live)))
	}
	few, many := c.records(mode, filler)
	fewBody, manyBody := c.body(few), c.body(many)
	what := fmt.Sprintf("round %d, %s of %s with keys of %s: %s", c.round, mode, c.format, c.key, few)
	c.previews(what, mode, fewBody, manyBody)
	a, errFew := c.Try(c.few, mode, c.format, fewBody)
	b, errMany := c.Try(c.many, mode, c.format, manyBody)
	if fmt.Sprint(errFew) != fmt.Sprint(errMany) {
		c.Fatalf("%s:\n%v\nmany: %v", what, errFew, errMany)
	}
	if errFew != nil {
		return false
	}
	b.Added, b.Removed, b.Modified = c.without(b, mode, filler)
	b.Total -= int64(len(c.live) * fillersOnce)
	if storagetest.Counts(a) != storagetest.Counts(b) {
		c.Fatalf("%s: %s, many: %s", what, storagetest.Counts(a), storagetest.Counts(b))
	}
	c.equal(what)
	return true
}

// previews makes sure that both would change the schema and clear columns alike. What a replace clears includes what
// the records that go had, once any record is modified, as fillers are: there only the schema is compared.
func (c *crowd) previews(what string, mode catalog.Mode, few, many string) {
	try := func(dataset, body string) string {
		change := storage.Change{Mode: mode, Upload: c.Upload(c.format, body)}
		change.Preview = &storage.Preview{}
		told, err := c.Commit(context.Background(), dataset, change)
		if err != nil {
			return err.Error()
		}
		if mode == catalog.Replace {
			told.Effects.ColumnsCleared = nil
		}
		return storagetest.ToJSON(told.Effects)
	}
	if a, b := try(c.few, few), try(c.many, many); a != b {
		c.Fatalf("%s: would do\n%s\nmany: %s", what, a, b)
	}
}

// without takes what a commit did to the fillers from its counts, and notes which are live now.
func (c *crowd) without(k catalog.Commit, mode catalog.Mode, filler int) (added, removed, modified int64) {
	added, removed, modified = k.Added, k.Removed, k.Modified
	was := c.live[filler]
	switch {
	case mode == catalog.Delete && was:
		removed -= fillersOnce
	case mode == catalog.Delete:
	case was:
		modified -= fillersOnce
	default:
		added -= fillersOnce
	}
	if mode == catalog.Replace {
		for other := range c.live {
			if other != filler {
				removed -= fillersOnce
				delete(c.live, other)
			}
		}
	}
	c.live[filler] = true
	if mode == catalog.Delete {
		delete(c.live, filler)
	}
	c.next = max(c.next, filler+fillersOnce)
	return added, removed, modified
}

// equal makes sure that both have the same types, records, quality and categories, but for the fillers; and that what
// is summed over files is what the records have.
func (c *crowd) equal(what string) {
	if a, b := types(c.bench, c.few), types(c.bench, c.many); a != b {
		c.Fatalf("%s: %s, many: %s", what, a, b)
	}
	isFiller := func(line string) bool { return !strings.Contains(line, `"f":1,`) && !strings.Contains(line, `"f":1}`) }
	a, b := c.Rows(c.few, "head", false), slices.DeleteFunc(c.Rows(c.many, "head", false), isFiller)
	if !slices.Equal(a, b) {
		c.Fatalf("%s:\n%s\nmany:\n%s", what, strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if a, b := c.sums(c.few), c.sums(c.many); a != b {
		c.Fatalf("%s: %s, many: %s", what, a, b)
	}
}

// sums are a dataset's quality and categories, which must be those of its records.
func (c *crowd) sums(dataset string) string {
	snap, err := c.Snapshot(context.Background(), dataset, "head")
	if err != nil {
		c.Fatal(err)
	}
	conn, err := c.Conn(context.Background())
	if err != nil {
		c.Fatal(err)
	}
	defer conn.Close()
	quality, _, err := snap.Quality(context.Background(), conn)
	if err != nil {
		c.Fatal(err)
	}
	categories, _, err := snap.Categories(context.Background(), conn)
	if err != nil {
		c.Fatal(err)
	}
	var average float64
	read := map[string]int64{}
	if err := conn.Row(context.Background(), "SELECT coalesce(avg(quality_score), 0) FROM ("+snap.Table()+
		") WHERE isfinite(quality_score)", &average); err != nil {
		c.Fatal(err)
	}
	if err := conn.Rows(context.Background(), "SELECT category, count(*) FROM ("+snap.Table()+
		") WHERE category IS NOT NULL GROUP BY category", func(scan duck.Scan) error {
		var name string
		var n int64
		err := scan(&name, &n)
		read[name] = n
		return err
	}); err != nil {
		c.Fatal(err)
	}
	if quality.Average != average || fmt.Sprint(categories) != fmt.Sprint(read) {
		c.Errorf("kept: quality %v, %v; the records have %v, %v", quality, categories, average, read)
	}
	return fmt.Sprint(quality, categories)
}

// Few records, which go through memory, become what they do among many, which go through statements and files: the
// same refusals, types, rows, counts, sums and cleared columns, in every mode and format and with keys of every kind.
// ROWBACK_STEPS makes it longer, ROWBACK_SEED repeats one.
func TestFewRecordsBecomeWhatTheyDoAmongMany(t *testing.T) {
	t.Parallel()
	steps, seed := 3, rand.Uint64()
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_STEPS")); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := open(t)
	formats := []intake.Format{intake.Parquet, intake.Arrow, intake.CSV, intake.NDJSON}
	for i, key := range []string{"BIGINT", "VARCHAR", "DATE", "DOUBLE", "DECIMAL(18,2)", "TIMESTAMP"} {
		c := &crowd{bench: b, random: random, key: key, format: formats[(i+int(seed%4))%4], live: map[int]bool{}}
		c.few, c.many = b.Create("few "+key, "k"), b.Create("many "+key, "k")
		for range steps {
			if c.step() || c.round > 0 {
				c.round++
			}
		}
	}
	b.Sound()
}
