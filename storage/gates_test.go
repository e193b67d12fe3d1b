package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

func (b *bench) gates(d string) string {
	b.Helper()
	s, err := b.State(context.Background(), d, "head")
	if err != nil {
		b.Fatal(err)
	}
	return storagetest.ToJSON(storage.Gates(s))
}

// failing are the gates that refuse something, each with its outcome, number of records, and the records.
func failing(err error) string {
	if err == nil {
		return ""
	}
	e := storage.Explain(err)
	if e.Code != "gate_failed" && e.Code != "gate_error" {
		return e.Code + ": " + e.Detail
	}
	var out []string
	for _, r := range e.Fields["gates"].([]gating.Result) {
		line := fmt.Sprintf("%s %s %d", r.Gate, r.Outcome, r.Failed)
		for _, one := range r.Records {
			line += " " + storagetest.ToJSON(one)
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}

func TestAGateRefusesWhatFailsItAndNamesTheRecords(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1,"t":"x","category":"k","quality_score":0.9},
		{"id":2,"a":2,"t":"y","category":"l","quality_score":0.5}]`)
	for _, c := range []struct{ gate, mode, body, want string }{
		{`{"name":"g","kind":"not_null","columns":["a","t"]}`, "append", `[{"id":3,"a":null,"t":"z"},{"id":4,"a":1,"t":"z"}]`,
			`g failed 1 {"record":1,"key":{"id":"3"},"values":{"a":null,"t":"z"}}`},
		{`{"name":"g","kind":"not_null","columns":["a"]}`, "upsert", `[{"id":1,"a":null},{"id":4,"t":"z"}]`,
			`g failed 2 {"key":{"id":"1"},"values":{"a":null}} {"key":{"id":"4"},"values":{"a":null}}`},
		{`{"name":"g","kind":"not_null","columns":["a"]}`, "delete", `[{"id":1}]`, ""},
		{`{"name":"g","kind":"unique","columns":["t"]}`, "append", `[{"id":3,"t":"x"},{"id":4,"t":"new"}]`,
			`g failed 2 {"key":{"id":"1"},"values":{"t":"x"}} {"key":{"id":"3"},"values":{"t":"x"}}`},
		{`{"name":"g","kind":"unique","columns":["t","a"]}`, "append", `[{"id":3,"t":"x"},{"id":4,"t":"x"}]`, ""},
		{`{"name":"g","kind":"accepted_values","columns":["a"],"values":[1,2,"3"]}`, "append",
			`[{"id":3,"a":3},{"id":4,"a":4}]`,
			`g failed 1 {"record":2,"key":{"id":"4"},"values":{"a":"4"}}`},
		{`{"name":"g","kind":"range","columns":["a"],"minimum":0,"maximum":10}`, "overwrite",
			`[{"id":1,"a":11},{"id":2,"a":10}]`,
			`g failed 1 {"key":{"id":"1"},"values":{"a":"11"}}`},
		{`{"name":"g","kind":"minimum_quality","minimum":0.8}`, "append", `[{"id":3,"quality_score":0.95}]`, `g failed 0`},
		{`{"name":"g","kind":"minimum_quality","minimum":0.8}`, "append",
			`[{"id":3,"quality_score":1},{"id":4,"quality_score":1}]`, ``},
		{`{"name":"g","kind":"minimum_quality","minimum":0.8,"of":"record"}`, "append", `[{"id":3,"quality_score":0.7}]`,
			`g failed 1 {"record":1,"key":{"id":"3"},"values":{"quality_score":"0.7"}}`},
		{`{"name":"g","kind":"no_category_lost"}`, "delete", `[{"id":1}]`, `g failed 0`},
		{`{"name":"g","kind":"row_count","minimum":1,"maximum":3}`, "append", `[{"id":3},{"id":4}]`, `g failed 0`},
		{`{"name":"g","kind":"row_count","minimum":2}`, "delete", `[{"id":1}]`, `g failed 0`},
		{`{"name":"g","kind":"condition","condition":"a > 0 AND length(t) = 1"}`, "append",
			`[{"id":3,"a":0,"t":"x"},{"id":4,"a":1,"t":"xx"},{"id":5,"t":"x"}]`,
			`g failed 2 {"record":1,"key":{"id":"3"},"values":{"a":"0","t":"x"}} ` +
				`{"record":2,"key":{"id":"4"},"values":{"a":"1","t":"xx"}}`},
		{`{"name":"g","kind":"query",
			"query":"SELECT id, n.a - o.a AS grew FROM new n JOIN old o USING (id) WHERE n.a > 2 * o.a;"}`, "upsert",
			`[{"id":1,"a":3},{"id":2,"a":4}]`, `g failed 1 {"key":{"id":"1"},"values":{"grew":"2"}}`},
		{`{"name":"g","kind":"query",
			"query":"SELECT * EXCLUDE (before, after) FROM changes WHERE _change = 'removed'"}`, "delete",
			`[{"id":1},{"id":9}]`, `g failed 1 {"key":{"id":"1"},"values":{"_change":"removed"}}`},
	} {
		b.UseGates(d, c.gate)
		before := b.Told()
		_, err := b.Try(d, catalog.Mode(c.mode), intake.JSON, c.body)
		if got := failing(err); got != c.want {
			t.Errorf("%s\n%s %s\n got %s\nwant %s", c.gate, c.mode, c.body, got, c.want)
		}
		if err != nil && b.Told() != before {
			t.Errorf("%s: a refused commit left %s", c.gate, b.Told())
		}
		if err == nil {
			b.Undo(d, b.HeadID(d))
		}
	}
	b.Sound()
}

// Their order is the one in which they were set, and all that are not passed are told.
func TestGatesThatWarnAreInTheCommit(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1}]`)
	b.UseGates(d, `{"name":"soft","kind":"not_null","columns":["a"],"action":"warn"}`,
		`{"name":"later","kind":"row_count","maximum":1,"when":["version"]}`)
	c := b.JSON(d, "append", `[{"id":2,"a":null}]`)
	if got := storagetest.ToJSON(c.Effects.GatesFailed) + storagetest.ToJSON(c.Effects.Warnings); got !=
		`["soft"]["The gate soft fails for one record."]` {
		t.Error(got)
	}
	_, err := b.Increment(context.Background(), d, storagetest.Forced("major", ""), storage.Request{})
	if got := failing(err); got != "later failed 0" {
		t.Error(got)
	}
	b.LoseCatalog()
	again, err := b.CommitByID(context.Background(), d, c.ID)
	if err != nil || storagetest.ToJSON(again.Effects) != storagetest.ToJSON(c.Effects) {
		t.Error(storagetest.ToJSON(again.Effects), err)
	}
	b.Sound()
}

