package view

import (
	"encoding/json"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
)

func TestACommitNamesOtherCommitsOrNone(t *testing.T) {
	alone := Of(catalog.Commit{ID: 4, Mode: catalog.Append, Total: 9})
	if alone.ParentCommitID != nil || alone.RollbackCommitID != nil || alone.MergeCommitID != nil ||
		alone.Status != "completed" {
		t.Errorf("%+v", alone)
	}
	undone := Of(catalog.Commit{ID: 4, ParentCommitID: 1, RollbackCommitID: 2, MergeCommitID: 3})
	if *undone.ParentCommitID != 1 || *undone.RollbackCommitID != 2 || *undone.MergeCommitID != 3 ||
		undone.Status != "rolled_back" {
		t.Errorf("%+v", undone)
	}
}

func TestADeleteSaysHowManyKeysItDidNotFind(t *testing.T) {
	for params, want := range map[string]any{
		`{"records_not_found":0}`: 0.0, `{"records_not_found":7}`: 7.0, `{}`: nil, ``: nil,
	} {
		c := catalog.Commit{Params: json.RawMessage(params), Metadata: json.RawMessage(`{}`)}
		if params == "" {
			c.Params = nil
		}
		text, err := json.Marshal(Of(c))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil || got["records_not_found"] != want {
			t.Errorf("%s: %s, %v", params, text, err)
		}
	}
}
