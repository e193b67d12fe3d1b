package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// oddTexts are fields that readers of CSV disagree about, among those that they don't.
var oddTexts = []string{
	"", "", "1", "-1", "0", "-0", "007", "+5", " 7", "7 ", "1_000", "9223372036854775807", "9223372036854775808",
	"12345678", "1.5", "-0.0", ".5", "5.",
	"1e3", "1E400", "nan", "inf", "-Infinity", "0.1", "123456789012345.123456789012345", "9007199254740993", "1,5", "true",
	"True", "f", "false", "NULL",
	"null", `\N`, "#", "#x", "'", "a b", "ü", "\u2028", "2024-02-29", "2024-02-30", "2024-01-01 10:00:00",
	"2024-01-01T10:00:00Z", "{}", "[1]", "AAAA", "x;y", "a|b", "a\tb", "\x0b", "-",
}

// randomCSV is a CSV of a few records; at times it is malformed.
func randomCSV(random *rand.Rand, columns int) string {
	var out strings.Builder
	end := []string{"\n", "\n", "\n", "\r\n", "\n\n", "\r"}[random.IntN(6)]
	for range 1 + random.IntN(4) {
		n := columns
		if random.IntN(25) == 0 {
			n += random.IntN(3) - 1
		}
		fields := make([]string, n)
		for i := range fields {
			fields[i] = oddTexts[random.IntN(len(oddTexts))]
			if random.IntN(2) == 0 {
				fields[i] = fmt.Sprint(random.IntN(100))
			}
		}
		out.WriteString(strings.Join(fields, ",") + end)
	}
	if random.IntN(2) == 0 {
		return strings.TrimSuffix(out.String(), end)
	}
	return out.String()
}

// A small CSV that is read here is what DuckDB reads: with a quoted header, it is not plain, and a process reads it.
func TestPlainCSVIsReadAsDuckDBReadsIt(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := open(t)
	for round := range 20 {
		columns := 1 + random.IntN(4)
		names := []string{"a", "b", "c", "d"}[:columns]
		mode, key := catalog.Append, []string{}
		if round%2 == 1 {
			mode, key = catalog.Upsert, []string{"a"}
		}
		plain, quoted := b.Create(fmt.Sprint("plain", round), key...), b.Create(fmt.Sprint("quoted", round), key...)
		for _, body := range []string{firstTyped(random, columns), randomCSV(random, columns), randomCSV(random, columns)} {
			o, quote := randomOptions(random)
			try := func(dataset, header string) error {
				u := b.Upload(intake.CSV, header+"\n"+body)
				u.Options = o
				_, err := b.Commit(t.Context(), dataset, storage.Change{Mode: mode, Upload: u})
				return err
			}
			here := try(plain, strings.Join(names, ","))
			there := try(quoted, quote+"a"+quote+strings.Join(names, ",")[1:])
			if fmt.Sprint(here) != fmt.Sprint(there) {
				t.Fatalf("%q with %+v: %v here, %v by DuckDB", body, o, here, there)
			}
		}
		if here, there := b.Rows(plain, "head", false), b.Rows(quoted, "head", false); !slices.Equal(here, there) ||
			types(b, plain) != types(b, quoted) {
			t.Fatalf("%s, %s here\n%s, %s by DuckDB", here, types(b, plain), there, types(b, quoted))
		}
	}
}

// randomOptions are options that a CSV with commas may have, most of the time none, and what quotes its fields.
func randomOptions(random *rand.Rand) (o intake.Options, quote string) {
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	o.Quote, o.Delimiter, o.Encoding = pick("", "", "'"), pick("", "", ","), pick("", "", "utf-8")
	for range random.IntN(3) {
		o.Null = append(o.Null, pick(oddTexts...))
	}
	o.Null = slices.DeleteFunc(o.Null, func(text string) bool { return strings.ContainsAny(text, `'"`) })
	if random.IntN(4) == 0 {
		o.Form = intake.Form{Decimal: pick("", ",", "."), Date: pick("", "%d.%m.%Y", "%Y-%m-%d")}
	}
	if o.Quote == "" {
		return o, `"`
	}
	return o, o.Quote
}

// firstTyped is a record that gives the columns types.
func firstTyped(random *rand.Rand, columns int) string {
	fields := make([]string, columns)
	for i := range fields {
		fields[i] = []string{"1", "1.5", "true", "x", "2024-01-01", ""}[random.IntN(6)]
	}
	return strings.Join(fields, ",")
}
