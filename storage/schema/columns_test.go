package schema_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

// people is keyed by id, and initial and greeting are derived from name.
func people() schema.Schema {
	initial, greeting := column(4, "initial", "VARCHAR"), column(5, "greeting", "VARCHAR")
	initial.Derivation, greeting.Derivation = `left("c2", 1)`, `'Dear ' || "c4" || "c2"`
	return schema.Schema{Key: []int{1}, Columns: []schema.Column{
		column(1, "id", "BIGINT"), column(2, "name", "VARCHAR"), column(3, "Born", "DATE"), initial, greeting,
	}}
}

// names lists columns by name.
func names(columns []schema.Column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.Name
	}
	return strings.Join(list, " ")
}

// A column is found by its id wherever it is: uploads add columns in the order of ids, merges need not.
func TestColumnsAreFoundInAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		s := schema.Schema{Key: []int{1}}
		for _, id := range random.Perm(20)[:1+random.IntN(19)] {
			s.Columns = append(s.Columns, column(id+1, fmt.Sprint("n", id+1), "DATE"))
		}
		for id := range 22 {
			want := slices.IndexFunc(s.Columns, func(c schema.Column) bool { return c.ID == id })
			c, ok := s.ByID(id)
			if ok != (want >= 0) || ok && c.Name != fmt.Sprint("n", id) {
				t.Fatalf("%s: column %d is found: %v, as %s", names(s.Columns), id, ok, c.Name)
			}
		}
	}
}

func TestNamesAreFoundAsInSQL(t *testing.T) {
	s := schema.Schema{Columns: []schema.Column{
		column(1, "Straße", "DATE"), column(2, "k", "DATE"), column(3, "K", "DATE"), column(4, "É", "DATE"),
	}}
	for name, want := range map[string]int{
		"straße": 1, "STRAßE": 1, "STRASSE": 0, "K": 2, "k": 2, "\u212a": 0 /* the Kelvin sign */, "é": 0, "É": 4, "": 0,
	} {
		if c, ok := s.ByName(name); ok != (want > 0) || c.ID != want {
			t.Errorf("%q is column %d, not %d", name, c.ID, want)
		}
	}
	all, _ := s.Names()
	if all["k"].ID != 2 || len(all) != 3 {
		t.Errorf("of two columns with a name, ByName finds the first and Names has %+v", all["k"])
	}
}

// Of several retired columns of a name the last one comes back. A derived one does not: it has no values.
func TestRetiredColumnsByName(t *testing.T) {
	derived := column(9, "c", "DATE")
	derived.Derivation = `"c1"`
	s := schema.Schema{Retired: []schema.Column{
		column(5, "a", "DATE"), column(6, "A", "BIGINT"), column(7, "b", "DATE"), derived,
	}}
	if _, retired := s.Names(); retired["a"].ID != 6 || retired["b"].ID != 7 || len(retired) != 2 {
		t.Errorf("retired: %+v", retired)
	}
}

// A dataset without a declared key has the key _id, which is stored but is not one of its columns.
func TestTheKeyOfADataset(t *testing.T) {
	keyed, plain := people(), people()
	plain.Key = nil
	for _, c := range []struct {
		s                     schema.Schema
		key, stored, with     string
		isKey, hasRow, isKey1 bool
	}{
		{keyed, "id", "id name Born", "Born id", false, false, true},
		{plain, "_id", "id name Born _id", "Born _id", true, true, false},
	} {
		born, _ := c.s.ByName("born")
		if got := names(c.s.KeyColumns()); got != c.key {
			t.Errorf("the key is %s, not %s", got, c.key)
		}
		if got := names(c.s.Stored()); got != c.stored {
			t.Errorf("stored are %s, not %s", got, c.stored)
		}
		if got := names(c.s.WithKey([]schema.Column{born})); got != c.with {
			t.Errorf("with the key: %s, not %s", got, c.with)
		}
		if got := names(c.s.WithKey(c.s.KeyColumns())); got != c.key {
			t.Errorf("the key comes twice: %s", got)
		}
		row, hasRow := c.s.ByID(schema.RowID)
		if c.s.IsKey(schema.RowID) != c.isKey || hasRow != c.hasRow || hasRow && row.Name != schema.RowColumn {
			t.Errorf("_id is the key: %v; it is found: %v", c.s.IsKey(schema.RowID), hasRow)
		}
		if c.s.IsKey(1) != c.isKey1 || c.s.IsKey(2) {
			t.Errorf("id is the key: %v", c.s.IsKey(1))
		}
	}
}

