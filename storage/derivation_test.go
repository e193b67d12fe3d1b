package storage_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

func (b *bench) derive(d, name, derivation string) schema.Column {
	b.Helper()
	_, c := b.variable(d, storage.NewVariable{Name: name, Derivation: derivation})
	return c
}

func (b *bench) tryDerive(d, name, derivation string) error {
	_, _, err := b.CreateVariable(context.Background(), d, storage.NewVariable{Name: name, Derivation: derivation},
		storage.Request{})
	return err
}

// derivationOf is a variable's derivation as people read it.
func (b *bench) derivationOf(d, name string) string {
	b.Helper()
	s := b.SchemaAt(d, "head")
	c, _ := s.ByName(name)
	return s.DerivationText(c)
}

const sales = `[{"id":1,"price":2.5,"quantity":4,"name":"pen"},{"id":2,"price":10.0,"quantity":0,"name":"mug"},
	{"id":3,"price":null,"quantity":2,"name":"7"}]`

func TestDerivedVariables(t *testing.T) {
	b := open(t)
	d := b.Create("sales", "id")
	first := b.JSON(d, "append", sales)
	c := b.derive(d, "total", "price * quantity")
	if c.Type.Name != schema.Double || c.Derivation != `"c2" * "c3"` ||
		b.derivationOf(d, "total") != `"price" * "quantity"` {
		t.Errorf("%+v, %s", c, b.derivationOf(d, "total"))
	}
	b.derive(d, "with_tax", `CAST(total * 1.25 AS DECIMAL(10,2))`)
	b.derive(d, "number", "name::INTEGER") // null where it fails
	want := []string{
		`{"id":1,"price":2.5,"quantity":4,"name":"pen","total":10.0,"with_tax":12.5,"number":null}`,
		`{"id":2,"price":10.0,"quantity":0,"name":"mug","total":0.0,"with_tax":0.0,"number":null}`,
		`{"id":3,"price":null,"quantity":2,"name":"7","total":null,"with_tax":null,"number":7}`,
	}
	b.Want(d, "head", want...)
	b.rename(d, "price", "Price, each")
	b.rename(d, "total", "sum")
	if got := b.derivationOf(d, "sum"); got != `"Price, each" * "quantity"` {
		t.Errorf("after a rename it is derived as %s", got)
	}
	replace := strings.NewReplacer(`"price"`, `"Price, each"`, `"total"`, `"sum"`)
	for i := range want {
		want[i] = replace.Replace(want[i])
	}
	b.Want(d, "head", want...)
	b.JSON(d, "upsert", `[{"id":3,"Price, each":1}]`)
	want[2] = `{"id":3,"Price, each":1.0,"quantity":2,"name":"7","sum":2.0,"with_tax":2.5,"number":7}`
	b.Want(d, "head", want...)
	b.Want(d, ref(first), `{"id":1,"price":2.5,"quantity":4,"name":"pen"}`,
		`{"id":2,"price":10.0,"quantity":0,"name":"mug"}`, `{"id":3,"price":null,"quantity":2,"name":"7"}`)
	b.Sound()
}

