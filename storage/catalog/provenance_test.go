package catalog

import (
	"errors"
	"reflect"
	"testing"

	"github.com/rowback/rowback/storage/lineage"
)

// What commits and versions were made from is found by every part of it, page by page, for as long as the dataset is
// there.
func TestWhatWasMadeFromSomethingIsFound(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		five, six := f.commit(5, Append), f.commit(6, Append)
		five.Metadata = []byte(`{"lineage": {"models": [{"name": "m", "version": "2"}], "parameters": {"p": "é'"}}}`)
		six.Metadata = []byte(`{"lineage": {"models": [{"name": "m"}], "inputs": [{"dataset_id": "x", "commit_id": 7}]}}`)
		v := Version{ID: 1, DatasetID: "d", Major: 1, CommitID: 5, CreatedAt: start, IsActive: true, Metadata: five.Metadata}
		retired := Version{ID: 2, DatasetID: "d", Major: 2, CommitID: 5, CreatedAt: start, Metadata: five.Metadata}
		return errors.Join(tx.AddCommit(five), tx.AddCommit(six), tx.AddVersion(v), tx.AddVersion(retired))
	})
	f.must(func(tx Tx) error {
		five, one, two, six := Made{5, "d", 0}, Made{5, "d", 1}, Made{5, "d", 2}, Made{6, "d", 0}
		model := lineage.Term{Kind: lineage.ByModel, Value: "m"}
		for what, c := range map[string]struct {
			terms []lineage.Term
			after *Made
			limit int
			want  []Made
		}{
			"a model":      {[]lineage.Term{model}, nil, 9, []Made{six, five, one, two}},
			"a first page": {[]lineage.Term{model}, nil, 2, []Made{six, five}},
			"the next":     {[]lineage.Term{model}, &five, 9, []Made{one, two}},
			"a page of one term and another": {
				[]lineage.Term{model, {Kind: lineage.Parameter, Value: "p=é'"}}, &six, 2, []Made{five, one},
			},
			"of a commit": {[]lineage.Term{model, {Kind: lineage.Commit, Value: "x@7"}}, nil, 9, []Made{six}},
			"of none":     {[]lineage.Term{model, {Kind: lineage.Commit, Value: "x@8"}}, nil, 9, []Made{}},
			"of a kind":   {[]lineage.Term{{Kind: lineage.ByPrompt, Value: "m"}}, nil, 9, []Made{}},
		} {
			got, err := tx.MadeFrom(c.terms, c.after, c.limit)
			if err != nil || !reflect.DeepEqual(append([]Made{}, got...), c.want) {
				t.Errorf("%s: %v, not %v (%v)", what, got, c.want, err)
			}
		}
		for upTo, want := range map[int64][]int64{4: {}, 5: {5}, 9: {6, 5}} {
			commits, err := tx.CommitsWithLineage("d", upTo, 9)
			f.want("commits with a lineage", ids(commits, func(c Commit) int64 { return c.ID }), want, err)
		}
		versions, err := tx.VersionsWithLineage("d", 5, 9)
		f.want("active versions with a lineage", ids(versions, func(v Version) int64 { return v.ID }), []int64{1}, err)
		versions, err = tx.VersionsWithLineage("d", 4, 9)
		f.want("versions of earlier commits", ids(versions, func(v Version) int64 { return v.ID }), []int64{}, err)
		return nil
	})
}
