package storage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// A retyped column reads with its new type in every file, and writes compare with that.
func TestRetypedVariables(t *testing.T) {
	for _, c := range []struct {
		from, to     string // values in JSON
		typ          string
		upsert, more string // the same value as it is now; another one
	}{
		{`1`, `"1"`, "VARCHAR", `"1"`, `"abc"`},
		{`1.5`, `1.5`, "DECIMAL(10,2)", `1.5`, `2.25`},
		{`1.0`, `1`, "BIGINT", `1`, `2`},
		{`"2026-01-31"`, `"2026-01-31"`, "DATE", `"2026-01-31"`, `"2026-02-01"`},
		{`"12"`, `12`, "INTEGER", `12`, `13`},
		{`[1,2]`, `["1","2"]`, "VARCHAR[]", `["1","2"]`, `["x"]`},
		{`{"a":1}`, `{"a":"1"}`, "STRUCT(a VARCHAR)", `{"a":"1"}`, `{"a":"x"}`},
		{`true`, `"true"`, "VARCHAR", `"true"`, `"yes"`},
	} {
		t.Run(c.from+" to "+c.typ, func(t *testing.T) {
			b := open(t)
			d := b.Create("x", "id")
			b.JSON(d, "append", `[{"id":1,"v":`+c.from+`},{"id":2,"v":null}]`)
			two := b.JSON(d, "upsert", `[{"id":3,"v":`+c.from+`}]`)
			gone := b.JSON(d, "delete", `[{"id":3}]`)
			before := stateOf(b, d)
			retyped := b.retype(d, "v", c.typ)
			after := stateOf(b, d)
			b.Want(d, "head", `{"id":1,"v":`+c.to+`}`, `{"id":2,"v":null}`)
			if same := b.JSON(d, "upsert", `[{"id":1,"v":`+c.upsert+`}]`); storagetest.Counts(same) != "+0 -0 ~0 =2" {
				t.Errorf("the same value is a change: %s", storagetest.Counts(same))
			}
			other := b.JSON(d, "upsert", `[{"id":2,"v":`+c.more+`}]`)
			b.Undo(d, other.ID)
			if _, err := b.TryRollback(d, gone.ID, storage.Records); err != nil {
				t.Fatal(err)
			}
			b.Want(d, "head", `{"id":1,"v":`+c.to+`}`, `{"id":2,"v":null}`, `{"id":3,"v":`+c.to+`}`)
			b.JSON(d, "delete", `[{"id":3}]`)
			if got := stateOf(b, d); got != after {
				t.Errorf("got %s\nwant %s", got, after)
			}
			b.Want(d, ref(two), `{"id":1,"v":`+c.from+`}`, `{"id":2,"v":null}`, `{"id":3,"v":`+c.from+`}`)
			b.Undo(d, retyped.ID)
			if got := stateOf(b, d); got != before {
				t.Errorf("undone\n got %s\nwant %s", got, before)
			}
			b.Sound()
		})
	}
}

// A column that had no type yet, then one, and after a restore another: what lies in files in the one is read as null
// in the other, whatever the two are.
func TestAColumnGetsAnotherTypeAfterARestore(t *testing.T) {
	t.Parallel()
	b := open(t)
	values := []string{`{"p":1}`, `{"q r":2}`, `[{"p":1}]`, `[{"q r":2}]`, `{"p":{"x":1}}`, `{"p":{"y":2}}`, `1`, `"text"`}
	half := rand.IntN(2) // of the pairs, in each run
	for i, first := range values {
		for j, second := range values {
			if i != j && (i+j)%2 == half {
				b.typesAnew(fmt.Sprint(i, " ", j), first, second)
			}
		}
	}
	b.Sound()
}

// typesAnew gives a column values of one type, goes back, and gives it values of another.
func (b *bench) typesAnew(name, first, second string) {
	b.Helper()
	d := b.Create(name, "id")
	none := b.JSON(d, "append", `[{"id":1,"v":null},{"id":2,"v":null}]`)
	one := b.JSON(d, "overwrite", `[{"id":1,"v":`+first+`}]`)
	fork := b.MakeFork(d, name+" fork", ref(one))
	_, err := b.Restore(b.Context(), d, ref(none), storage.Request{})
	b.Must(err)
	two := b.JSON(d, "overwrite", `[{"id":2,"v":`+second+`}]`)
	b.Want(d, ref(one), `{"id":1,"v":`+first+`}`, `{"id":2,"v":null}`)
	b.Want(d, ref(two), `{"id":1,"v":null}`, `{"id":2,"v":`+second+`}`)
	for _, pair := range [][2]catalog.Commit{{one, two}, {two, one}} {
		if n := b.modified(d, pair[0], pair[1]); n != 2 {
			b.Errorf("%s, then %s: %d records differ", first, second, n)
		}
	}
	// The fork changed the record that the dataset reset, which is read in both types.
	b.JSON(fork, "overwrite", `[{"id":1,"v":null},{"id":2,"v":`+first+`}]`)
	_, err = b.Merge(b.Context(), fork, storage.Merge{Source: d}, storage.Request{})
	if err != nil && fault.KindOf(err) != fault.Conflict {
		b.Errorf("%s, then %s: %v", first, second, err)
	}
}

