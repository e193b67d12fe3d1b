package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// viewed is a view as clients get it.
func viewed(t *testing.T, view any) (out map[string]any) {
	t.Helper()
	text, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestADatasetWithoutCommitsWasModifiedWhenItWasMade(t *testing.T) {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := snapshot.State{Dataset: catalog.Dataset{ID: "d", CreatedAt: made}}
	got := viewed(t, viewDataset(s))
	if got["modified_at"] != "2026-01-01T00:00:00Z" || got["head"] != 0.0 || !reflect.DeepEqual(got["key"], []any{}) {
		t.Error(got)
	}
	for _, name := range []string{"deleted_at", "upstream_id", "fork_commit", "quality_column", "category_column"} {
		if value, ok := got[name]; !ok || value != nil {
			t.Errorf("%s is %v, want null", name, value)
		}
	}
	s.Commit = catalog.Commit{ID: 4, CreatedAt: made.Add(time.Hour), Total: 9}
	s.Dataset.DeletedAt = made.Add(2 * time.Hour)
	s.Dataset.UpstreamID, s.Dataset.ForkCommit = "u", 3
	got = viewed(t, viewDataset(s))
	for name, want := range map[string]any{
		"modified_at": "2026-01-01T01:00:00Z", "deleted_at": "2026-01-01T02:00:00Z", "head": 4.0,
		"records_total": 9.0, "upstream_id": "u", "fork_commit": 3.0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

func TestAProgressHasAResultOnceThereIsOne(t *testing.T) {
	if p := progressView(catalog.Job{ID: "j", Progress: 40}); p.Result != nil || p.Progress != 40 {
		t.Errorf("%+v", p)
	}
	p := progressView(catalog.Job{Answer: json.RawMessage(`{"status":201,"location":"/x","body":{"id":1}}`)})
	if p.Result == nil || p.Result.Status != 201 || p.Result.Location != "/x" || string(p.Result.Body) != `{"id":1}` {
		t.Errorf("%+v", p.Result)
	}
}

func TestAnActionThatWasRolledBackIsNotPlayed(t *testing.T) {
	if v := viewAction(catalog.Commit{ID: 1, Mode: catalog.Append}); !v.State.Played || v.Status != "completed" ||
		v.Key == "" {
		t.Errorf("%+v", v)
	}
	if v := viewAction(catalog.Commit{ID: 1, RollbackCommitID: 2}); v.State.Played || !v.State.Completed ||
		v.Status != "rolled_back" {
		t.Errorf("%+v", v)
	}
}

// Facts of errors are what the routes show of the same things; lists are never null.
func TestFactsOfErrorsAreViews(t *testing.T) {
	for _, c := range []struct {
		fact any
		want any
	}{
		{[]storage.Blocker(nil), []blockerView{}},
		{[]storage.Blocker{{Commit: catalog.Commit{ID: 2}, Overlapping: 5}},
			[]blockerView{{viewCommit(catalog.Commit{ID: 2}), 5}}},
		{[]storage.MergeConflict(nil), []conflictView{}},
		{[]catalog.Commit{{ID: 3}}, []actionView{viewAction(catalog.Commit{ID: 3})}},
		{"a word", "a word"},
		{7, 7},
	} {
		if got := ViewFact(c.fact); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%T: %+v", c.fact, got)
		}
	}
}

func TestAConflictNamesWhatItIsAbout(t *testing.T) {
	got := viewConflicts([]storage.MergeConflict{{Detail: "d", Variable: "pay"}, {Detail: "r", Count: 2}})
	if got[0].Variable == nil || *got[0].Variable != "pay" || got[0].Records == nil {
		t.Errorf("%+v", got[0])
	}
	if got[1].Variable != nil || got[1].Count != 2 {
		t.Errorf("%+v", got[1])
	}
}

func TestAVariableHasADerivationOrNone(t *testing.T) {
	integer := schema.Of("INTEGER")
	s := schema.Schema{
		Key: []int{1},
		Columns: []schema.Column{
			{ID: 1, Name: "id", Type: integer}, {ID: 2, Name: "double", Type: integer, Derivation: `"c1" * 2`},
		},
	}
	stored, derived := viewVariable(s, s.Columns[0]), viewVariable(s, s.Columns[1])
	if !stored.Key || stored.Derivation != nil || stored.Categories == nil || stored.Type != "INTEGER" {
		t.Errorf("%+v", stored)
	}
	if derived.Key || derived.Derivation == nil || *derived.Derivation != `"id" * 2` {
		t.Errorf("%+v", derived)
	}
}