func TestGatesAreKept(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("items", "id")
	first := b.JSON(d, "append", `[{"id":1,"a":1}]`)
	b.UseGates(d, `{"name":"c","kind":"condition","condition":"a > 0"}`, `{"name":"n","kind":"not_null","columns":["a"]}`)
	set := b.HeadID(d)
	want := `[{"name":"c","kind":"condition","when":["commit","merge"],"action":"refuse","condition":"\"b\" \u003e 0"},` +
		`{"name":"n","kind":"not_null","when":["commit","merge"],"action":"refuse","columns":["b"]}]`
	b.rename(d, "a", "b")
	check := func(what, d string) {
		t.Helper()
		if got := b.gates(d); got != want {
			t.Errorf("%s: %s", what, got)
		}
	}
	check("renamed", d)
	b.LoseCatalog()
	check("rebuilt", d)
	f := b.MakeFork(d, "fork", "head")
	check("forked", f)
	_, err := b.Try(f, "append", intake.JSON, `[{"id":2,"b":0}]`)
	wantRefusal(t, err, "gate_failed")
	_, archive := b.Archive(d, "head")
	made, err := b.CreateFromBackup(ctx, bytes.NewReader(archive), "again", 1, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	check("from an archive", made.Dataset.ID)
	if _, err := b.Restore(ctx, d, fmt.Sprint(first.ID), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	want = strings.ReplaceAll(strings.ReplaceAll(want, `\"b\"`, `\"a\"`), `"b"`, `"a"`)
	check("restored", d)
	_, err = b.TryRollback(d, set, storage.Stack)
	wantRefusal(t, err, "gates_stay")
	b.Sound()
}

// A column that a gate reads can't be dropped before the gate is, and what can't be evaluated can always be changed.
func TestAGateThatCannotBeEvaluatedRefusesUntilItIsChanged(t *testing.T) {
	b := reopen(t, t.TempDir(), storage.Options{Gates: 2 * time.Second})
	ctx := context.Background()
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1,"b":1}]`)
	b.UseGates(d, `{"name":"a","kind":"not_null","columns":["a"]}`,
		`{"name":"q","kind":"query","query":"SELECT * FROM new WHERE b < 0"}`)
	_, err := b.DropVariable(ctx, d, b.ColumnID(d, "a"), storage.Request{})
	if got := failing(err); got != "a error 0" {
		t.Error(got)
	}
	name := "c"
	_, _, err = b.TryEdit(d, "b", storage.VariableEdit{Name: &name})
	if got := failing(err); got != "q error 0" {
		t.Error(got)
	}
	for _, sql := range []string{
		"SELECT count(*) AS n FROM range(100000000000) a, range(1000000) b HAVING n > 0 AND (SELECT count(*) > 0 FROM new)",
		"SELECT error('no') FROM new",
	} {
		b.UseGates(d, fmt.Sprintf(`{"name":"q","kind":"query","query":%q}`, sql))
		before := b.Told()
		_, err := b.Try(d, "append", intake.JSON, `[{"id":2,"a":2}]`)
		if got := failing(err); got != "q error 0" {
			t.Error(got, err)
		}
		if b.Told() != before {
			t.Error("it left something")
		}
	}
	b.UseGates(d)
	b.JSON(d, "append", `[{"id":2,"a":2}]`)
	b.Sound()
}

func TestGatesThatCannotBeMeantAreRefused(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.Create("others", "id")
	b.JSON(d, "append", `[{"id":1,"a":1,"l":[1],"t":"x"}]`)
	for _, text := range []string{
		`{"name":"","kind":"not_null","columns":["a"]}`,
		`{"name":"a/b","kind":"not_null","columns":["a"]}`,
		`{"name":"g","kind":"nothing"}`,
		`{"name":"g","kind":"not_null"}`,
		`{"name":"g","kind":"not_null","columns":["nothing"]}`,
		`{"name":"g","kind":"not_null","columns":["a"],"minimum":1}`,
		`{"name":"g","kind":"not_null","columns":["a"],"when":["never"]}`,
		`{"name":"g","kind":"not_null","columns":["a"],"action":"shout"}`,
		`{"name":"g","kind":"accepted_values","columns":["a"],"values":["one"]}`,
		`{"name":"g","kind":"accepted_values","columns":["a"],"values":[[1]]}`,
		`{"name":"g","kind":"range","columns":["l"],"minimum":1}`,
		`{"name":"g","kind":"range","columns":["a"]}`,
		`{"name":"g","kind":"range","columns":["a"],"minimum":0.5}`,
		`{"name":"g","kind":"accepted_values","columns":["a"],"values":[1.5]}`,
		`{"name":"g","kind":"minimum_quality","minimum":0.5}`,
		`{"name":"g","kind":"no_category_lost"}`,
		`{"name":"g","kind":"row_count","minimum":-1}`,
		`{"name":"g","kind":"minimum_quality","minimum":"high"}`,
		`{"name":"g","kind":"condition","condition":"a > "}`,
		`{"name":"g","kind":"condition","condition":"nothing > 1"}`,
		`{"name":"g","kind":"condition","condition":"a"}`,
		`{"name":"g","kind":"condition","condition":"a > 0) OR (true"}`,
		`{"name":"g","kind":"condition","condition":"random() > 0.5"}`,
		`{"name":"g","kind":"query","query":"SELECT * FROM others"}`,
		`{"name":"g","kind":"query","query":"SELECT * FROM read_csv('/etc/passwd')"}`,
		`{"name":"g","kind":"query","query":"SELECT * FROM '/etc/passwd'"}`,
		`{"name":"g","kind":"query","query":"SELECT nothing FROM new"}`,
		`{"name":"g","kind":"query","query":"DELETE FROM new"}`,
		`{"name":"g","kind":"query","query":"SELECT 1; SELECT 2"}`,
		`{"name":"g","kind":"query","query":"SELECT * FROM new WHERE a = ?"}`,
		`{"name":"g","kind":"query","query":"SELECT * FROM rowback.datasets"}`,
		`{"name":"g","kind":"query","query":"SELECT getenv('HOME')"}`,
	} {
		before := b.Told()
		e := storage.Explain(b.TryGates(d, text))
		if e.Code != "invalid_gate" || b.Told() != before {
			t.Errorf("%s: %s %s", text, e.Code, e.Detail)
		}
	}
	wantRefusal(t, b.TryGates(d, `{"name":"g","kind":"row_count","minimum":1}`,
		`{"name":"g","kind":"row_count","minimum":2}`), "invalid_gate")
}

func TestAMergeMustPassTheGatesOfItsTarget(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1}]`)
	f := b.MakeFork(d, "fork", "head")
	b.UseGates(d, `{"name":"g","kind":"condition","condition":"a > 0","when":["merge"]}`)
	b.JSON(f, "append", `[{"id":2,"a":0}]`)
	b.JSON(f, "upsert", `[{"id":1,"a":5}]`)
	before := b.Told()
	for _, preview := range []*storage.Preview{nil, {}} {
		_, err := b.Merge(ctx, d, storage.Merge{Source: f, Autorollback: true}, storage.Request{Preview: preview})
		if got := failing(err); got != `g failed 1 {"key":{"id":"2"},"values":{"a":"0"}}` {
			t.Error(got, err)
		}
	}
	if b.Told() != before {
		t.Error("a refused merge left something")
	}
	// What a later action mended is not what the merge brings.
	b.JSON(f, "upsert", `[{"id":2,"a":1}]`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"a":5}`, `{"id":2,"a":1}`)
	b.Sound()
}

// Going back is never refused: it says what fails.
func TestWhatUndoesIsNotRefused(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":-1}]`)
	mended := b.JSON(d, "upsert", `[{"id":1,"a":1}]`)
	b.UseGates(d, `{"name":"g","kind":"condition","condition":"a > 0"}`)
	c, err := b.TryRollback(d, mended.ID, storage.Stack)
	if err != nil || storagetest.ToJSON(c.Effects.GatesFailed) != `["g"]` {
		t.Error(storagetest.ToJSON(c.Effects), err)
	}
	b.Want(d, "head", `{"id":1,"a":-1}`)
	b.Store.Close()
	b.Store = reopen(t, b.Dir, storage.Options{Gates: time.Nanosecond}).Store
	c, err = b.TryRollback(d, c.ID, storage.Stack)
	if err != nil || storagetest.ToJSON(c.Effects.GatesFailed) != `["g"]` {
		t.Error(storagetest.ToJSON(c.Effects), err)
	}
	_, err = b.Try(d, "append", intake.JSON, `[{"id":2,"a":1}]`)
	wantRefusal(t, err, "gate_error")
	b.Sound()
}

