package storage

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

// originParams are the parameters of forks and merges that say which other dataset they are of: its id, and its name.
var originParams = map[catalog.Mode][2]string{
	catalog.Fork:  {"upstream", "upstream_name"},
	catalog.Merge: {"source", "source_name"},
}

// hideOrigins leaves out of commits which dataset they forked or merged, and which they were made from, where the client of a request is not to know
// of that. The records that came from there stay: whoever brought them here could read them.
func hideOrigins(ctx context.Context, tx catalog.Tx, commits []catalog.Commit) error {
	for i, c := range commits {
		metadata, err := hideInputs(ctx, tx, c.Metadata)
		if err != nil {
			return err
		}
		commits[i].Metadata = metadata
		params, isHidden, err := hiddenOrigin(ctx, tx, c)
		if err != nil {
			return err
		}
		if !isHidden {
			continue
		}
		names := originParams[c.Mode]
		var name string
		if json.Unmarshal(params[names[1]], &name) == nil && c.Message == mergeMessage(name) {
			commits[i].Message = ""
		}
		delete(params, names[0])
		delete(params, names[1])
		if commits[i].Params, err = json.Marshal(params); err != nil {
			return err
		}
	}
	return nil
}

// hiddenOrigin reports whether a commit forked or merged a dataset that the client of a request is not to know of, and
// returns its parameters then.
func hiddenOrigin(
	ctx context.Context, tx catalog.Tx, c catalog.Commit,
) (params map[string]json.RawMessage, is bool, err error) {
	names, ok := originParams[c.Mode]
	var id string
	if !ok || permitOf(ctx) == nil || json.Unmarshal(c.Params, &params) != nil ||
		json.Unmarshal(params[names[0]], &id) != nil {
		return nil, false, nil
	}
	d, err := tx.Dataset(id)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, false, nil
	}
	return params, err == nil && !sees(ctx, d), err
}

// hideForkNotes does the same for the savepoints that forks begin with.
func hideForkNotes(ctx context.Context, tx catalog.Tx, dataset string, list []catalog.Savepoint) error {
	for i, p := range list {
		if permitOf(ctx) == nil || !strings.HasPrefix(p.Description, forkNote("")) {
			continue
		}
		c, err := tx.Commit(dataset, p.CommitID)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		_, isHidden, err := hiddenOrigin(ctx, tx, c)
		if err != nil {
			return err
		}
		if isHidden {
			list[i].Description = "Forked"
		}
	}
	return nil
}

// mergeMessage is the message of a merge that was given none.
func mergeMessage(source string) string { return "Merge of " + source }

// forkNote is the description of a fork's first savepoint.
func forkNote(upstream string) string { return "Forked from " + upstream }