func TestAKeyOfSeveralColumnsKeepsItsOrder(t *testing.T) {
	s := people()
	s.Key = []int{3, 1}
	if got := names(s.KeyColumns()); got != "Born id" {
		t.Error(got)
	}
	if got := names(s.WithKey(s.Columns[:1])); got != "id Born" {
		t.Error(got)
	}
}

// Schemas are values: no change of one shows in the one it was made from.
func TestChangesLeaveTheSchemaAsItWas(t *testing.T) {
	s := people()
	s.Retired, s.Dropped = []schema.Column{column(6, "old", "DATE")}, append(make([]int, 0, 8), 7)
	want := people()
	want.Retired, want.Dropped = []schema.Column{column(6, "old", "DATE")}, []int{7}
	s.With(column(2, "renamed", "VARCHAR"), column(6, "old", "DATE"), column(8, "new", "DATE"))
	s.Without(1, 2)
	a, b := s.Drop(2), s.Drop(3)
	s.After(people().With(column(9, "later", "DATE")))
	s.Renumbered(map[int]int{2: 20, 4: 40})
	s.WithKey(s.Columns[:2])
	if !reflect.DeepEqual(s, want) {
		t.Errorf("became %+v", s)
	}
	if !reflect.DeepEqual(a.Dropped, []int{7, 2}) || !reflect.DeepEqual(b.Dropped, []int{7, 3}) {
		t.Errorf("two schemas share their dropped columns: %v, %v", a.Dropped, b.Dropped)
	}
}

func TestWithReplacesOrAdds(t *testing.T) {
	s := people().With(column(2, "title", "VARCHAR"), column(7, "new", "DATE"), column(7, "newest", "DATE"))
	if got := names(s.Columns); got != "id title Born initial greeting newest" {
		t.Error(got)
	}
	if got := names(s.Without(7, 1, 99).Columns); got != "title Born initial greeting" {
		t.Error(got)
	}
}

// A dropped column is gone for good; one that is merely left out is not.
func TestDroppedColumnsAreGone(t *testing.T) {
	s := people().Drop(3, 2)
	if got := names(s.Columns); got != "id initial greeting" || !s.Gone(2) || !s.Gone(3) || s.Gone(1) {
		t.Errorf("%s, dropped %v", got, s.Dropped)
	}
	if people().Without(3).Gone(3) {
		t.Error("a column that was left out is gone")
	}
}

// Going back keeps what either side dropped, retires what only the later one has, and returns what was retired there.
func TestGoingBack(t *testing.T) {
	early := people().Drop(3)
	late := people().With(column(6, "six", "DATE"), column(7, "seven", "DATE")).Drop(7, 3)
	late.Retired = []schema.Column{column(8, "eight", "DATE")}
	back := early.After(late)
	if names(back.Columns) != names(early.Columns) || names(back.Retired) != "eight six" {
		t.Errorf("columns %s, retired %s", names(back.Columns), names(back.Retired))
	}
	if !reflect.DeepEqual(back.Dropped, []int{3, 7}) {
		t.Errorf("dropped %v", back.Dropped)
	}
	// A column that the other dropped and this one has is there again.
	if back := people().After(late); back.Gone(3) || !back.Gone(7) || names(back.Columns) != names(people().Columns) {
		t.Errorf("columns %s, dropped %v", names(back.Columns), back.Dropped)
	}
	// Going back twice is going back once.
	if again := back.After(late); !reflect.DeepEqual(again, back) {
		t.Errorf("%+v, not %+v", again, back)
	}
}

// Values of older files are cast through every type that the column has had since they were written.
func TestCastsFollowTheChangesOfType(t *testing.T) {
	first := column(1, "n", "NULL")
	second := first.As(schema.Of(schema.Bigint)) // nulls have no values to be cast
	third := second.As(schema.Of(schema.Varchar))
	same := third.As(schema.Of(schema.Varchar))
	fourth := same.As(schema.Of(schema.Double))
	for _, c := range []struct {
		from schema.Column
		want string
	}{
		{first, "[BIGINT VARCHAR DOUBLE]"}, {second, "[BIGINT VARCHAR DOUBLE]"}, {third, "[VARCHAR DOUBLE]"},
		{same, "[VARCHAR DOUBLE]"}, {fourth, "[DOUBLE]"},
	} {
		if got := fmt.Sprint(fourth.Since(c.from)); got != c.want {
			t.Errorf("from %s: %s, not %s", c.from.Type, got, c.want)
		}
	}
	other := third.As(schema.Of(schema.Date)) // branches of a fork change independently
	got := fmt.Sprint(fourth.Earlier, other.Earlier)
	if got != "[BIGINT VARCHAR] [BIGINT VARCHAR]" || len(third.Earlier) != 1 {
		t.Errorf("earlier types %s, and of the one before %v", got, third.Earlier)
	}
	// A file that is newer than the state, as after going back, is cast to the state's type only.
	if got := fmt.Sprint(second.Since(fourth)); got != "[BIGINT]" {
		t.Error(got)
	}
}

