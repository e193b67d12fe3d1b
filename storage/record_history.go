package storage

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// The history of a record: when each of its rows was live follows from the entries of the files that hold it and of
// the rollback files that displaced it, so no state is read. Files are chosen by the bounds of their keys, then by
// their targets; what a page shows is read last, of the page's rows only.

// RecordQuery asks for the history of one record.
type RecordQuery struct {
	Dataset string
	Ref     string // up to which commit
	Key     string // as recordKey reads it
	Before  int64  // only commits with lower ids; 0: all
	Limit   int
}

// RecordChange is what a commit did to a record.
type RecordChange struct {
	Commit        catalog.Commit
	Change        string          // snapshot.Added, Removed or Modified
	Before, After json.RawMessage // the record; nil: there was none
	Columns       []string        // of a modified record: those whose values differ
}

// RecordHistory returns the commits that changed a record, newest first, and whether there are more. Commits that
// merges played are among them, in place of the merges. A commit that gave it the same values again is not. Only files
// that may hold the key are opened. What vacuum left no trace of may come before the last page, so that is refused.
func (h *History) RecordHistory(ctx context.Context, q RecordQuery) (list []RecordChange, more bool, err error) {
	conn, err := h.stored.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	r := recordReader{History: h, conn: conn}
	if r.state, err = h.State(ctx, q.Dataset, q.Ref); err != nil {
		return nil, false, err
	}
	if err := r.findGone(ctx); err != nil {
		return nil, false, err
	}
	steps, err := r.steps(ctx, q.Key)
	if err != nil {
		return nil, false, err
	}
	steps = slices.DeleteFunc(steps, func(s recordStep) bool {
		return s.commit > r.state.Commit.ID || q.Before != 0 && s.commit >= q.Before || s.commit <= r.unreadable
	})
	slices.Reverse(steps)
	// Steps between equal rows are left out, so more are read until the page is full.
	for len(list) < q.Limit && len(steps) > 0 {
		n := min(q.Limit-len(list), len(steps))
		some, err := r.changes(ctx, steps[:n])
		if err != nil {
			return nil, false, err
		}
		list, steps = append(list, some...), steps[n:]
	}
	if r.unreadable != 0 && len(list) == 0 {
		return nil, false, r.refusal(fault.Clip(q.Key))
	}
	return list, len(steps) > 0 || r.unreadable != 0, nil
}

// findGone finds the last commit of whose change a part can't be read any more.
func (r *recordReader) findGone(ctx context.Context) error {
	return r.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		r.gone, r.unreadable, err = lastUnreadable(tx, r.state.Dataset.ID, r.state.Commit.ID)
		return err
	})
}

// refusal refuses a page of what vacuum has removed.
func (r *recordReader) refusal(key string) error {
	return vacuumed(r.gone, r.unreadable, "What became of the record with the key %s up to commit %d can't be read any "+
		"more: states up to commit %d were removed by vacuum at %s, as no retention policy keeps them.",
		key, r.unreadable, r.gone.ID, r.gone.VacuumedAt.Format(time.RFC3339))
}

// recordReader reads one record, as of a state.
type recordReader struct {
	*History
	conn  *duck.Conn
	state snapshot.State
	key   snapshot.RecordKey
	files *snapshot.Snapshot // all that may hold the record, of any commit up to the state
	spans map[int64][]span   // when each file was live

	unreadable int64          // the last commit of whose change a part was removed by vacuum; 0: none
	gone       catalog.Commit // the last commit whose state was
}

// steps finds the commits in which the record's row changed, oldest first.
func (r *recordReader) steps(ctx context.Context, key string) ([]recordStep, error) {
	var none error = fault.Errorf(fault.NotFound, "record_not_found",
		"Dataset '%s' has never had a record with the key %s, up to commit %d. Look for its key in …/data.",
		r.state.Dataset.Name, fault.Clip(key), r.state.Commit.ID)
	if r.unreadable != 0 { // it may have had one that vacuum removed
		none = r.refusal(fault.Clip(key))
	}
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	columns := r.keyColumns()
	if slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Type.Name == schema.Null }) {
		return nil, none // there has been no record yet, so the key has no type
	}
	var err error
	if r.key, err = recordKey(ctx, r.conn, columns, key); err != nil {
		return nil, err
	}
	r.choose()
	lives, err := r.lives(ctx)
	if err != nil {
		return nil, err
	}
	steps := stepsOf(lives)
	if len(steps) == 0 {
		return nil, none
	}
	return steps, nil
}