func TestAReportReadsTheWholeState(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("items", "id")
	first := b.JSON(d, "append", `[{"id":1,"a":-1},{"id":2,"a":2}]`)
	b.JSON(d, "append", `[{"id":3,"a":-3}]`)
	b.UseGates(d, `{"name":"g","kind":"condition","condition":"a > 0"}`, `{"name":"n","kind":"not_null","columns":["a"]}`,
		`{"name":"q","kind":"query","query":"SELECT * FROM changes"}`)
	results, err := b.ReportGates(ctx, d, storage.GateReport{})
	if err != nil || len(results) != 3 || results[0].Failed != 2 || results[1].Outcome != gating.Passed ||
		results[2].Failed != 0 {
		t.Error(storagetest.ToJSON(results), err)
	}
	results, err = b.ReportGates(ctx, d, storage.GateReport{Ref: fmt.Sprint(first.ID), Gates: []string{"q"}})
	if err != nil || len(results) != 1 || results[0].Failed != 2 {
		t.Error(storagetest.ToJSON(results), err)
	}
	_, err = b.ReportGates(ctx, d, storage.GateReport{Gates: []string{"other"}})
	wantRefusal(t, err, "gate_not_found")
}

func TestADryRunEvaluatesGates(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1}]`)
	b.UseGates(d, `{"name":"g","kind":"not_null","columns":["a"]}`)
	p := &storage.Preview{}
	change := storage.Change{Mode: "append", Upload: b.Upload(intake.JSON, `[{"id":2,"a":1}]`)}
	change.Preview = p
	_, err := b.Commit(context.Background(), d, change)
	if err != nil || len(p.Gates) != 1 || p.Gates[0].Outcome != gating.Passed {
		t.Error(storagetest.ToJSON(p.Gates), err)
	}
	change.Upload = b.Upload(intake.JSON, `[{"id":2,"a":null}]`)
	_, err = b.Commit(context.Background(), d, change)
	wantRefusal(t, err, "gate_failed")
}

// A commit that is refused in a group does not affect the others, which are made on each other's files before these are
// published.
func TestGatesInAGroup(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	b.JSON(d, "append", `[{"id":1,"a":1}]`)
	b.UseGates(d, `{"name":"n","kind":"not_null","columns":["a"]}`, `{"name":"r","kind":"row_count","maximum":4}`)
	answers := b.grouped(d, sent{mode: "append", body: `[{"id":2,"a":1}]`},
		sent{mode: "append", body: `[{"id":3,"a":null}]`},
		sent{mode: "upsert", body: `[{"id":2,"a":5},{"id":4,"a":null}]`},
		sent{mode: "append", body: `[{"id":5,"a":1},{"id":6,"a":1}]`},
		sent{mode: "append", body: `[{"id":7,"a":1}]`})
	var told []string
	for _, a := range answers {
		told = append(told, failing(a.err))
	}
	want := []string{
		"", `n failed 1 {"record":1,"key":{"id":"3"},"values":{"a":null}}`,
		`n failed 1 {"key":{"id":"4"},"values":{"a":null}}`,
		"", "r failed 0",
	}
	if storagetest.ToJSON(told) != storagetest.ToJSON(want) {
		t.Errorf("%s", storagetest.ToJSON(told))
	}
	b.Want(d, "head", `{"id":1,"a":1}`, `{"id":2,"a":1}`, `{"id":5,"a":1}`, `{"id":6,"a":1}`)
	b.Sound()
}

// Columns that are computed, and records that have no key but the one that the server gives them.
func TestGatesOnDerivedColumnsAndOnRecordsWithoutAKey(t *testing.T) {
	b := open(t)
	d := b.Create("items")
	b.JSON(d, "append", `[{"a":1,"t":"x"},{"a":2,"t":"y"}]`)
	b.variable(d, storage.NewVariable{Name: "twice", Derivation: "a * 2"})
	for _, c := range []struct{ gate, mode, body, want string }{
		{`{"name":"g","kind":"range","columns":["twice"],"maximum":10}`, "append", `[{"a":5},{"a":6}]`,
			`g failed 1 {"record":2,"values":{"twice":"12"}}`},
		{`{"name":"g","kind":"condition","condition":"twice < 10 AND _id < 100"}`, "append", `[{"a":4},{"a":5}]`,
			`g failed 1 {"record":2,"values":{"twice":"10"}}`},
		{`{"name":"g","kind":"condition","condition":"twice < 10"}`, "upsert", `[{"_id":1,"a":6}]`,
			`g failed 1 {"key":{"_id":"1"},"values":{"twice":"12"}}`},
		{`{"name":"g","kind":"unique","columns":["twice"]}`, "append", `[{"a":2}]`,
			`g failed 2 {"key":{"_id":"2"},"values":{"twice":"4"}} {"key":{"_id":"3"},"values":{"twice":"4"}}`},
		{`{"name":"g","kind":"query","query":"SELECT _id, twice FROM new WHERE twice > 10"}`, "upsert", `[{"_id":1,"a":6}]`,
			`g failed 1 {"key":{"_id":"1"},"values":{"twice":"12"}}`},
	} {
		b.UseGates(d, c.gate)
		_, err := b.Try(d, catalog.Mode(c.mode), intake.JSON, c.body)
		if got := failing(err); got != c.want {
			t.Errorf("%s\n%s %s\n got %s\nwant %s", c.gate, c.mode, c.body, got, c.want)
		}
	}
	// A derivation that changes makes other values of the records that are there.
	b.UseGates(d, `{"name":"g","kind":"range","columns":["twice"],"maximum":10}`)
	more := "a * 9"
	_, _, err := b.TryEdit(d, "twice", storage.VariableEdit{Derivation: &more})
	if got := failing(err); got != `g failed 1 {"key":{"_id":"2"},"values":{"twice":"18"}}` {
		t.Error(got, err)
	}
	b.Sound()
}

// A commit that may have to wait for a gate becomes durable by itself; those with quick gates share a transaction.
func TestSlowGatesAreNoPartOfAGroup(t *testing.T) {
	for gate, want := range map[string]int{
		`{"name":"g","kind":"not_null","columns":["a"]}`:         1,
		`{"name":"g","kind":"condition","condition":"a > 0"}`:    3,
		`{"name":"g","kind":"row_count","maximum":1000000}`:      1,
		`{"name":"g","kind":"unique","columns":["a"]}`:           3,
		`{"name":"g","kind":"query","query":"SELECT 1 LIMIT 0"}`: 3,
	} {
		c := &transactions{}
		b := reopen(t, t.TempDir(), storage.Options{Hook: c.hook})
		d := b.Create("items", "id")
		b.JSON(d, "append", `[{"id":1,"a":1}]`)
		b.UseGates(d, gate)
		before := c.n
		for _, a := range b.grouped(d, sent{mode: "append", body: `[{"id":2,"a":2}]`},
			sent{mode: "append", body: `[{"id":3,"a":3}]`}, sent{mode: "append", body: `[{"id":4,"a":4}]`}) {
			b.Must(a.err)
		}
		if got := c.n - before; got != want {
			t.Errorf("%s: %d transactions, not %d", gate, got, want)
		}
	}
}