func TestLabels(t *testing.T) {
	c := column(1, "net_income", "DOUBLE")
	if c.Label() != "net_income" {
		t.Error(c.Label())
	}
	if c.Title = "Net income, €"; c.Label() != "Net income, €" {
		t.Error(c.Label())
	}
}

func TestReferences(t *testing.T) {
	for text, want := range map[string][]int{
		"":                                nil,
		"c1 + 'c2'":                       nil,
		`"c1" + "c22" * "c1"`:             {1, 22, 1},
		`"C1" + "c" + "cx1" + "c1x"`:      nil,
		`"c99999999999999999999"`:         {0}, // which no column has
		schema.Reference(1 << 40):         {1 << 40},
		`"c` + schema.ColumnName(7) + `"`: nil,
	} {
		if got := schema.References(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%s refers to %v, not %v", text, got, want)
		}
	}
}

// All references are replaced at once: ids that are exchanged are not replaced twice.
func TestRenumbering(t *testing.T) {
	swap := map[int]int{1: 2, 2: 1}
	if got := schema.Renumbered(`"c1" - "c2" - "c3" - 'c1'`, swap); got != `"c2" - "c1" - "c3" - 'c1'` {
		t.Error(got)
	}
	s := people()
	s.Columns[3].Expression = `{"c2"}`
	got := s.Renumbered(map[int]int{2: 12, 4: 14})
	if c := got.Columns[3]; c.ID != 14 || c.Derivation != `left("c12", 1)` || c.Expression != `{"c12"}` {
		t.Errorf("%+v", c)
	}
	if c := got.Columns[4]; c.ID != 5 || c.Derivation != `'Dear ' || "c14" || "c12"` {
		t.Errorf("%+v", c)
	}
	if back := got.Renumbered(map[int]int{12: 2, 14: 4}); !reflect.DeepEqual(back, s) {
		t.Errorf("not undone: %+v", back)
	}
}

// People see the names of columns, quoted as in SQL. What refers to no column stays.
func TestDerivationsAreShownWithNames(t *testing.T) {
	s := people().With(column(2, `full "legal" name`, "VARCHAR"))
	for text, want := range map[string]string{
		`left("c2", 1)`:   `left("full ""legal"" name", 1)`,
		`"c1" + "c99"`:    `"id" + "c99"`,
		"":                "",
		`"c2147483540"`:   `"c2147483540"`, // _id is not a column of a keyed dataset
		`"c5" || "c4"`:    `"greeting" || "initial"`,
		`'c1' || c1 || 1`: `'c1' || c1 || 1`,
	} {
		if got := s.WithNames(text); got != want {
			t.Errorf("%s is shown as %s, not %s", text, got, want)
		}
	}
	s.Key = nil
	if got := s.WithNames(`"c2147483540"`); got != `"_id"` {
		t.Error(got)
	}
}

func TestDerivedFrom(t *testing.T) {
	s := people()
	for id, want := range map[int]string{1: "", 2: "initial greeting", 4: "greeting", 5: ""} {
		if got := names(s.DerivedFrom(id)); got != want {
			t.Errorf("from column %d: %q, not %q", id, got, want)
		}
	}
}

// derived returns a schema with a stored column 1, and derived columns with the references of each.
func derived(references map[int][]int) schema.Schema {
	s := schema.Schema{Key: []int{1}, Columns: []schema.Column{column(1, "c1", "DATE")}}
	for id := 2; id < 20; id++ {
		from, ok := references[id]
		if !ok {
			continue
		}
		c := column(id, fmt.Sprint("c", id), "DATE")
		for _, one := range append(from, 1) {
			c.Derivation += schema.Reference(one) + " "
		}
		s.Columns = append(s.Columns, c)
	}
	return s
}

