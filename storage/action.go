package storage

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// actionKeys names what every mode is as an action, Noun.verb. A commit of mode schema says itself what it did to a
// variable.
var actionKeys = map[catalog.Mode]string{
	catalog.Append: "Dataset.append", catalog.Overwrite: "Dataset.overwrite", catalog.Upsert: "Dataset.upsert",
	catalog.Replace: "Dataset.replace", catalog.Delete: "Dataset.delete", catalog.Rollback: "Dataset.rollback",
	catalog.Restore: "Dataset.restore", catalog.Edit: "Dataset.edit", catalog.Fork: "Dataset.fork",
	catalog.Merge: "Dataset.merge", catalog.Schema: "Variable.edit",
}

// variableKeys are what a commit of mode schema may be.
var variableKeys = []string{
	"Variable.create", "Variable.rename", "Variable.describe", "Variable.retype", "Variable.derive", "Variable.drop",
	"Variable.edit",
}

// ActionKey is what a commit is called as an action.
func ActionKey(c catalog.Commit) string {
	// A commit of an older program may have no key, or one that is unknown by now: it is an edit then.
	var params struct{ Key string }
	if c.Mode == catalog.Schema && json.Unmarshal(c.Params, &params) == nil && slices.Contains(variableKeys, params.Key) {
		return params.Key
	}
	return actionKeys[c.Mode]
}

// ActionKeys lists all keys that actions may have.
func ActionKeys() []string {
	keys := slices.Clone(variableKeys)
	for _, k := range actionKeys {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// ActionFilter selects and orders actions. Zero values select all, newest first. Conditions are joined by AND; keys
// among themselves by OR.
type ActionFilter struct {
	User         string
	Keys         []string
	Since, Until time.Time // both included
	Sort         string    // datetime, -datetime, user or -user; empty: -datetime
	After        int64     // by time: only what follows the commit of this id; 0: all
	Limit        int       // 0: all
	Offset       int
}

// Actions lists a dataset's actions: its commits, those that merges played too.
func (h *History) Actions(ctx context.Context, dataset string, f ActionFilter) (list []catalog.Commit, err error) {
	less, ok := actionOrders[f.Sort]
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "unknown_sort",
			"sort: %q is not one of datetime, -datetime, user, -user", fault.Clip(f.Sort)).With("field", "sort")
	}
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err == nil {
			list, err = f.read(tx, d.ID)
		}
		if err == nil {
			err = hideOrigins(ctx, tx, list)
		}
		return err
	})
	// Stable, so that the actions of one user stay in the order in which they were made.
	slices.SortStableFunc(list, less)
	list = list[min(f.Offset, len(list)):]
	if f.Limit > 0 {
		list = list[:min(f.Limit, len(list))]
	}
	return list, err
}

// read reads what the filter selects, in pages in the order of time, until there is enough: by user, that is all.
func (f ActionFilter) read(tx catalog.Tx, dataset string) (list []catalog.Commit, err error) {
	enough := math.MaxInt
	byTime := !strings.HasSuffix(f.Sort, "user")
	if f.Limit > 0 && byTime {
		enough = f.Offset + f.Limit
	}
	newest := byTime && f.Sort != "datetime"
	from := f.After
	if newest && from == 0 {
		from = math.MaxInt64
	}
	for len(list) < enough {
		size := min(enough, 1000)
		page, err := tx.Actions(dataset, from, size, newest)
		if err != nil {
			return nil, err
		}
		// Here and not in the catalog: what a commit is as an action follows from its parameters.
		for _, c := range page {
			if f.selects(c) {
				list = append(list, c)
			}
		}
		if len(page) < size {
			break
		}
		from = page[size-1].ID
	}
	return list, nil
}