// What people write stays as they wrote it, but for the names of columns.
func TestDerivationsAreKeptAsTheyAreWritten(t *testing.T) {
	b := open(t)
	d := b.Create("x")
	b.JSON(d, "append",
		`[{"a":1,"b b":"ü","l":[1,2],"s":{"x":3,"y":[4]},"j":null,"c5":5,"größe":2.5,"ts":null,"q\"q":"z"}]`)
	b.retype(d, "ts", "TIMESTAMP")
	b.retype(d, "j", "JSON")
	b.JSON(d, "upsert", `[{"_id":1,"ts":"2026-01-02T03:04:05","j":{"k":[7]}}]`)
	for i, c := range []struct{ written, kept, value string }{
		{"a+1", `"a"+1`, "2"},
		{"  A  +  _id ", `"a"  +  "_id"`, "2"},
		{`"b b" || 'a "b" c1'`, `"b b" || 'a "b" c1'`, `"üa \"b\" c1"`},
		{"'ü' || größe", `'ü' || "größe"`, `"ü2.5"`},
		{"list_transform(l, lambda x: x + a)", `list_transform("l", lambda x: x + "a")`, "[2,3]"},
		{"list_transform(l, lambda a: a * 10)", `list_transform("l", lambda a: a * 10)`, "[10,20]"},
		{"list_transform(l, lambda x, i: x * i)", `list_transform("l", lambda x, i: x * i)`, "[1,4]"},
		{"[y * 2 for y in l if y > a]", `[y * 2 for y in "l" if y > "a"]`, "[4]"},
		{"s.x + s.y[1]", `"s".x + "s".y[1]`, "7"},
		{"j -> '$.k'", `"j" -> '$.k'`, "[7]"},
		{"j->>'$.k[0]'", `"j"->>'$.k[0]'`, `"7"`},
		{"c5 + \"c5\"", `"c5" + "c5"`, "10"},
		{"CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", `CASE "a" WHEN 1 THEN 'one' WHEN 2 THEN 'two' END`, `"one"`},
		{"a BETWEEN 0 AND 2 AND NOT a IN (3, 4)", `"a" BETWEEN 0 AND 2 AND NOT "a" IN (3, 4)`, "true"},
		{"extract(year FROM ts) -- the year", `extract(year FROM "ts") -- the year`, "2026"},
		{"ts + INTERVAL 1 DAY", `"ts" + INTERVAL 1 DAY`, `"2026-01-03 03:04:05"`},
		{"{'k': a, 'm': l}", `{'k': "a", 'm': "l"}`, `{"k":1,"m":[1,2]}`},
		{"struct_pack(a := a)", `struct_pack(a := "a")`, `{"a":1}`},
		{`"q""q" || upper("B B")`, `"q""q" || upper("b b")`, `"zÜ"`},
		{"coalesce(nullif(a, 1), 12345678901234567890)", `coalesce(nullif("a", 1), 12345678901234567890)`,
			"12345678901234567890"},
		{"CAST(c5 || 'x' AS INTEGER)", `CAST("c5" || 'x' AS INTEGER)`, "null"},
	} {
		name := "d" + strings.Repeat("x", i)
		b.derive(d, name, c.written)
		if got := b.derivationOf(d, name); got != c.kept {
			t.Errorf("%s is kept as %s, want %s", c.written, got, c.kept)
		}
		if got := b.Rows(d, "head", false)[0]; !strings.Contains(got, `"`+name+`":`+c.value) {
			t.Errorf("%s gives no %s: %s", c.written, c.value, got)
		}
		b.drop(d, name)
	}
	b.Sound()
}

func TestDerivationsThatAreRefused(t *testing.T) {
	b := open(t)
	d := b.Create("sales", "id")
	b.JSON(d, "append", sales)
	b.derive(d, "total", "price * quantity")
	for _, c := range []struct{ derivation, code string }{
		{"price *", "invalid_derivation"},
		{" ", "invalid_derivation"},
		{"\x00", "invalid_derivation"},
		{"prize * 2", "invalid_derivation"},
		{"x + 1", "invalid_derivation"},
		{"price, quantity", "derivation_refused"},
		{"price) FROM records WHERE (true", "invalid_derivation"},
		{"price); SELECT (1", "invalid_derivation"},
		{"sum(price)", "invalid_derivation"},
		{"row_number() OVER ()", "invalid_derivation"},
		{"(SELECT 1)", "invalid_derivation"},
		{"price IN (SELECT 1)", "invalid_derivation"},
		{"price > $1", "invalid_derivation"},
		{"#1", "invalid_derivation"},
		{"COLUMNS(*)", "invalid_derivation"},
		{"random()", "invalid_derivation"},
		{"now()", "invalid_derivation"},
		{"current_date", "invalid_derivation"},
		{"ago(INTERVAL 1 DAY)", "invalid_derivation"},
		{"year(age(DATE '2026-01-01'))", "invalid_derivation"},
		{"list_transform([1], lambda c2: c2 + price)", "invalid_derivation"},
		{`price || '"c3"'`, "invalid_derivation"},
		{"getenv('HOME')", "invalid_derivation"},
		{"unnest([1, 2])", "derivation_refused"},
		{"wavg(price, quantity)", "derivation_refused"},
		{"name + DATE '2026-01-01'", "derivation_refused"},
		{"no_such_function(price)", "invalid_derivation"},
		{"INTERVAL 1 DAY", "derivation_refused"},
	} {
		b.unchanged(d, c.code, func() error { return b.tryDerive(d, "x", c.derivation) })
	}
	ctx := context.Background()
	b.unchanged(d, "derived_variable", func() error {
		_, _, err := b.CreateVariable(ctx, d, storage.NewVariable{Name: "x", Derivation: "price", Values: raw("1", "2", "3")},
			storage.Request{})
		return err
	})
	b.unchanged(d, "derivation_type", func() error {
		_, _, err := b.CreateVariable(ctx, d, storage.NewVariable{Name: "x", Derivation: "price", Type: "VARCHAR"},
			storage.Request{})
		return err
	})
	b.variable(d, storage.NewVariable{Name: "y", Derivation: "quantity", Type: "numeric"})
	b.Sound()
}

