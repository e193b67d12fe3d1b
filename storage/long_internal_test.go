package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// counting counts the readings of an upload.
type counting struct {
	intake.Records
	relations int
}

func (c *counting) Relation(ctx context.Context, conn *duck.Conn, want intake.Want) (string, func(), error) {
	c.relations++
	return c.Records.Relation(ctx, conn, want)
}

// withLong has the values in one column, too.
type withLong struct{ *counting }

func (w withLong) Long() string { return intake.LongOf(w.Records) }

// wideTexts is a CSV whose columns have one kind of text each, with one of any kind among them at times.
func wideTexts(random *rand.Rand, columns, rows int) string {
	kinds := [][]string{
		{"1", "-20", "0"}, {"1.5", "-0.25", "3"}, {"x", "", `"a,b"`, `"say ""x"""`}, {"2024-02-29", "1999-12-31"}, {""},
		{"true", "False"}, {"007", "1"}, {"2024-01-01 10:00:00", "2024-02-29"}, {"9223372036854775808", "5"}, {"nan", "1e5"},
	}
	lines := make([][]string, rows+1)
	for i := range columns {
		kind := kinds[random.IntN(len(kinds))]
		lines[0] = append(lines[0], fmt.Sprint("c", i))
		for r := 1; r <= rows; r++ {
			if random.IntN(100) == 0 {
				kind = kinds[random.IntN(len(kinds))]
			}
			lines[r] = append(lines[r], kind[random.IntN(len(kind))])
		}
	}
	out := make([]string, len(lines))
	for r, fields := range lines {
		out[r] = strings.Join(fields, ",") + "\n"
	}
	return strings.Join(out, "")
}

// The types of a wide CSV's columns, and whether they hold, are found by one statement on all values, without reading
// its columns; they are those that statements on its columns find.
func TestTypesOfAWideCSVTakeOneStatement(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	store, err := Open(t.Context(), t.TempDir(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const columns = 430
	u := intake.Upload{Format: intake.CSV, Path: filepath.Join(t.TempDir(), "upload")}
	body := wideTexts(random, columns, 12)
	if err := os.WriteFile(u.Path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	u.Size = int64(len(body))
	records, conn, closeIt, err := store.Readers.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt()
	all := make([]int, columns)
	for i := range all {
		all[i] = i
	}
	read := func(r intake.Records) (types []schema.Type, holds []bool) {
		f := fitting{ctx: t.Context(), conn: conn, upload: u, records: r, key: map[int]bool{3: true}}
		types, err := f.find(r.Columns(), all)
		if err != nil {
			t.Fatal(err)
		}
		var tests []test
		for i, o := range r.Columns() {
			typ := []schema.Type{schema.Of(schema.Bigint), schema.Of(schema.Double), schema.Of(schema.Date)}[i%3]
			tests = append(tests, takesAll(o, i, typ))
		}
		if holds, err = f.hold(tests); err != nil {
			t.Fatal(err)
		}
		return types, holds
	}
	one, many := &counting{Records: records}, &counting{Records: records}
	types, holds := read(withLong{one})
	wantTypes, wantHolds := read(many)
	if !slices.EqualFunc(types, wantTypes, schema.Type.Equal) || !slices.Equal(holds, wantHolds) {
		t.Errorf("%v %v by one statement\n%v %v by many", types, holds, wantTypes, wantHolds)
	}
	if one.relations != 0 || many.relations < 8 {
		t.Errorf("columns were read %d times with all values in one column, %d without", one.relations, many.relations)
	}
}
