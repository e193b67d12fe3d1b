package snapshot_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// selected returns the lines of a part of a difference.
func (l *listings) selected(d *snapshot.Difference, s snapshot.Selection) []string {
	l.Helper()
	list, err := d.List(s)
	if err != nil {
		l.Fatal(err)
	}
	text := bytes.TrimSuffix(l.written(list, intake.NDJSON), []byte("\n"))
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// The pages of a difference are the whole of it, each record once, in the order of the key.
func TestPagesOfADifferenceAreAllOfIt(t *testing.T) {
	l := open(t, "before", "in_a") // one of the names is another one in the listing
	from, to := l.commit("append", l.records(40, 3)), l.commit("overwrite", l.records(50, 3))
	d := l.diff(from, to)
	whole := l.selected(d, snapshot.Selection{})
	if len(whole) < 10 {
		t.Fatalf("only %d records differ", len(whole))
	}
	var pages []string
	limit := int64(7)
	for offset := int64(0); ; offset += limit {
		page := l.selected(d, snapshot.Selection{Limit: &limit, Offset: offset})
		pages = append(pages, page...)
		if len(page) < int(limit) {
			break
		}
	}
	if !slices.Equal(pages, whole) {
		t.Errorf("the pages are\n%s\nnot\n%s", strings.Join(pages, "\n"), strings.Join(whole, "\n"))
	}
	if rest := l.selected(d, snapshot.Selection{Offset: 3}); !slices.Equal(rest, whole[3:]) {
		t.Errorf("from the fourth on there are %d records", len(rest))
	}
}

// A column selects modified records by what changed in them. It has the name that either side gives it.
func TestADifferenceIsSelectedByColumn(t *testing.T) {
	l := open(t, "id")
	from := l.commit("append", `[{"id":1,"a":1,"b":1},{"id":2,"a":1,"b":1},{"id":3,"a":1,"b":1}]`)
	to := l.commit("upsert", `[{"id":1,"a":2},{"id":2,"b":2},{"id":4,"a":1}]`)
	d := l.diff(from, to)
	for _, c := range []struct {
		of   snapshot.Selection
		want int
	}{
		{snapshot.Selection{}, 3},
		{snapshot.Selection{Columns: []string{"A"}}, 2},
		{snapshot.Selection{Columns: []string{"a"}, Changes: []string{"modified"}}, 1},
		{snapshot.Selection{Columns: []string{"a", "b"}, Changes: []string{"modified"}}, 2},
		{snapshot.Selection{Columns: []string{"a"}, Changes: []string{"removed"}}, 0},
	} {
		if got := l.selected(d, c.of); len(got) != c.want {
			t.Errorf("%+v: %v, want %d", c.of, got, c.want)
		}
	}
	for _, name := range []string{"id", "c", ""} {
		if _, err := d.List(snapshot.Selection{Columns: []string{name}}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
