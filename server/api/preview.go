package api

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/schema"
)

// dryIn is what every write accepts.
type dryIn struct {
	DryRun bool `query:"dry_run" description:"${dry_run}" json:"-"`
}

// tellNothing is the answer of a write that has nothing to show.
func tellNothing(struct{}) (calls.Answer, error) {
	return calls.Answer{Status: http.StatusNoContent}, nil
}

// previewed are the fields of the answer to a dry run, in addition to those of the write's own answer. wouldCommit is
// nil for a write that makes no commit, such as a tag: then only dry_run is added.
type previewed struct {
	DryRun bool            `json:"dry_run"`
	Gates  []gating.Result `json:"gates,omitempty"`
	*wouldCommit
}

// wouldCommit is what a write's commit would do.
type wouldCommit struct {
	Keys            map[string][]storage.Key `json:"keys"`
	RecordsAdded    int64                    `json:"records_added"`
	RecordsRemoved  int64                    `json:"records_removed"`
	RecordsModified int64                    `json:"records_modified"`
	RecordsTotal    int64                    `json:"records_total"`
	SchemaChanges   []schema.Change          `json:"schema_changes"`
	ColumnsCleared  []string                 `json:"columns_cleared"`
}

// viewPreview returns what a dry run found. Lists are never null.
func viewPreview(p storage.Preview) *previewed {
	if p.Left == nil {
		return &previewed{DryRun: true, Gates: p.Gates}
	}
	k := p.Left.Commit
	return &previewed{true, p.Gates, &wouldCommit{
		map[string][]storage.Key{
			"added": append([]storage.Key{}, p.Added...), "removed": append([]storage.Key{}, p.Removed...),
			"modified": append([]storage.Key{}, p.Modified...),
		},
		k.Added, k.Removed, k.Modified, k.Total, k.Effects.SchemaChanges, k.Effects.ColumnsCleared,
	}}
}

// preview makes a dry run of a write, and answers with what it would do. It always answers 200. Neither Idempotency-Key
// nor Prefer has an effect: nothing is done, so there is nothing to do once or later.
func preview[T any](a *API, w write[T]) error {
	if w.after != nil {
		defer w.after()
	}
	var p storage.Preview
	request := storage.Request{User: host.User(w.c), ExpectedHead: w.header.ExpectedHead, Preview: &p}
	ctx, cancel := w.context(a)
	defer cancel()
	result, err := w.do(ctx, request)
	if err != nil {
		return err
	}
	told, err := w.tell(result)
	if err != nil {
		return err
	}
	// Raw values, so that numbers past the precision of a double come through unchanged.
	fields := map[string]json.RawMessage{}
	if len(told.Body) > 0 {
		if err := json.Unmarshal(told.Body, &fields); err != nil {
			return err
		}
	}
	// Only what would be created has a new id; the answer of an edit names what is there already.
	if told.Status == http.StatusCreated {
		forgetID(fields)
	}
	more, err := json.Marshal(viewPreview(p))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(more, &fields); err != nil {
		return err
	}
	return ok(w.c, fields)
}

// forgetID sets the random id of what a dry run would have created to null, and the URLs that contain it: the real call
// draws another one. An id that is a number is the one that the next call would draw.
func forgetID(fields map[string]json.RawMessage) {
	var id string
	if json.Unmarshal(fields["id"], &id) != nil || id == "" {
		return
	}
	for name, value := range fields {
		if bytes.Contains(value, []byte(id)) {
			fields[name] = json.RawMessage("null")
		}
	}
}
