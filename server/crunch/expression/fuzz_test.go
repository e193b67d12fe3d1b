package expression_test

import (
	"slices"
	"testing"

	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage/schema"
)

// What is kept of an expression, whatever a client sent, is shown as one that reads the same, and refers to nothing but
// the columns that its SQL reads.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		call("in", text, value(`["c1","x"]`)), call("case", `{"column":[1],"type":`+sexes+`}`, call(">", a, value("2"))),
		call("combine_categories", sex, value(`[{"id":1,"name":"c3","combined_ids":[1,2]}]`)), call("=><=", a, b, at),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		e, err := expression.Read(columns, "1", sent)
		if err != nil {
			return
		}
		shown, err := expression.Show(columns, e.Text)
		if err != nil {
			t.Fatalf("%s is kept as %s, which can't be shown: %v", sent, e.Text, err)
		}
		again, err := expression.Read(columns, "1", shown)
		if err != nil || again.SQL != e.SQL || again.Text != e.Text {
			t.Fatalf("%s is %s, and what is shown of it, %s, is %s, %v", sent, e.SQL, shown, again.SQL, err)
		}
		for _, id := range schema.References(e.Text) {
			if !slices.Contains(e.Columns, id) {
				t.Fatalf("%s is kept as %s, which refers to column %d", sent, e.Text, id)
			}
		}
	})
}