func TestLayersAndCycles(t *testing.T) {
	for _, c := range []struct {
		name       string
		references map[int][]int
		layers     string
		cycle      string // from column 2
	}{
		{"none", nil, "", ""},
		{"side by side", map[int][]int{2: {}, 3: {}}, "c2 c3", ""},
		{"a chain, written backwards", map[int][]int{2: {3}, 3: {4}, 4: {}}, "c4; c3; c2", ""},
		{"a diamond", map[int][]int{2: {3, 4}, 3: {5}, 4: {5}, 5: {}}, "c5; c3 c4; c2", ""},
		{"itself", map[int][]int{2: {2}, 3: {}}, "c3", "c2 c2"},
		{"a cycle and what hangs on it", map[int][]int{2: {3}, 3: {4}, 4: {2}, 5: {4}, 6: {}}, "c6", "c2 c3 c4 c2"},
		{"on a cycle, not in it", map[int][]int{2: {3}, 3: {4}, 4: {3}}, "", ""},
		{"a reference to nothing", map[int][]int{2: {99}}, "c2", ""},
	} {
		s := derived(c.references)
		var layers []string
		for _, layer := range s.Layers() {
			layers = append(layers, names(layer))
		}
		if got := strings.Join(layers, "; "); got != c.layers {
			t.Errorf("%s: layers %q, not %q", c.name, got, c.layers)
		}
		if got := names(s.Cycle(2)); got != c.cycle {
			t.Errorf("%s: cycle %q, not %q", c.name, got, c.cycle)
		}
	}
}

// Layers have every derived column that is on no cycle, after those that it needs.
func TestLayersOfRandomDerivations(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		references := map[int][]int{}
		for id := 2; id < 10; id++ {
			for other := 2; other < 10; other++ {
				if random.IntN(8) == 0 {
					references[id] = append(references[id], other)
				}
			}
		}
		s := derived(references)
		done := map[int]bool{1: true}
		for _, layer := range s.Layers() {
			for _, c := range layer {
				for _, id := range schema.References(c.Derivation) {
					if known, _ := s.ByID(id); known.ID != 0 && !done[id] {
						t.Fatalf("%v: column %d comes before %d, which it needs", references, c.ID, id)
					}
				}
			}
			for _, c := range layer {
				done[c.ID] = true
			}
		}
		for _, c := range s.Columns {
			if cycle := s.Cycle(c.ID); cycle != nil && (done[c.ID] || cycle[0].ID != c.ID || cycle[len(cycle)-1].ID != c.ID) {
				t.Fatalf("%v: column %d is computed and on the cycle %s", references, c.ID, names(cycle))
			}
		}
	}
}

// Both sides of a merge may have added the same column. If it came with records, its type may be narrower on one side.
func TestSameDefinition(t *testing.T) {
	plain := column(7, "score", "BIGINT")
	for _, c := range []struct {
		name           string
		change         func(*schema.Column)
		came, explicit bool // the same if it came with records, if it was declared
	}{
		{"its id", func(c *schema.Column) { c.ID = 8 }, true, true},
		{"a narrower type", func(c *schema.Column) { c.Type = schema.Of(schema.Integer) }, true, false},
		{"a type that widens", func(c *schema.Column) { c.Type = schema.Of(schema.Double) }, true, false},
		{"a type that does not", func(c *schema.Column) { c.Type = schema.Of(schema.Varchar) }, false, false},
		{"its name", func(c *schema.Column) { c.Name = "Score" }, false, false},
		{"its title", func(c *schema.Column) { c.Title = "The score" }, false, false},
		{"its description", func(c *schema.Column) { c.Description = "of a test" }, false, false},
		{"its derivation", func(c *schema.Column) { c.Derivation = "1" }, false, false},
		{"its categories", func(c *schema.Column) { c.Categories = []schema.Category{{ID: 1}} }, false, false},
	} {
		other := plain
		c.change(&other)
		if got := schema.SameDefinition(plain, other, false); got != c.came {
			t.Errorf("%s differs; came with records: the same is %v", c.name, got)
		}
		if got := schema.SameDefinition(plain, other, true); got != c.explicit {
			t.Errorf("%s differs; declared: the same is %v", c.name, got)
		}
	}
}

// A change back is listed with what was and what is exchanged, and a schema has no changes from itself.
func TestChangesOfOneSchema(t *testing.T) {
	s := people()
	if got := schema.Changes(s, s); got == nil || len(got) != 0 {
		t.Errorf("from itself: %+v", got)
	}
	next := s.With(column(2, "surname", "VARCHAR")).Without(3)
	next.Columns[2].Derivation = `left("c2", 2)`
	next = next.With(column(9, "age", "INTEGER"))
	want := []schema.Change{
		{Change: "renamed", Column: "surname", From: "name", To: "surname"},
		{Change: "removed", Column: "Born", From: "DATE"},
		{Change: "derived", Column: "initial", From: `left("name", 1)`, To: `left("surname", 2)`},
		{Change: "added", Column: "age", To: "INTEGER"},
	}
	if got := schema.Changes(s, next); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	back := schema.Changes(next, s)
	if len(back) != len(want) || back[len(back)-1] != (schema.Change{Change: "added", Column: "Born", To: "DATE"}) {
		t.Errorf("back: %+v", back)
	}
}