func TestDerivationsAreEdited(t *testing.T) {
	b := open(t)
	d := b.Create("sales", "id")
	b.JSON(d, "append", sales)
	b.derive(d, "a", "quantity + 1")
	b.derive(d, "b", "a + 1")
	edit := func(name, derivation string) error {
		_, _, err := b.TryEdit(d, name, storage.VariableEdit{Derivation: &derivation})
		return err
	}
	b.unchanged(d, "invalid_derivation", func() error { return edit("a", "b - 1") }) // a → b → a
	b.unchanged(d, "invalid_derivation", func() error { return edit("a", "a - 1") })
	b.unchanged(d, "derivation_type", func() error { return edit("a", "name") })
	b.unchanged(d, "stored_variable", func() error { return edit("name", "upper(name)") })
	if err := edit("a", "quantity + 2"); err != nil {
		t.Fatal(err)
	}
	if got := b.Rows(d, "head", false)[0]; !strings.HasSuffix(got, `"a":6,"b":7}`) {
		t.Error(got)
	}
	b.unchanged(d, "variable_used", func() error {
		_, err := b.DropVariable(context.Background(), d, b.ColumnID(d, "quantity"), storage.Request{})
		return err
	})
	text, typ := "a || name", "VARCHAR"
	commit, c := b.edit(d, "b", storage.VariableEdit{Derivation: &text, Type: &typ})
	if c.Type.Name != schema.Varchar || param(commit, "key") != `"Variable.derive"` {
		t.Errorf("%+v, %s", c, commit.Params)
	}
	b.drop(d, "b")
	b.drop(d, "a")
	b.drop(d, "quantity")
	b.Sound()
}

// The type of a derived column follows the columns that it is derived from; a commit that leaves it none is refused.
func TestDerivedTypesFollow(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"n":1,"s":"x"}]`)
	b.derive(d, "next", "n + 1")
	b.derive(d, "after", "next * 2")
	b.derive(d, "year", "s || '!'")
	typeOf := func(name string) string {
		c, _ := b.SchemaAt(d, "head").ByName(name)
		return c.Type.String()
	}
	widened := b.JSON(d, "append", `[{"id":2,"n":0.5}]`)
	if typeOf("next") != "DOUBLE" || typeOf("after") != "DOUBLE" {
		t.Errorf("next is %s, after %s", typeOf("next"), typeOf("after"))
	}
	b.Want(d, "head", `{"id":1,"n":1.0,"s":"x","next":2.0,"after":4.0,"year":"x!"}`,
		`{"id":2,"n":0.5,"s":null,"next":1.5,"after":3.0,"year":null}`)
	b.Undo(d, widened.ID)
	if typeOf("next") != "BIGINT" || typeOf("after") != "BIGINT" {
		t.Errorf("undone, next is %s, after %s", typeOf("next"), typeOf("after"))
	}
	b.variable(d, storage.NewVariable{Name: "later"})
	b.derive(d, "upper", "later + 1")
	b.unchanged(d, "derivation_refused", func() error {
		_, err := b.Try(d, "append", "json", `[{"id":3,"later":{"a":1}}]`)
		return err
	})
	date := "DATE[]"
	b.unchanged(d, "derivation_refused", func() error {
		_, _, err := b.TryEdit(d, "later", storage.VariableEdit{Type: &date})
		return err
	})
	b.Sound()
}

// What a derived column needs can't be undone under it, nor can it come back without that.
func TestUndoingUnderDerivedVariables(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"n":1}]`)
	created, _ := b.variable(d, storage.NewVariable{Name: "m", Values: raw("2")})
	b.derive(d, "sum", "n + m")
	b.unchanged(d, "derivation_unbound", func() error { _, err := b.TryRollback(d, created.ID, storage.Stack); return err })
	dropped := b.drop(d, "sum")
	b.drop(d, "m")
	b.unchanged(d, "derivation_unbound", func() error { _, err := b.TryRollback(d, dropped.ID, storage.Stack); return err })
	b.Want(d, "head", `{"id":1,"n":1}`)
	b.Sound()
}

