package storage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/storagetest"
)

func TestVariablesAreMerged(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.variable(f, storage.NewVariable{Name: "n", Values: raw("1", "2", "3")})
	b.derive(f, "twice", "n * 2")
	b.rename(f, "x", "category")
	b.retype(f, "n", "DOUBLE")
	b.drop(f, "category")
	b.JSON(f, "append", `[{"id":4,"n":0.5,"twice":9}]`)
	b.JSON(d, "append", `[{"id":5,"x":"e"}]`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"n":1.0,"twice":2.0}`, `{"id":2,"n":2.0,"twice":4.0}`, `{"id":3,"n":3.0,"twice":6.0}`,
		`{"id":4,"n":0.5,"twice":1.0}`, `{"id":5,"n":null,"twice":null}`)
	b.MakeMerge(d, f)
	if stateRows(b, d) != stateRows(b, f) {
		t.Errorf("%s\n%s", stateRows(b, d), stateRows(b, f))
	}
	b.since(f)
	b.Sound()
}

func stateRows(b *bench, d string) string { return storagetest.ToJSON(b.Rows(d, "head", false)) }

// The same variables on both sides are the same, though each side gave them ids of its own.
func TestVariablesThatBothSidesMade(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	for _, side := range []string{f, d} {
		b.variable(side, storage.NewVariable{Name: "n", Values: raw("1", "2", "3")})
		b.derive(side, "twice", "n * 2")
		b.derive(side, "four", "twice * 2")
	}
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","n":1,"twice":2,"four":4}`, `{"id":2,"x":"b","n":2,"twice":4,"four":8}`,
		`{"id":3,"x":"c","n":3,"twice":6,"four":12}`)
	b.derive(f, "other", "n + 1")
	b.derive(d, "other", "n + 2")
	b.refusedMerge("merge_conflict", d, storage.Merge{Source: f, Autorollback: true})
	b.Sound()
}