// selects reports whether a commit meets all of the filter's conditions.
func (f ActionFilter) selects(c catalog.Commit) bool {
	return (f.User == "" || f.User == c.User) && (len(f.Keys) == 0 || slices.Contains(f.Keys, ActionKey(c))) &&
		!c.CreatedAt.Before(f.Since) && (f.Until.IsZero() || !c.CreatedAt.After(f.Until))
}

var actionOrders = map[string]func(a, b catalog.Commit) int{
	"":          newestFirst,
	"-datetime": newestFirst,
	"datetime":  byID,
	"user":      func(a, b catalog.Commit) int { return strings.Compare(a.User, b.User) },
	"-user":     func(a, b catalog.Commit) int { return strings.Compare(b.User, a.User) },
}

// newestFirst orders by id, which is the order in which commits were made, whatever their times say.
func newestFirst(a, b catalog.Commit) int { return byID(b, a) }

// Played lists the commits that a merge played, oldest first. They are not among Commits: to people a merge is one
// entry of the log.
func (h *History) Played(ctx context.Context, dataset string, merge int64) (list []catalog.Commit, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if list, err = tx.Played(dataset, merge); err != nil {
			return err
		}
		return hideOrigins(ctx, tx, list)
	})
	return list, err
}

// ActionByHash returns the action of a dataset that has a hash: the newest, if it was played.
func (h *History) ActionByHash(ctx context.Context, d catalog.Dataset, hash string) (c catalog.Commit, err error) {
	var found []catalog.Commit
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if found, err = tx.WithHash(d.ID, hash); err != nil {
			return err
		}
		return hideOrigins(ctx, tx, found)
	})
	if err == nil && len(found) == 0 {
		err = fault.Errorf(fault.NotFound, "action_not_found",
			"Dataset '%s' has no action with the commit id or the hash %q.", d.Name, fault.Clip(hash))
	}
	if err != nil {
		return c, err
	}
	return found[len(found)-1], nil
}

// Merges lists up to limit merges into a dataset, newest first, with ids below before.
func (h *History) Merges(
	ctx context.Context, dataset string, before int64, limit int,
) (list []catalog.Commit, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if list, err = tx.Merges(dataset, before, limit); err != nil {
			return err
		}
		return hideOrigins(ctx, tx, list)
	})
	return list, err
}

// Commits lists up to limit commits, newest first, with ids below before. The id is a stable cursor: it never changes,
// and new commits have greater ones.
func (h *History) Commits(
	ctx context.Context, dataset string, before int64, limit int,
) (list []catalog.Commit, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if list, err = tx.Commits(dataset, before, limit); err != nil {
			return err
		}
		return hideOrigins(ctx, tx, list)
	})
	return list, err
}

// CommitByID returns one commit of a dataset.
func (h *History) CommitByID(ctx context.Context, dataset string, id int64) (c catalog.Commit, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		if c, err = tx.Commit(dataset, id); err != nil {
			return orNotFound(err, "commit_not_found", "Commit %d not found in dataset '%s'", id, d.Name)
		}
		one := []catalog.Commit{c}
		err = hideOrigins(ctx, tx, one)
		c = one[0]
		return err
	})
	return c, err
}

// CommitFile returns the file of a kind that a commit wrote. A commit that a merge played by linking has the files of
// the action that it plays, tagged with that action's id (RowTag).
func (h *History) CommitFile(ctx context.Context, c catalog.Commit, kind schema.Kind) (f *catalog.File, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		_, _, err := h.stateBefore(tx, c)
		if err = errors.Join(checkChange(c, c), err); err != nil {
			return err
		}
		files, err := tx.Opened(c.DatasetID, c.ID, c.ID)
		for _, g := range files {
			if g.Kind == kind && (g.CommitID == c.ID || g.CommitID == c.RowTag) {
				f = g
			}
		}
		return err
	})
	if err == nil && f == nil {
		err = fault.Errorf(fault.NotFound, "file_not_found", "Commit %d wrote no %s file.", c.ID, kind)
	}
	return f, err
}