// Uploads may have derived columns, as exports do: they are left out, and the commit says so.
func TestUploadsWithDerivedColumns(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"n":1}]`)
	b.derive(d, "twice", "n * 2")
	same := b.JSON(d, "overwrite", `[{"id":1,"n":1,"twice":2}]`)
	if storagetest.Counts(same) != "+0 -0 ~0 =1" || param(same, "derived_columns_ignored") != `["twice"]` {
		t.Errorf("%s, %s", storagetest.Counts(same), same.Params)
	}
	c := b.JSON(d, "append", `[{"id":2,"n":2,"TWICE":"what"}]`)
	b.Want(d, "head", `{"id":1,"n":1,"twice":2}`, `{"id":2,"n":2,"twice":4}`)
	b.Undo(d, c.ID)
	derived := b.ColumnID(d, "twice")
	undone := b.Undo(d, c.Previous-1)
	b.JSON(d, "append", `[{"id":3,"n":3,"twice":"x"}]`)
	if b.ColumnID(d, "twice") == derived {
		t.Error("a derived column that was undone takes values")
	}
	_, err := b.TryRollback(d, undone.ID, storage.Stack)
	wantRefusal(t, err, "column_taken")
	b.Sound()
}

// Conditions see derived columns; comparisons do not, for they follow from the others.
func TestDerivedColumnsElsewhere(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("x", "id")
	one := b.JSON(d, "append", `[{"id":1,"n":1},{"id":2,"n":2}]`)
	b.derive(d, "category", "n * 10")
	deleted, err := b.Commit(ctx, d, storage.Change{Mode: catalog.Delete, Where: "category = 20"})
	if err != nil || storagetest.Counts(deleted) != "+0 -1 ~0 =1" {
		t.Fatalf("%s, %v", storagetest.Counts(deleted), err)
	}
	b.Want(d, "head", `{"id":1,"n":1,"category":10}`)
	from, err := b.Snapshot(ctx, d, ref(one))
	if err != nil {
		t.Fatal(err)
	}
	to, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := to.CategoryColumn(); ok {
		t.Error("a derived column is measured")
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := snapshot.Diff(from, to).Count(ctx, conn); err != nil ||
		storagetest.ToJSON(got) != `{"Added":0,"Removed":1,"Modified":0,"Columns":{}}` {
		t.Errorf("%s, %v", storagetest.ToJSON(got), err)
	}
	if got := storagetest.ToJSON(schema.Changes(from.Schema,
		to.Schema)); got != `[{"change":"added","column":"category","to":"BIGINT"}]` {
		t.Error(got)
	}
	b.Sound()
}

// A backup keeps descriptions, categories and derivations; what is derived comes back as such.
func TestBackupsKeepVariables(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("sales", "id")
	b.JSON(d, "append", sales)
	b.derive(d, "total", "price * quantity")
	b.derive(d, "double", "total * 2")
	b.variable(d, storage.NewVariable{Name: "kind", Description: "of goods",
		Categories: []schema.Category{{ID: 1, Name: "x"}}, Values: raw("1", "1", "null")})
	backup, err := b.Backups.Make(ctx, d, storage.NewBackup{Ref: "head"}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	archive := func() io.Reader {
		in, err := b.Backups.Open(context.Background(), backup, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		return in
	}
	made, err := b.CreateFromBackup(ctx, archive(), "again", 1, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.Rows(made.Dataset.ID, "head", false), b.Rows(d, "head", false); len(got) != len(want) ||
		!strings.Contains(got[0], `"total":10.0,"double":20.0`) {
		t.Errorf("got %s", got)
	}
	kind, _ := made.Schema.ByName("kind")
	if kind.Description != "of goods" || len(kind.Categories) != 1 ||
		b.derivationOf(made.Dataset.ID, "double") != `"total" * 2` {
		t.Errorf("%+v, %s", kind, b.derivationOf(made.Dataset.ID, "double"))
	}
	b.drop(d, "double")
	b.drop(d, "total")
	b.JSON(d, "upsert", `[{"id":1,"total":"a column of its own"}]`)
	b.derive(d, "name_twice", "name || name")
	restored, err := b.RestoreBackup(ctx, d, archive(), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	s := b.SchemaAt(d, "head")
	if total, ok := s.ByName("total"); !ok || !total.Derived() {
		t.Errorf("total is not derived again: %+v", s)
	}
	if _, ok := s.ByName("name_twice"); ok {
		t.Error("a derived column is there that the backup does not have")
	}
	if got := b.Rows(d, "head", false)[0]; !strings.Contains(got, `"total":10.0,"double":20.0`) {
		t.Error(got)
	}
	b.Undo(d, restored.ID)
	b.Sound()
}