// modified is how many records differ between the states at two commits.
func (b *bench) modified(d string, from, to catalog.Commit) int64 {
	b.Helper()
	conn, err := b.Conn(b.Context())
	b.Must(err)
	defer conn.Close()
	before, err := b.Snapshot(b.Context(), d, ref(from))
	b.Must(err)
	after, err := b.Snapshot(b.Context(), d, ref(to))
	b.Must(err)
	got, err := snapshot.Diff(before, after).Count(b.Context(), conn)
	b.Must(err)
	return got.Modified
}

func TestRetypesThatAreRefused(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"text":"12","n":1.5,"at":"2026-01-31"}]`)
	b.JSON(d, "upsert", `[{"id":1,"text":"x","at":"never"}]`)
	b.JSON(d, "upsert", `[{"id":1,"text":"13","at":"2026-02-01"}]`)
	b.JSON(d, "delete", `[{"id":1}]`)
	b.variable(d, storage.NewVariable{Name: "double", Derivation: "n * 2"})
	for _, c := range []struct{ name, to, code string }{
		{"text", "BIGINT", "retype_impossible"}, // x is not live, and may be again
		{"at", "DATE", "retype_impossible"},
		{"n", "BIGINT", "retype_impossible"}, // it would be rounded
		{"n", "DATE", "retype_impossible"},
		{"id", "VARCHAR", "key_variable"},
		{"double", "VARCHAR", "derived_variable"},
		{"n", "BIG", "unknown_type"},
		{"n", "STRUCT(", "unknown_type"},
	} {
		b.unchanged(d, c.code, func() error {
			_, _, err := b.TryEdit(d, c.name, storage.VariableEdit{Type: &c.to})
			return err
		})
	}
	b.Sound()
}

// Each change of type sees the values as people saw them, whatever type the file has that they lie in.
func TestRetypedTwice(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	one := b.JSON(d, "append", `[{"id":1,"v":1.0}]`)
	b.retype(d, "v", "BIGINT")
	b.JSON(d, "append", `[{"id":2,"v":2}]`)
	bigint := b.retype(d, "v", "VARCHAR")
	b.JSON(d, "append", `[{"id":3,"v":"3"}]`)
	b.Want(d, "head", `{"id":1,"v":"1"}`, `{"id":2,"v":"2"}`, `{"id":3,"v":"3"}`)
	b.Want(d, ref(one), `{"id":1,"v":1.0}`)
	b.Undo(d, bigint.ID)
	b.Want(d, "head", `{"id":1,"v":1}`, `{"id":2,"v":2}`, `{"id":3,"v":3}`)
	b.retype(d, "v", "DOUBLE")
	b.Want(d, "head", `{"id":1,"v":1.0}`, `{"id":2,"v":2.0}`, `{"id":3,"v":3.0}`)
	b.Sound()
}

// Values that do not fit the type of before are in the way of undoing a change of type, and of what would bring them
// back.
func TestUndoneRetypesLeaveNothingUnreadable(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":1}]`)
	retyped := b.retype(d, "v", "VARCHAR")
	added := b.JSON(d, "append", `[{"id":2,"v":"abc"}]`)
	b.unchanged(d, "type_taken", func() error { _, err := b.TryRollback(d, retyped.ID, storage.Stack); return err })
	undone := b.Undo(d, added.ID)
	b.Undo(d, retyped.ID)
	b.Want(d, "head", `{"id":1,"v":1}`)
	b.unchanged(d, "type_taken", func() error { _, err := b.TryRollback(d, undone.ID, storage.Stack); return err })
	b.JSON(d, "append", `[{"id":3,"v":2.5}]`) // widens: values that are not live, and no numbers, are not in the way
	b.Want(d, "head", `{"id":1,"v":1.0}`, `{"id":3,"v":2.5}`)
	b.Sound()
}