// A derivation follows the types of the side that it comes to, or conflicts.
func TestDerivationsThatAreMerged(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("up", "id")
	b.JSON(d, "append", `[{"id":1,"n":1,"m":1}]`)
	b.derive(d, "a", "n + 1")
	b.derive(d, "b", "n + 2")
	f := b.MakeFork(d, "fork", "head")
	b.derive(f, "sum", "n + m")
	b.JSON(d, "append", `[{"id":2,"n":1.5,"m":1}]`)
	b.MakeMerge(f, d)
	if c, _ := b.SchemaAt(d, "head").ByName("sum"); c.Type.Name != schema.Double {
		t.Errorf("sum is %s", c.Type)
	}
	b.derive(f, "more", "m + 1")
	b.drop(d, "sum")
	b.drop(d, "m")
	b.refusedMerge("merge_conflict", d, storage.Merge{Source: f, Autorollback: true})
	g := b.MakeFork(d, "cycle", "head")
	forth, back := "CAST(b AS BIGINT)", "CAST(a AS BIGINT)"
	typ := "BIGINT"
	if _, _, err := b.TryEdit(g, "a", storage.VariableEdit{Derivation: &forth, Type: &typ}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.TryEdit(d, "b", storage.VariableEdit{Derivation: &back, Type: &typ}); err != nil {
		t.Fatal(err)
	}
	_, err := b.Merge(ctx, d, storage.Merge{Source: g, Autorollback: true}, storage.Request{})
	wantRefusal(t, err, "merge_conflict")
	b.Want(d, "head", `{"id":1,"n":1.0,"a":2.0,"b":2}`, `{"id":2,"n":1.5,"a":2.5,"b":2}`)
	b.Sound()
}

func TestRetypesThatAreMerged(t *testing.T) {
	b := open(t)
	d, _ := b.Pair("id")
	b.variable(d, storage.NewVariable{Name: "when", Values: raw(`"2026-01-02"`, `"2026-01-03T04:05:06"`, "null")})
	f := b.MakeFork(d, "second", "head")
	b.retype(f, "when", "TIMESTAMP")
	b.JSON(d, "upsert", `[{"id":3,"when":"2026-02-01"}]`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","when":"2026-01-02 00:00:00"}`, `{"id":2,"x":"b","when":"2026-01-03 04:05:06"}`,
		`{"id":3,"x":"c","when":"2026-02-01 00:00:00"}`)
	g := b.MakeFork(d, "third", "head")
	b.variable(d, storage.NewVariable{Name: "code", Type: "VARCHAR"})
	b.MakeMerge(d, g)
	b.retype(g, "code", "BIGINT")
	b.JSON(d, "upsert", `[{"id":1,"code":"none"}]`)
	b.refusedMerge("merge_conflict", d, storage.Merge{Source: g, Autorollback: true})
	b.Sound()
}

// Records that a filter let through bring their variable as it was named by then; what made and renamed it may follow.
func TestAVariableThatCameBeforeItWasMade(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.variable(f, storage.NewVariable{Name: "n", Type: "VARCHAR", Values: raw(`"A"`, "null", "null")})
	b.rename(f, "n", "m")
	b.JSON(f, "append", `[{"id":4,"m":"D"}]`)
	b.mergeOnly(f, d, "Dataset.append")
	b.MakeMerge(f, d)
	if got, want := stateRows(b, d), stateRows(b, f); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	b.since(f)
	b.Sound()
}

// A conflict of types tells of variables, not of an upload.
func TestARetypeThatDoesNotFitHere(t *testing.T) {
	b := open(t)
	d, _ := b.Pair("id")
	g := b.MakeFork(d, "second", "head")
	b.variable(g, storage.NewVariable{Name: "n", Values: raw("1", "2", "3")})
	b.MakeMerge(g, d)
	h := b.MakeFork(d, "third", "head")
	b.retype(h, "n", "SMALLINT")
	b.JSON(d, "append", `[{"id":4,"n":70000}]`)
	out, e := b.conflicts(h, d, storage.Merge{Autorollback: true})
	want := `Variable "n" would become SMALLINT, which does not hold all the values that it has, or had, here.`
	if out.Conflicts[0].Detail != want || out.Conflicts[0].Variable != "n" {
		t.Errorf("%+v", out.Conflicts[0])
	}
	if strings.Contains(e.Detail, "records offer") {
		t.Error(e.Detail)
	}
}

// A restore, or a rollback of a merge, that gives a name back to the variable which had it first goes through, whatever
// has the name in between.
func TestNamesThatChangedHandsAreGivenBack(t *testing.T) {
	changes := map[string]func(b *bench, d string){
		"replaced": func(b *bench, d string) {
			b.drop(d, "x")
			b.variable(d, storage.NewVariable{Name: "x", Values: raw("1", "2", "3")})
		},
		"renamed": func(b *bench, d string) {
			b.rename(d, "x", "y")
			b.variable(d, storage.NewVariable{Name: "x", Type: "BIGINT"})
		},
		"exchanged": func(b *bench, d string) {
			b.variable(d, storage.NewVariable{Name: "y", Values: raw("1", "2", "3")})
			b.rename(d, "x", "z")
			b.rename(d, "y", "x")
			b.rename(d, "z", "y")
		},
	}
	for name, change := range changes {
		t.Run(name+" and restored", func(t *testing.T) {
			b := open(t)
			d, f := b.Pair("id")
			before := stateRows(b, d)
			change(b, f)
			if _, err := b.Restore(context.Background(), f, "master__000000", storage.Request{}); err != nil {
				t.Fatal(err)
			}
			b.MakeMerge(f, d)
			if got := stateRows(b, d); got != before {
				t.Errorf("%s, want %s", got, before)
			}
			b.Sound()
		})
		t.Run(name+" and rolled back", func(t *testing.T) {
			b := open(t)
			d, f := b.Pair("id")
			before := stateRows(b, d)
			change(b, f)
			m := b.MakeMerge(f, d)
			g := b.MakeFork(d, "later", "head")
			if _, err := b.TryRollback(g, m.Commit.ID, storage.Stack); err != nil {
				t.Fatal(err)
			}
			b.MakeMerge(g, d)
			if got := stateRows(b, d); got != before {
				t.Errorf("%s, want %s", got, before)
			}
			b.Sound()
		})
	}
}

// Records that widen a variable here are no conflict with its new name or description there.
func TestARenamedVariableThatRecordsWidenedHere(t *testing.T) {
	b := open(t)
	d := b.Create("up", "id")
	b.JSON(d, "append", `[{"id":1,"n":1,"s":{"a":1}},{"id":2,"n":2,"s":{"a":2}}]`)
	f := b.MakeFork(d, "fork", "head")
	b.JSON(f, "upsert", `[{"id":1,"s":{"b":1}}]`)
	b.JSON(d, "upsert", `[{"id":2,"n":2.5,"s":{"c":1}}]`)
	b.rename(f, "n", "m")
	b.rename(f, "s", "t")
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"m":1.0,"t":{"a":1,"c":null,"b":1}}`, `{"id":2,"m":2.5,"t":{"a":2,"c":1,"b":null}}`)
	b.MakeMerge(d, f)
	b.rename(f, "t", "u")
	b.MakeMerge(f, d)
	b.since(f)
	b.Sound()
}
