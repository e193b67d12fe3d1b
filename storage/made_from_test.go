package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/lineage"
)

// madeOf commits a record with a lineage.
func (b *bench) madeOf(ctx context.Context, dataset, made string) (catalog.Commit, error) {
	b.Helper()
	return b.Commit(ctx, dataset, storage.Change{
		Request: storage.Request{Metadata: json.RawMessage(`{"lineage": ` + made + `}`)},
		Mode:    catalog.Overwrite, Upload: b.Upload(intake.JSON, fmt.Sprintf(`[{"id": 1, "v": %d}]`, len(made))),
	})
}

// inProject makes a dataset in a project, with one record.
func (b *bench) inProject(project int64, name string) string {
	b.Helper()
	made, err := b.CreateDataset(b.Context(), storage.NewDataset{ProjectID: project, Name: name, Key: []string{"id"}},
		storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	b.JSON(made.Dataset.ID, catalog.Append, `[{"id": 1}]`)
	return made.Dataset.ID
}

// inputsOf are the names of the inputs of a lineage.
func inputsOf(l lineage.Lineage) (names []string) {
	for _, in := range l.Inputs {
		names = append(names, in.Dataset)
	}
	return names
}

// What a dataset was made from in a project that a client does not see is told to it nowhere: not in commits and
// versions, not by a search, and not in a graph.
func TestALineageNamesOnlyWhatTheClientMayKnow(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	raw, secret, made := b.inProject(1, "raw"), b.inProject(3, "secret"), b.inProject(1, "made")
	both := `{"inputs": ["` + raw + `", "` + secret + `@head"], "models": [{"name": "m"}]}`
	k, err := b.madeOf(ctx, made, both)
	if err != nil {
		t.Fatal(err)
	}
	metadata := json.RawMessage(`{"lineage": ` + both + `}`)
	if _, err := b.Increment(ctx, made, storage.NewVersion{Part: "patch", Metadata: metadata}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	client := storage.WithPermit(ctx, fixedPermit{sees: 2, uses: 2, later: 2})
	for name, c := range map[string]struct {
		ctx  context.Context
		want []string
	}{"a client": {client, []string{"raw"}}, "the server": {ctx, []string{"raw", "secret"}}} {
		one, err := b.CommitByID(c.ctx, made, k.ID)
		if err != nil || !reflect.DeepEqual(inputsOf(*lineage.Of(one.Metadata)), c.want) {
			t.Errorf("%s: the commit: %s, %v", name, one.Metadata, err)
		}
		versions, err := b.Versions(c.ctx, made)
		if err != nil || !reflect.DeepEqual(inputsOf(*lineage.Of(versions[0].Metadata)), c.want) {
			t.Errorf("%s: the version: %s, %v", name, versions[0].Metadata, err)
		}
		state, err := b.MadeFrom(c.ctx, made, "head")
		if err != nil || !reflect.DeepEqual(inputsOf(state.Lineage), c.want) {
			t.Errorf("%s: the state: %v, %v", name, state.Lineage, err)
		}
		search := storage.MadeFromSearch{Terms: []lineage.Term{{Kind: lineage.ByModel, Value: "m"}}, Limit: 10}
		found, _, err := b.FindMadeFrom(c.ctx, search)
		if err != nil || len(found) != 2 || !reflect.DeepEqual(inputsOf(found[0].Lineage), c.want) {
			t.Errorf("%s: the search: %v, %v", name, found, err)
		}
		graph, err := b.LineageGraph(c.ctx, storage.LineageQuery{Dataset: made, Up: true, Depth: 3})
		if err != nil || len(graph.Nodes) != len(c.want)+1 || len(graph.Edges) != len(c.want) {
			t.Errorf("%s: the graph: %v, %v", name, graph, err)
		}
	}
	if _, _, err := b.FindMadeFrom(client, storage.MadeFromSearch{Input: lineage.Named(secret), Limit: 10}); fault.KindOf(err) !=
		fault.NotFound {
		t.Errorf("a search for what is not to be seen: %v", err)
	}
	if _, err := b.madeOf(client, made, `{"inputs": ["`+secret+`"]}`); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an input that is not to be seen: %v", err)
	}
	// What a client does not see does not show in a graph from the other end either.
	hidden := b.inProject(3, "hidden")
	if _, err := b.madeOf(ctx, hidden, `{"inputs": ["`+raw+`"]}`); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[int]context.Context{2: client, 3: ctx} {
		graph, err := b.LineageGraph(c, storage.LineageQuery{Dataset: raw, Down: true, Depth: 1})
		if err != nil || len(graph.Nodes) != want {
			t.Errorf("downstream there are %v, %v", graph.Nodes, err)
		}
	} // Nor in the place that a page of a search ends at.
	for _, d := range []string{hidden, made} {
		if _, err := b.madeOf(ctx, d, `{"models": [{"name": "m"}, {"name": "another"}]}`); err != nil {
			t.Fatal(err)
		}
	}
	search := storage.MadeFromSearch{Terms: []lineage.Term{{Kind: lineage.ByModel, Value: "m"}}, Limit: 1}
	for range 2 {
		found, last, err := b.FindMadeFrom(client, search)
		if err != nil || len(found) != 1 || last == nil || last.Dataset != made {
			t.Fatalf("a page of the search: %v, %v, %v", found, last, err)
		}
		search.After = last
	}
	if found, last, err := b.FindMadeFrom(client, search); err != nil || len(found) != 1 || last != nil {
		t.Errorf("the last page of the search: %v, %v, %v", found, last, err)
	}
}

// A graph is cut where there is more to see after the last step, and not where that leads back to what it has.
func TestAGraphIsCutWhereThereIsMore(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	raw, left, made := b.inProject(1, "raw"), b.inProject(1, "left"), b.inProject(1, "made")
	for _, c := range [][2]string{{left, `{"inputs": ["raw"]}`}, {made, `{"inputs": ["raw", "left"]}`}} {
		if _, err := b.madeOf(ctx, c[0], c[1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		storage.LineageQuery
		nodes, edges int
		isCut        bool
	}{
		{storage.LineageQuery{Dataset: made, Up: true, Depth: 1}, 3, 3, false},
		{storage.LineageQuery{Dataset: raw, Down: true, Depth: 1}, 3, 3, false},
		{storage.LineageQuery{Dataset: left, Up: true, Down: true, Depth: 1}, 3, 2, false},
	} {
		g, err := b.LineageGraph(ctx, c.LineageQuery)
		if err != nil || len(g.Nodes) != c.nodes || len(g.Edges) != c.edges || g.IsCut != c.isCut {
			t.Errorf("%+v: %+v, %v", c.LineageQuery, g, err)
		}
	}
	if _, err := b.madeOf(ctx, b.inProject(1, "last"), `{"inputs": ["left"]}`); err != nil {
		t.Fatal(err)
	}
	g, err := b.LineageGraph(ctx, storage.LineageQuery{Dataset: raw, Down: true, Depth: 1})
	if err != nil || len(g.Nodes) != 3 || !g.IsCut {
		t.Errorf("with one more step: %+v, %v", g, err)
	}
}

// Of a catalog that was lost, all that a lineage is found by is made again.
func TestALineageIsFoundAfterTheCatalogWasLost(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	raw, made := b.inProject(1, "raw"), b.inProject(1, "made")
	for _, text := range []string{
		`{"inputs": ["raw"], "parameters": {"epochs": 10}}`, `{"sources": [{"name": "a.csv"}], "parameters": {"epochs": 20}}`,
	} {
		if _, err := b.madeOf(ctx, made, text); err != nil {
			t.Fatal(err)
		}
	}
	v := storage.NewVersion{Part: "patch", Metadata: json.RawMessage(`{"lineage": {"parameters": {"epochs": 30}}}`)}
	if _, err := b.Increment(ctx, made, v, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	told := func(b *bench) (out []string) {
		for _, s := range []storage.MadeFromSearch{
			{Input: lineage.Named("raw")}, {Terms: []lineage.Term{{Kind: lineage.Parameter, Value: "epochs"}}},
			{Terms: []lineage.Term{{Kind: lineage.File, Value: "a.csv"}}},
		} {
			s.Limit = 10
			found, _, err := b.FindMadeFrom(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found {
				text, err := json.Marshal(m.Lineage)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, string(text))
			}
		}
		state, err := b.MadeFrom(ctx, made, "head")
		if err != nil {
			t.Fatal(err)
		}
		return append(out, string(state.Lineage.Parameters["epochs"]))
	}
	want := told(b)
	if len(want) != 6 || want[5] != "30" {
		t.Fatalf("it is told %s", strings.Join(want, "\n"))
	}
	b.LoseCatalog()
	if got := told(b); !reflect.DeepEqual(got, want) {
		t.Errorf("it was told\n%s\nand is told\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
	b.Sound()
	if graph, err := b.LineageGraph(ctx, storage.LineageQuery{Dataset: raw, Down: true, Depth: 1}); err != nil || len(graph.Edges) != 1 {
		t.Errorf("the graph has %v, %v", graph.Edges, err)
	}
}
