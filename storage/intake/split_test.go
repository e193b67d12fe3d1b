package intake

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
)

// wideText returns a CSV with many columns and all kinds of quoted fields. Sometimes it is malformed.
func wideText(random *rand.Rand, columns int) string {
	fields := []string{
		"", "1", `"a"`, `"a,b"`, "\"a\nb\"", `"say ""x"""`, `""`, " x ", "ü", "007", "\"\n\n\"",
	}
	ends := []string{"\n", "\n", "\r\n"}
	odd := []string{"\r", `a"b`, `"a"b`, "\x00", `"open`, "\n\n", "1,2", "\r\n"}
	end := ends[random.IntN(len(ends))]
	var out strings.Builder
	for i := range columns {
		fmt.Fprintf(&out, "c%d,", i)
	}
	text := strings.TrimSuffix(out.String(), ",") + end
	for range random.IntN(5) {
		record := make([]string, columns)
		for i := range record {
			record[i] = fields[random.IntN(len(fields))]
		}
		if random.IntN(8) == 0 {
			record[random.IntN(columns)] = odd[random.IntN(len(odd))]
		}
		text += strings.Join(record, ",") + end
	}
	if random.IntN(3) == 0 {
		return strings.TrimSuffix(text, end)
	}
	return text
}

// A wide CSV has the same records, or the same error, in parts and as a whole.
func TestAWideCSVReadsTheSameInParts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn := ducktest.ConnOf(t, duck.Limits{Threads: 2})
	split := 0
	for range 20 {
		columns := wideCSV + 1 + random.IntN(2*PartColumns)
		u := upload(t, CSV, wideText(random, columns))
		u.Parts = u.Path + ".parts"
		records, err := openCSV(t.Context(), conn, u)
		if err != nil {
			t.Fatal(err)
		}
		parts := records.(*csvRecords)
		whole := *parts
		whole.parts = nil
		if parts.parts != nil {
			split++
		}
		for _, share := range []float64{0, 0.5, 0.01} {
			want := Want{Columns: some(random, columns, share)}
			if got, expected := sumOf(t, conn, parts, want), sumOf(t, conn, &whole, want); got != expected {
				body, _ := os.ReadFile(u.Path)
				t.Fatalf("%s in parts, %s as a whole: %q", got, expected, body)
			}
		}
	}
	if split == 0 {
		t.Error("no CSV was split")
	}
}

// some returns about the given share of n columns; 0 means all.
func some(random *rand.Rand, n int, share float64) (columns []int) {
	for i := range n {
		if share == 0 || random.Float64() < share {
			columns = append(columns, i)
		}
	}
	return columns
}

// sumOf returns a sum over all values of some columns, or the error as clients see it.
func sumOf(t *testing.T, conn *duck.Conn, records *csvRecords, want Want) (sum string) {
	relation, release, err := records.Relation(t.Context(), conn, want)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	query := "SELECT coalesce(CAST(sum(hash(CAST(t AS VARCHAR))) AS VARCHAR), 'none') FROM (" + relation + ") t"
	err = conn.Row(t.Context(), query, &sum)
	if err = records.Explain(err); err != nil {
		shown, _, _ := strings.Cut(err.Error(), " can't be read: ") // what follows may show a part of the line
		return shown
	}
	return sum
}
