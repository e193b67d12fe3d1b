package storage_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/storagetest"
)

func (b *bench) variable(d string, n storage.NewVariable) (catalog.Commit, schema.Column) {
	b.Helper()
	commit, c, err := b.CreateVariable(context.Background(), d, n, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return commit, c
}

func (b *bench) edit(d, name string, e storage.VariableEdit) (catalog.Commit, schema.Column) {
	b.Helper()
	commit, c, err := b.TryEdit(d, name, e)
	if err != nil {
		b.Fatal(err)
	}
	return commit, c
}

func (b *bench) rename(d, name, to string) catalog.Commit {
	b.Helper()
	c, _ := b.edit(d, name, storage.VariableEdit{Name: &to})
	return c
}

func (b *bench) retype(d, name, to string) catalog.Commit {
	b.Helper()
	c, _ := b.edit(d, name, storage.VariableEdit{Type: &to})
	return c
}

func (b *bench) drop(d, name string) catalog.Commit {
	b.Helper()
	c, err := b.DropVariable(context.Background(), d, b.ColumnID(d, name), storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func raw(values ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		out[i] = json.RawMessage(v)
	}
	return out
}

func ref(c catalog.Commit) string { return strconv.FormatInt(c.ID, 10) }

func param(c catalog.Commit, name string) string {
	var params map[string]json.RawMessage
	if json.Unmarshal(c.Params, &params) != nil {
		return ""
	}
	return string(params[name])
}

// unchanged runs what must be refused, and makes sure that nothing changed.
func (b *bench) unchanged(d, code string, f func() error) {
	b.Helper()
	before := stateOf(b, d)
	err := f()
	wantRefusal(b.T, err, code)
	if err != nil {
		b.Log(err)
	}
	if after := stateOf(b, d); after != before {
		b.Errorf("refused with %s, and yet\n got %s\nwant %s", code, after, before)
	}
}

const items = `[{"id":2,"name":"pen","price":1.5},{"id":1,"name":"cap","price":20},{"id":3,"name":"mug","price":null}]`

func TestVariablesAreCreated(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	first := b.JSON(d, "append", items)
	commit, c := b.variable(d, storage.NewVariable{Name: "stock", Description: "how many",
		Values: raw("10", "null", "30")})
	if storagetest.Counts(commit) != "+0 -0 ~2 =3" || commit.Mode != catalog.Schema || c.Type.Name != schema.Bigint ||
		c.Description != "how many" {
		t.Errorf("%s, %s, %+v", storagetest.Counts(commit), commit.Mode, c)
	}
	if param(commit, "key") != `"Variable.create"` || param(commit, "values") != "[10,null,30]" ||
		param(commit, "variable") != strconv.Itoa(c.ID) ||
		!strings.Contains(param(commit, "definition"),
			`"name":"stock","alias":"stock","type":"BIGINT","description":"how many"`) {
		t.Errorf("the log says %s", commit.Params)
	}
	b.Want(d, "head", `{"id":1,"name":"cap","price":20.0,"stock":10}`, `{"id":2,"name":"pen","price":1.5,"stock":null}`,
		`{"id":3,"name":"mug","price":null,"stock":30}`)
	b.Want(d, ref(first), `{"id":1,"name":"cap","price":20.0}`, `{"id":2,"name":"pen","price":1.5}`,
		`{"id":3,"name":"mug","price":null}`)
	b.variable(d, storage.NewVariable{Name: "note"})
	b.variable(d, storage.NewVariable{Name: "since", Type: "datetime"})
	b.JSON(d, "upsert", `[{"id":3,"note":"ok","since":"2026-01-02T03:04:05"}]`)
	b.Want(d, "head", `{"id":1,"name":"cap","price":20.0,"stock":10,"note":null,"since":null}`,
		`{"id":2,"name":"pen","price":1.5,"stock":null,"note":null,"since":null}`,
		`{"id":3,"name":"mug","price":null,"stock":30,"note":"ok","since":"2026-01-02 03:04:05"}`)
	b.Sound()
}

// A dataset that declared no key has its values in the order of _id; many values go by another way than few.
func TestManyValuesInRowOrder(t *testing.T) {
	b := open(t)
	d := b.Create("many")
	var records, values, want []string
	for i := range 700 {
		records = append(records, `{"n":`+strconv.Itoa(i)+`}`)
		values = append(values, strconv.Itoa(i*2))
		want = append(want, `{"_id":`+strconv.Itoa(i+1)+`,"n":`+strconv.Itoa(i)+`,"twice":`+strconv.Itoa(i*2)+`}`)
	}
	b.JSON(d, "append", "["+strings.Join(records, ",")+"]")
	before := stateOf(b, d)
	c, _ := b.variable(d, storage.NewVariable{Name: "twice", Values: raw(values...)})
	if param(c, "values") != "" {
		t.Error("the log has 700 values")
	}
	b.Want(d, "head", want...)
	b.Undo(d, c.ID)
	if after := stateOf(b, d); after != before {
		t.Error("undoing it does not give the state before")
	}
	b.Sound()
}

func TestTypesOfVariables(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", items)
	for name, v := range map[string]struct {
		n    storage.NewVariable
		want string
	}{
		"found":   {storage.NewVariable{Values: raw("1", "2.5", "null")}, "DOUBLE"},
		"text":    {storage.NewVariable{Type: "text", Values: raw(`"a"`, `"b"`, "null")}, "VARCHAR"},
		"numeric": {storage.NewVariable{Type: "numeric", Values: raw("1", "2", "3")}, "DOUBLE"},
		"decimal": {storage.NewVariable{Type: "decimal(10, 2)", Values: raw("1.25", `"2.5"`, "3")}, "DECIMAL(10,2)"},
		"date":    {storage.NewVariable{Type: "DATE", Values: raw(`"2026-01-31"`, "null", "null")}, "DATE"},
		"alias":   {storage.NewVariable{Type: "int8"}, "BIGINT"},
		"list":    {storage.NewVariable{Type: "INTEGER[]", Values: raw("[1]", "[]", "null")}, "INTEGER[]"},
		"struct":  {storage.NewVariable{Values: raw(`{"a":1}`, `{"b":"x"}`, "null")}, `STRUCT("a" BIGINT, "b" VARCHAR)`},
		"none":    {storage.NewVariable{Values: raw("null", "null", "null")}, "NULL"},
		"categorical": {storage.NewVariable{Type: "categorical",
			Categories: []schema.Category{{ID: 1, Name: "x"}, {ID: 2, Name: "7"}}, Values: raw(`"x"`, "2", "null")}, "VARCHAR"},
	} {
		v.n.Name = name
		if _, c := b.variable(d, v.n); c.Type.String() != v.want {
			t.Errorf("%s is %s, want %s", name, c.Type, v.want)
		}
	}
	if got := strings.Join(b.Rows(d, "head", false), ""); !strings.Contains(got, `"categorical":"x"`) ||
		!strings.Contains(got, `"categorical":"7"`) {
		t.Errorf("categories are not stored by name: %s", got)
	}
	b.Sound()
}

func TestVariablesThatAreRefused(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", items)
	two := []schema.Category{{ID: 1, Name: "a"}, {ID: 2, Name: "a"}}
	for _, c := range []struct {
		code string
		n    storage.NewVariable
	}{
		{"variable_exists", storage.NewVariable{Name: "PRICE"}},
		{"reserved_column", storage.NewVariable{Name: "_commit"}},
		{"invalid_column", storage.NewVariable{Name: " "}},
		{"values_count", storage.NewVariable{Name: "x", Values: raw("1")}},
		{"value_mismatch", storage.NewVariable{Name: "x", Type: "BIGINT", Values: raw("1", "null", `"c"`)}},
		{"value_mismatch", storage.NewVariable{Name: "x", Type: "BIGINT", Values: raw("1", "2.5", "3")}},
		{"unknown_type", storage.NewVariable{Name: "x", Type: "NUMBERS"}},
		{"unknown_type", storage.NewVariable{Name: "x", Type: "INTERVAL"}},
		{"unknown_type", storage.NewVariable{Name: "x", Type: "INT), (1"}},
		{"unknown_type", storage.NewVariable{Name: "x", Type: "INT) FROM range(3"}},
		{"unknown_type", storage.NewVariable{Name: "x", Type: "INT) AS (y"}},
		{"invalid_categories", storage.NewVariable{Name: "x", Categories: two}},
		{"invalid_categories", storage.NewVariable{Name: "x", Type: "BIGINT", Categories: two[:1]}},
		{"unknown_category", storage.NewVariable{Name: "x", Categories: two[:1], Values: raw("1", `"a"`, `"b"`)}},
		{"malformed_value", storage.NewVariable{Name: "x", Values: raw("1", `2},{"x":3`, "4")}},
	} {
		b.unchanged(d, c.code, func() error {
			_, _, err := b.CreateVariable(context.Background(), d, c.n, storage.Request{})
			return err
		})
	}
	b.Sound()
}

func TestVariablesAreRenamed(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"category":"x","quality_score":0.5,"v":1}]`)
	first := b.JSON(d, "append", `[{"id":2,"category":"y","quality_score":0.7,"v":2}]`)
	before := stateOf(b, d)
	b.rename(d, "category", "kind")
	b.rename(d, "quality_score", "score")
	b.rename(d, "id", "number")
	commit := b.rename(d, "v", "V")
	if param(commit, "key") != `"Variable.rename"` {
		t.Errorf("the log says %s", commit.Params)
	}
	state, err := b.State(context.Background(), d, "head")
	if err != nil || state.Properties.CategoryColumn != "kind" || state.Properties.QualityColumn != "score" {
		t.Errorf("%+v, %v", state.Properties, err)
	}
	if got := stateOf(b, d); !strings.Contains(got, `{"x":1,"y":1}`) {
		t.Errorf("categories and quality did not follow: %s", got)
	}
	b.JSON(d, "upsert", `[{"number":2,"v":3}]`)
	b.JSON(d, "append", `[{"number":3,"category":"other"}]`)
	b.Want(d, "head", `{"number":1,"kind":"x","score":0.5,"V":1,"category":null}`,
		`{"number":2,"kind":"y","score":0.7,"V":3,"category":null}`,
		`{"number":3,"kind":null,"score":null,"V":null,"category":"other"}`)
	b.Want(d, ref(first), `{"id":1,"category":"x","quality_score":0.5,"v":1}`,
		`{"id":2,"category":"y","quality_score":0.7,"v":2}`)
	for _, c := range []struct{ name, to, code string }{{"kind", "number", "variable_exists"},
		{"kind", "_id", "reserved_column"}, {"kind", "", "invalid_column"}} {
		b.unchanged(d, c.code, func() error {
			_, _, err := b.TryEdit(d, c.name, storage.VariableEdit{Name: &c.to})
			return err
		})
	}
	restored, err := b.Restore(context.Background(), d, ref(first), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if got := stateOf(b, d); got != before {
		t.Errorf("restored\n got %s\nwant %s", got, before)
	}
	b.Undo(d, restored.ID)
	b.Sound()
}

func TestAnEditThatChangesNothingMakesNoCommit(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	head := b.JSON(d, "append", items)
	name, none, typ := "price", "", "float8"
	commit, c := b.edit(d, "price", storage.VariableEdit{Name: &name, Description: &none, Type: &typ,
		Categories: &[]schema.Category{}})
	if commit.ID != 0 || c.Name != "price" {
		t.Errorf("commit %d, %+v", commit.ID, c)
	}
	text := "in euros"
	commit, c = b.edit(d, "price", storage.VariableEdit{Description: &text})
	if commit.Previous != head.ID || c.Description != text || param(commit, "key") != `"Variable.describe"` {
		t.Errorf("commit %+v, %+v", commit, c)
	}
	if _, _, err := b.EditVariable(context.Background(), d, 77, storage.VariableEdit{Name: &name},
		storage.Request{}); err == nil {
		t.Error("there is a variable 77")
	}
	b.Sound()
}

func TestDroppedVariablesStayAway(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	first := b.JSON(d, "append", items)
	before := stateOf(b, d)
	old := b.ColumnID(d, "price")
	commit := b.drop(d, "price")
	after := stateOf(b, d)
	b.Want(d, "head", `{"id":1,"name":"cap"}`, `{"id":2,"name":"pen"}`, `{"id":3,"name":"mug"}`)
	b.Want(d, ref(first), `{"id":1,"name":"cap","price":20.0}`, `{"id":2,"name":"pen","price":1.5}`,
		`{"id":3,"name":"mug","price":null}`)
	r := b.Undo(d, commit.ID)
	if got := stateOf(b, d); got != before {
		t.Errorf("undone\n got %s\nwant %s", got, before)
	}
	b.Undo(d, r.ID)
	if got := stateOf(b, d); got != after {
		t.Errorf("redone\n got %s\nwant %s", got, after)
	}
	b.JSON(d, "append", `[{"id":4,"price":"high"}]`)
	if b.ColumnID(d, "price") == old {
		t.Error("a dropped column came back by its name")
	}
	_, err := b.TryRollback(d, r.ID, storage.Stack)
	if err == nil {
		t.Error("a redo can be redone twice")
	}
	b.unchanged(d, "key_variable", func() error {
		_, err := b.DropVariable(context.Background(), d, b.ColumnID(d, "id"), storage.Request{})
		return err
	})
	b.Sound()
}

// What a variable's commit does is undone with nothing left, and done again, whatever it was.
func TestVariableCommitsAreUndone(t *testing.T) {
	name, text, typ := "cost", "in euros", "VARCHAR"
	ctx := context.Background()
	for what, f := range map[string]func(b *bench, d string) (catalog.Commit, error){
		"create": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.CreateVariable(ctx, d, storage.NewVariable{Name: "x", Values: raw("1", "2", "null")},
				storage.Request{})
			return c, err
		},
		"empty": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.CreateVariable(ctx, d, storage.NewVariable{Name: "x", Type: "DATE"}, storage.Request{})
			return c, err
		},
		"derived": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.CreateVariable(ctx, d, storage.NewVariable{Name: "x", Derivation: "price * 2"}, storage.Request{})
			return c, err
		},
		"rename": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.TryEdit(d, "price", storage.VariableEdit{Name: &name})
			return c, err
		},
		"describe": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.TryEdit(d, "price", storage.VariableEdit{Description: &text})
			return c, err
		},
		"retype": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.TryEdit(d, "price", storage.VariableEdit{Type: &typ})
			return c, err
		},
		"all": func(b *bench, d string) (catalog.Commit, error) {
			c, _, err := b.TryEdit(d, "price", storage.VariableEdit{Name: &name, Description: &text, Type: &typ})
			return c, err
		},
		"drop": func(b *bench, d string) (catalog.Commit, error) {
			return b.DropVariable(ctx, d, b.ColumnID(d, "price"), storage.Request{})
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := open(t)
			d := b.Create("items", "id")
			b.JSON(d, "append", items)
			before := stateOf(b, d)
			c, err := f(b, d)
			if err != nil {
				t.Fatal(err)
			}
			after := stateOf(b, d)
			if after == before {
				t.Fatal("nothing changed")
			}
			r := b.Undo(d, c.ID)
			if got := stateOf(b, d); got != before {
				t.Errorf("undone\n got %s\nwant %s", got, before)
			}
			again := b.Undo(d, r.ID)
			if got := stateOf(b, d); got != after {
				t.Errorf("redone\n got %s\nwant %s", got, after)
			}
			b.Undo(d, again.ID)
			b.JSON(d, "append", `[{"id":9,"price":3}]`)
			b.JSON(d, "upsert", `[{"id":1,"price":4}]`)
			b.Sound()
		})
	}
}
