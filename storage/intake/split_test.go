package intake

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"rowback/storage/duck"
)

// wideText is a CSV with many columns, of fields that are quoted as any may be; at times it is malformed.
func wideText(random *rand.Rand, columns int) string {
	fields := []string{"", "1", `"a"`, `"a,b"`, `"a` + "\n" + `b"`, `"say ""x"""`, `""`, " x ", "ü", "007", `"` + "\n\n" + `"`}
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

// A wide CSV is the same records, or the same error, in parts and as a whole.
func TestAWideCSVIsTheSameInParts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	engine, err := duck.Open(duck.Limits{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	conn, err := engine.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	divided := 0
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
			divided++
		}
		for _, want := range []Want{{Columns: some(random, columns, 0)}, {Columns: some(random, columns, 0.5)}, {Columns: some(random, columns, 0.01)}} {
			if got, expected := sumOf(t, conn, parts, want), sumOf(t, conn, &whole, want); got != expected {
				body, _ := os.ReadFile(u.Path)
				t.Fatalf("%s in parts, %s as a whole: %q", got, expected, body)
			}
		}
	}
	if divided == 0 {
		t.Error("no CSV was divided")
	}
}

// some is about a share of n columns; 0: all.
func some(random *rand.Rand, n int, share float64) (columns []int) {
	for i := range n {
		if share == 0 || random.Float64() < share {
			columns = append(columns, i)
		}
	}
	return columns
}

// sumOf is a sum over all values of some columns, or the error that a client is told.
func sumOf(t *testing.T, conn *duck.Conn, records *csvRecords, want Want) (sum string) {
	relation, release, err := records.Relation(t.Context(), conn, want)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	err = conn.Row(t.Context(), "SELECT coalesce(CAST(sum(hash(CAST(t AS VARCHAR))) AS VARCHAR), 'none') FROM ("+relation+") t", &sum)
	if err = records.Explain(err); err != nil {
		told, _, _ := strings.Cut(err.Error(), " can't be read: ") // what follows may show a part of the line
		return told
	}
	return sum
}