// find finds all files that were ever live, up to the state, and when.
func (r *recordReader) find(ctx context.Context) error {
	r.files = snapshot.New(r.state, r.stored.pathOf)
	return r.catalog.Read(ctx, func(tx catalog.Tx) error {
		entries, err := tx.Entries(r.state.Dataset.ID, r.state.Commit.ID)
		if err != nil {
			return err
		}
		r.spans = spansOf(entries)
		ids := make([]int64, 0, len(r.spans))
		for id := range r.spans {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		files, ok := r.seen.all(ids)
		if !ok {
			if files, err = tx.AllFiles(r.state.Dataset.ID); err != nil {
				return err
			}
			era, err := eraOf(tx)
			if err != nil {
				return err
			}
			r.seen.add(files, era)
		}
		return r.files.Adopt(tx, slices.DeleteFunc(slices.Clone(files), func(f *catalog.File) bool {
			return len(r.spans[f.ID]) == 0
		}))
	})
}

// keyColumns are the columns of the key. A restore may have brought back a narrower type, or none, from before the
// first record: the type is then the one of the files, the newest first, that holds all values of the state's.
func (r *recordReader) keyColumns() []schema.Column {
	columns := slices.Clone(r.state.Schema.KeyColumns())
	for _, f := range slices.Backward(r.files.Data) {
		own := r.files.SchemaOf(f)
		for i, c := range columns {
			if was, ok := own.ByID(c.ID); ok && was.Type.Holds(c.Type) {
				columns[i].Type = was.Type
			}
		}
	}
	return columns
}

// choose leaves the files that may hold the record.
func (r *recordReader) choose() {
	elsewhere := func(f *catalog.File) bool { return !r.key.MayBeIn(f, r.files.SchemaOf(f)) }
	r.files.Data = slices.DeleteFunc(r.files.Data, elsewhere)
	r.files.Rollbacks = slices.DeleteFunc(r.files.Rollbacks, elsewhere)
}

// lives finds when each row of the record was live: while its file was, and no rollback file that displaces it.
func (r *recordReader) lives(ctx context.Context) (map[snapshot.Place][]span, error) {
	if len(r.files.Data) == 0 {
		return nil, nil
	}
	places, err := r.located(ctx)
	if err != nil {
		return nil, err
	}
	holders := map[int64]bool{}
	for _, p := range places {
		holders[p.File] = true
	}
	gone, err := r.displaced(ctx, holders)
	lives := map[snapshot.Place][]span{}
	for _, p := range places {
		lives[p] = without(slices.Clone(r.spans[p.File]), gone[p])
	}
	return lives, err
}

// located finds the places of all rows of the record, live or not. Large files are looked up where that reads little;
// the others are read by a statement.
func (r *recordReader) located(ctx context.Context) (places []snapshot.Place, err error) {
	sought, err := lookupKey(ctx, r.conn, r.key)
	if err != nil {
		return nil, err
	}
	rest := *r.files
	rest.Data = slices.DeleteFunc(slices.Clone(r.files.Data), func(f *catalog.File) bool {
		some, ok := r.keys.located(ctx, f, keyOf{r.key.Columns, r.files.SchemaOf(f), sought})
		places = append(places, some...)
		return ok
	})
	if len(rest.Data) == 0 {
		return places, nil
	}
	return places, r.conn.Rows(ctx, rest.Located(r.key), func(scan duck.Scan) error {
		var p snapshot.Place
		err := scan(&p.File, &p.Row)
		places = append(places, p)
		return err
	})
}

// displaced finds when each row of the record was displaced, in files that hold it.
func (r *recordReader) displaced(ctx context.Context, holders map[int64]bool) (map[snapshot.Place][]span, error) {
	r.files.Rollbacks = slices.DeleteFunc(r.files.Rollbacks, func(f *catalog.File) bool {
		return !snapshot.TargetsAny(f, holders)
	})
	gone := map[snapshot.Place][]span{}
	if len(r.files.Rollbacks) == 0 {
		return gone, nil
	}
	return gone, r.conn.Rows(ctx, r.files.Displaced(r.key), func(scan duck.Scan) error {
		var by int64
		var p snapshot.Place
		err := scan(&by, &p.File, &p.Row)
		gone[p] = append(gone[p], r.spans[by]...)
		return err
	})
}