// Comparisons see each side as it is read there.
func TestComparingAcrossRetypes(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("x", "id")
	one := b.JSON(d, "append", `[{"id":1,"v":1.0,"w":"a"},{"id":2,"v":2.0,"w":"a"},{"id":3,"v":3.0,"w":"a"}]`)
	b.retype(d, "v", "BIGINT")
	b.retype(d, "v", "VARCHAR")
	b.JSON(d, "upsert", `[{"id":1,"w":"b"},{"id":2,"v":"two"}]`)
	from, err := b.Snapshot(ctx, d, ref(one))
	if err != nil {
		t.Fatal(err)
	}
	to, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := snapshot.Diff(from, to).Count(ctx, conn)
	if err != nil || storagetest.ToJSON(got) != `{"Added":0,"Removed":0,"Modified":2,"Columns":{"v":2,"w":1}}` {
		t.Errorf("%s, %v", storagetest.ToJSON(got), err)
	}
	mirror, err := snapshot.Diff(to, from).Count(ctx, conn)
	if err != nil || storagetest.ToJSON(mirror) != storagetest.ToJSON(got) {
		t.Errorf("%s, %v", storagetest.ToJSON(mirror), err)
	}
	restored, err := b.Restore(ctx, d, ref(one), storage.Request{})
	if err != nil || storagetest.Counts(restored) != "+0 -0 ~2 =3" {
		t.Errorf("%s, %v", storagetest.Counts(restored), err)
	}
	b.Want(d, "head", `{"id":1,"v":1.0,"w":"a"}`, `{"id":2,"v":2.0,"w":"a"}`, `{"id":3,"v":3.0,"w":"a"}`)
	b.Undo(d, restored.ID)
	b.Want(d, "head", `{"id":1,"v":"1","w":"b"}`, `{"id":2,"v":"two","w":"a"}`, `{"id":3,"v":"3","w":"a"}`)
	b.Sound()
}

// Quality and categories are of the values as they read now.
func TestMeasuresAcrossRetypes(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"category":1.0,"quality_score":"0.5"},{"id":2,"category":2.0,"quality_score":"1"}]`)
	b.retype(d, "category", "BIGINT")
	b.retype(d, "quality_score", "DOUBLE")
	b.JSON(d, "append", `[{"id":3,"category":1,"quality_score":0.0}]`)
	b.retype(d, "category", "VARCHAR")
	if got := stateOf(b, d); !strings.Contains(got, `{"Average":0.5,"IsShare":true}{"1":2,"2":1}`) {
		t.Errorf("got %s", got)
	}
	b.Sound()
}

// A drop, a rename and a later column of that name: nothing gets two columns of one name.
func TestNamesThatAreTakenBlock(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"a":1,"b":1}]`)
	renamed := b.rename(d, "a", "c")
	dropped := b.drop(d, "b")
	b.JSON(d, "append", `[{"id":2,"a":2,"b":2}]`)
	b.unchanged(d, "column_taken", func() error { _, err := b.TryRollback(d, renamed.ID, storage.Stack); return err })
	b.unchanged(d, "column_taken", func() error { _, err := b.TryRollback(d, dropped.ID, storage.Stack); return err })
	text := "later"
	b.edit(d, "c", storage.VariableEdit{Description: &text})
	_, err := b.TryRollback(d, renamed.ID, storage.Stack)
	wantRefusal(t, err, "rollback_blocked")
	b.Sound()
}

// What people dropped stays away where rows come back that have it.
func TestRowsComeBackWithoutDroppedVariables(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	one := b.JSON(d, "append", `[{"id":1,"a":1,"b":1}]`)
	b.JSON(d, "append", `[{"id":2,"a":2,"b":2}]`)
	restored, err := b.Restore(context.Background(), d, ref(one), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	widened := b.JSON(d, "append", `[{"id":3,"b":3.5}]`)
	b.drop(d, "b")
	b.Undo(d, restored.ID)
	b.Undo(d, widened.ID)
	b.Want(d, "head", `{"id":1,"a":1}`, `{"id":2,"a":2}`)
	b.Sound()
}

// The objects alone tell all of it.
func TestVariablesSurviveTheCatalog(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"a":1,"b":"x"}]`)
	b.variable(d, storage.NewVariable{Name: "kind", Categories: []schema.Category{{ID: 1, Name: "x"}}, Values: raw("1")})
	b.variable(d, storage.NewVariable{Name: "twice", Derivation: "a * 2", Description: "doubled"})
	b.rename(d, "a", "A")
	b.retype(d, "A", "DOUBLE")
	b.drop(d, "b")
	before := stateOf(b, d)
	b.LoseCatalog()
	if got := stateOf(b, d); got != before {
		t.Errorf("rebuilt\n got %s\nwant %s", got, before)
	}
	_, c := b.variable(d, storage.NewVariable{Name: "b"})
	if c.ID != 6 {
		t.Errorf("a field id was given again: %d", c.ID)
	}
	b.Sound()
}
