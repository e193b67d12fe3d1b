package snapshot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// with returns a snapshot with the given files, of a table with the key id.
func with(files ...*catalog.File) *Snapshot {
	s := New(State{}, func(f *catalog.File) string { return fmt.Sprintf("/%d", f.ID) })
	s.Schema = schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)}, {ID: 2, Name: "v", Type: schema.Of(schema.Varchar)},
	}}
	s.Schemas["s"] = s.Schema
	s.Data, s.Rollbacks = OfKind(files, schema.Data), OfKind(files, schema.Rollback)
	return s
}

func data(id int64) *catalog.File {
	return &catalog.File{ID: id, Kind: schema.Data, SchemaID: "s", Rows: 3}
}

func rollback(id int64, targets ...int64) *catalog.File {
	f := &catalog.File{ID: id, Kind: schema.Rollback, SchemaID: "s", Targets: map[int64]int64{}}
	for _, t := range targets {
		f.Targets[t] = 1
	}
	return f
}

// Files and displaced positions that both snapshots have cancel out: a comparison does not open them.
func TestWhatBothHaveCancelsUnread(t *testing.T) {
	one, two, three, four := data(1), data(2), data(3), data(4)
	shared, own, moved := rollback(5, 1), rollback(6, 2), rollback(7, 3)
	for _, c := range []struct {
		name  string
		a, b  *Snapshot
		opens string
	}{
		{"the same", with(one, two, shared), with(one, two, shared), "[]"},
		{"an append", with(one, shared), with(one, two, shared), "[2]"},
		{"an upsert", with(one, two, shared), with(one, two, three, shared, own), "[3 6]"},
		{"a deletion", with(one, two, shared), with(one, two, shared, own), "[6]"},
		{"a file that only one has, with its displaced rows", with(one, three, moved), with(one), "[3 7]"},
		{"all of it replaced", with(one, two), with(three, four), "[1 2 3 4]"},
		{"displaced rows of a file that only one has", with(one, two, own), with(one), "[2 6]"},
	} {
		for _, d := range []*Difference{Diff(c.a, c.b), Diff(c.b, c.a)} {
			var ids []int64
			for _, f := range d.Files() {
				ids = append(ids, f.ID)
			}
			if got := fmt.Sprint(ids); got != c.opens || d.Empty() != (c.opens == "[]") {
				t.Errorf("%s: opens %s, not %s", c.name, got, c.opens)
			}
			for id := range int64(8) {
				named := strings.Contains(d.SideA()+d.SideB(), fmt.Sprintf("'/%d'", id))
				if opens := strings.Contains(c.opens, fmt.Sprint(id)); named != opens {
					t.Errorf("%s: the SQL names file %d: %v", c.name, id, named)
				}
			}
		}
	}
}

// A file whose rows are all displaced, by one commit or by several, is not read, nor is what displaced them.
func TestAFileWithoutLiveRowsIsNotRead(t *testing.T) {
	one, two, first, second, third := data(1), data(2), rollback(5, 1, 2), rollback(6, 1), rollback(7, 1)
	for _, c := range []struct {
		name  string
		s     *Snapshot
		opens string
	}{
		{"a row is left", with(one, first, second), "156"},
		{"none is", with(one, first, second, third), ""},
		{"none of one of two", with(one, two, first, second, third), "25"},
	} {
		for name, sql := range map[string]string{"rows": c.s.Rows(true), "difference": Diff(c.s, with()).SideA()} {
			opens := ""
			for id := range int64(8) {
				if strings.Contains(sql, fmt.Sprintf("'/%d'", id)) {
					opens += fmt.Sprint(id)
				}
			}
			if opens != c.opens {
				t.Errorf("%s: its %s open %q, not %q", c.name, name, opens, c.opens)
			}
		}
	}
}

func TestBoundsAreComparedAsValues(t *testing.T) {
	for _, c := range []struct {
		typ           schema.Type
		less, greater string
	}{
		{schema.Of(schema.Bigint), "9", "10"},
		{schema.DecimalOf(38, 2), "-0.5", "0.00"},
		{schema.DecimalOf(38, 0), "9223372036854775808", "10000000000000000000"},
		{schema.Of(schema.Varchar), "10", "9"},
		{schema.Of(schema.Timestamp), "-1", "0"},
	} {
		o := OrderOf(c.typ)
		if o.Compare(c.less, c.greater) >= 0 || o.Compare(c.greater, c.less) <= 0 {
			t.Errorf("%s: %s is not less than %s", c.typ, c.less, c.greater)
		}
		low, high := o.Bounds(&c.less, &c.less), o.Bounds(&c.greater, &c.greater)
		if o.Overlap(low, high) || !o.Overlap(low, o.Join(low, high)) || !o.Overlap(nil, high) {
			t.Errorf("%s: %s and %s", c.typ, c.less, c.greater)
		}
	}
	if o := OrderOf(schema.Of(schema.UUID)); o != Unordered || !o.Overlap(&catalog.Bounds{}, &catalog.Bounds{}) {
		t.Error("bounds of an unordered type exclude a file")
	}
}

// A file that can't hold a key is not opened. A file with unknown bounds may hold any key.
func TestOnlyFilesThatMayHoldAKeyAreRead(t *testing.T) {
	low, high, unknown := data(1), data(2), data(3)
	low.Bounds, high.Bounds = &catalog.Bounds{Least: "1", Greatest: "9"}, &catalog.Bounds{Least: "10", Greatest: "20"}
	part := with(low, high, unknown).Within(&catalog.Bounds{Least: "10", Greatest: "10"})
	if len(part.Data) != 2 || part.Data[0] != high || part.Data[1] != unknown {
		t.Errorf("%v", part.Data)
	}
}

// No statement of a difference that is made in slices reads more columns than a slice has, and together they name each
// column as often in wide records as in narrow ones.
func TestStatementsOfADifferenceNameTheColumnsOfASlice(t *testing.T) {
	perColumn := func(n int) float64 {
		a, b, bytes := with(), with(data(1)), 0
		for id := 3; id <= n; id++ {
			c := schema.Column{ID: id, Name: fmt.Sprint("name", id), Type: schema.Of(schema.Bigint)}
			a.Schema.Columns, b.Schema.Columns = append(a.Schema.Columns, c), append(b.Schema.Columns, c)
		}
		b.Schemas["s"] = b.Schema
		list, err := Diff(a, b).List(Selection{})
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range append(append(list.tables, list.SQL), Diff(a, b).Keys().tables...) {
			if named := strings.Count(statement, "IS DISTINCT FROM"); named > SliceColumns {
				t.Fatalf("a statement for records of %d columns compares %d", n, named)
			}
			bytes += len(statement)
		}
		return float64(bytes) / float64(n)
	}
	if narrow, wide := perColumn(2*SliceColumns), perColumn(12*SliceColumns); wide > 1.2*narrow {
		t.Errorf("the statements have %.0f bytes for each of %d columns, and %.0f for each of %d", narrow, 2*SliceColumns,
			wide, 12*SliceColumns)
	}
}
