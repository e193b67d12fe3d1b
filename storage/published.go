package storage

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/published"
	"github.com/rowback/rowback/storage/snapshot"
)

// Published is states as engines that read Apache Iceberg see them. They read the stored files where they are, and
// beside them, on the shelf (blob.Shelf), what is made when a state is first asked for: manifests that list files,
// positions of displaced rows, and copies of files that such engines can't read as they are. All of it follows from the
// catalog and the objects, so it can be removed at any time; it is kept for publishedKept after it was last made.
type Published struct {
	*Files
	history *History

	manyFiles int // of how many data files on the current state has compacted ones in place of small ones

	mu      sync.Mutex
	making  map[string]chan struct{} // by family: its states are made one after the other, as they share most of it
	states  map[publishedKey]*publishedState
	schemas map[int]published.Schema        // states share those, too: they may have thousands of columns
	after   map[publishedKey]catalog.Commit // the commits after others
	shelf   map[string]shelved
	chunks  map[string]publishedChunk
}

// How long what is on the shelf stays there, and after what time it is made anew if it is asked for. So what an answer
// names is there for the difference at least.
const (
	publishedKept  = 48 * time.Hour
	publishedFresh = 24 * time.Hour
)

// How many states a table lists at most: those with names, and of the others the newest.
const (
	maxNamed  = 1000
	maxOthers = 30
)

// How many states, names on the shelf and manifests are known in memory at most.
const (
	maxStates  = 20_000
	maxSchemas = 1000
	maxShelf   = 200_000
	maxChunks  = 2000
)

// manyFiles is from how many data files on engines are given compacted files in place of small ones. Below, they open
// all of them, and what they were given stays as long as the state does: a compacted file is gone a while after it was
// compacted once more.
const manyFiles = 256

func newPublished(f *Files, h *History) *Published {
	return &Published{
		Files: f, history: h, manyFiles: manyFiles, making: map[string]chan struct{}{},
		states: map[publishedKey]*publishedState{}, schemas: map[int]published.Schema{},
		after: map[publishedKey]catalog.Commit{}, shelf: map[string]shelved{}, chunks: map[string]publishedChunk{},
	}
}

// publishedKey names what is made of a state. Removal is the last one of the family, which changed what is stored; era
// is the dataset's, where there may be other compacted files since.
type publishedKey struct {
	dataset              string
	commit, removal, era int64
}

// publishedState is a state that can be read.
type publishedState struct {
	snapshot published.Snapshot
	leftOut  []published.LeftOut
	made     time.Time // when the oldest part of it was
	list     string    // the name on the shelf of its manifest list
}

// shelved is what is known to be on the shelf.
type shelved struct {
	at   time.Time
	size int64
}

// wantedStates are the states that a table has to list.
type wantedStates struct {
	dataset catalog.Dataset
	removal int64            // the last one of the family, which changed what is stored
	erase   int64            // the last one that was an erase (eraseOf)
	head    int64            // the state that is current
	tags    map[string]int64 // commits by name
	commits []int64          // of all states, ascending
	log     int              // how many of the last ones follow one another
	untold  int              // states with names that are not listed
	hidden  []string         // tags that can't be listed under their names
}

// Table returns a dataset as engines load it. Without a ref the head is current, and states with names are tags; all
// adds the newest of the others. With a ref the state that it names is current, and the only one.
func (p *Published) Table(ctx context.Context, dataset, ref string, all bool) (t published.Table, err error) {
	for range 3 {
		w, err := p.wanted(ctx, dataset, ref, all)
		if err != nil {
			return t, err
		}
		t, err = p.table(ctx, w)
		goesOn, errCheck := p.goesOn(context.WithoutCancel(ctx), w)
		if err == nil {
			err = errCheck
		}
		if goesOn || errCheck != nil || ctx.Err() != nil {
			return t, err
		}
	}
	return t, errGone
}

// goesOn reports whether no rows were removed for ever while states were made. If records were erased, nothing that has
// them may stay: also when the client has left, and what was made is of no use.
func (p *Published) goesOn(ctx context.Context, w wantedStates) (ok bool, err error) {
	var removal, erase int64
	err = p.catalog.Read(ctx, func(tx catalog.Tx) error {
		if removal, err = tx.LastRemoval(w.dataset.FamilyID); err == nil {
			erase, err = eraseOf(tx, w.dataset.FamilyID)
		}
		return err
	})
	if err == nil && erase != w.erase {
		err = p.forget(ctx, w.dataset.FamilyID)
	}
	return removal == w.removal, err
}

// eraseOf returns the last erase of a family; 0: there was none. What is published is in a directory of that number, so
// what has erased records is told by its name, whoever made it, and is never taken for what was made since.
func eraseOf(tx catalog.Tx, family string) (int64, error) {
	list, err := tx.Removals(family, catalog.Erase, math.MaxInt64, 1)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].ID, nil
}

// wanted finds the states that a table has to list.
func (p *Published) wanted(ctx context.Context, dataset, ref string, all bool) (w wantedStates, err error) {
	err = p.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		w = wantedStates{dataset: d, head: d.Head, tags: map[string]int64{}}
		if w.removal, err = tx.LastRemoval(d.FamilyID); err != nil {
			return err
		}
		if w.erase, err = eraseOf(tx, d.FamilyID); err != nil {
			return err
		}
		if ref != "" {
			w.head, err = resolve(tx, d, ref, p.now)
			w.add(w.head)
			return err
		}
		if err := w.addNamed(tx); err != nil {
			return err
		}
		w.add(d.Head)
		if all {
			return w.addNewest(tx)
		}
		return nil
	})
	slices.Sort(w.commits)
	w.commits = slices.Compact(w.commits)
	return w, err
}

func (w *wantedStates) add(commit int64) {
	if commit > 0 {
		w.commits = append(w.commits, commit)
	}
}

// addNamed adds the states that have names: of many, those of the newest commits.
func (w *wantedStates) addNamed(tx catalog.Tx) error {
	type name struct {
		text   string
		commit int64
	}
	var names []name
	add := func(text string, commit int64, vacuumed time.Time) {
		if commit > 0 && vacuumed.IsZero() {
			names = append(names, name{text, commit})
		}
	}
	versions, err := tx.Versions(w.dataset.ID)
	if err != nil {
		return err
	}
	for _, v := range versions {
		add("v"+VersionNumber(v), v.CommitID, v.VacuumedAt)
	}
	points, err := savepoints(tx, w.dataset.ID)
	if err != nil {
		return err
	}
	for _, s := range points {
		add(SavepointName(s.Number), s.CommitID, s.VacuumedAt)
	}
	tags, err := tx.Tags(w.dataset.ID)
	if err != nil {
		return err
	}
	for _, t := range tags {
		if t.Name == published.MainBranch {
			w.hidden = append(w.hidden, t.Name)
			continue
		}
		add(t.Name, t.CommitID, t.VacuumedAt)
	}
	slices.SortStableFunc(names, func(a, b name) int { return cmp.Compare(b.commit, a.commit) })
	w.untold = max(len(names)-maxNamed, 0)
	for _, n := range names[:len(names)-w.untold] {
		w.tags[n.text] = n.commit
		w.add(n.commit)
	}
	return nil
}

// addNewest adds the newest commits whose states can be read.
func (w *wantedStates) addNewest(tx catalog.Tx) error {
	newest, err := tx.Actions(w.dataset.ID, math.MaxInt64, maxOthers, true)
	if err != nil {
		return err
	}
	for _, c := range newest {
		if c.ID != w.dataset.Head && !c.VacuumedAt.IsZero() {
			break
		}
		w.add(c.ID)
		w.log++
	}
	return nil
}

// table makes what is missing of the states, and describes them. The location is where engines would write before the
// catalog refuses it: not among the objects.
func (p *Published) table(ctx context.Context, w wantedStates) (published.Table, error) {
	t := published.Table{
		Dataset: w.dataset.ID, Location: p.blobs.ShelfAddress(w.dataset.FamilyID + "/not-writable"),
		Head: w.head, Tags: w.tags, Log: max(w.log, 1),
		Updated: w.dataset.CreatedAt, Properties: map[string]string{"rowback.dataset": w.dataset.Name},
	}
	if err := p.lookAtShelf(ctx, w); err != nil {
		return t, err
	}
	for _, commit := range w.commits {
		s, err := p.state(ctx, w, commit)
		if isGone(err) && commit != w.head {
			w.drop(commit) // vacuum took it in this moment
			continue
		}
		if err == nil {
			err = p.addUnlisted(ctx, &t, commit)
		}
		if err != nil {
			return t, err
		}
		t.Snapshots = append(t.Snapshots, s.snapshot)
		if commit == w.head {
			t.Schema, t.Updated = s.snapshot.Schema, s.snapshot.At
			describeLeftOut(t.Properties, s.leftOut)
		}
	}
	w.describe(t.Properties)
	if w.head == 0 {
		return t, p.describeEmpty(ctx, w, &t)
	}
	return t, nil
}

// drop has no name stand for a state.
func (w wantedStates) drop(commit int64) {
	for name, c := range w.tags {
		if c == commit {
			delete(w.tags, name)
		}
	}
}

// describeLeftOut says in a table's properties which columns engines do not see.
func describeLeftOut(properties map[string]string, out []published.LeftOut) {
	for _, c := range out {
		properties["rowback.left-out."+c.Name] = c.Why
	}
}

// describe says in a table's properties what of it is not listed.
func (w wantedStates) describe(properties map[string]string) {
	if w.untold > 0 {
		properties["rowback.tags-not-listed"] = fmt.Sprintf("%d: load the table as %s@<ref> to read such a state.",
			w.untold, w.dataset.Name)
	}
	for _, name := range w.hidden {
		properties["rowback.tag-not-listed."+name] = fmt.Sprintf(
			"%s is the branch of the head. Load the table as %s@%s to read the tag.", name, w.dataset.Name, name)
	}
}

// describeEmpty describes a table before its first commit.
func (p *Published) describeEmpty(ctx context.Context, w wantedStates, t *published.Table) error {
	return p.catalog.Read(ctx, func(tx catalog.Tx) error {
		state, err := snapshot.At(tx, w.dataset, 0)
		columns, leftOut := published.Columns(state.Schema)
		t.Schema = published.SchemaOf(columns)
		describeLeftOut(t.Properties, leftOut)
		return err
	})
}

// addUnlisted adds a snapshot that stands for the states between the last one of a table and a commit, if there are
// any. Engines that look up a time among the snapshots find it in place of the state before, which is not the one that
// was current then. They fail, as its manifest list does not exist: its name says what to do.
func (p *Published) addUnlisted(ctx context.Context, t *published.Table, commit int64) error {
	if len(t.Snapshots) == 0 {
		return nil
	}
	last := t.Snapshots[len(t.Snapshots)-1]
	next, err := p.next(ctx, t.Dataset, last.Commit)
	if err != nil || next.ID == commit || next.ID == 0 {
		return err
	}
	t.Snapshots = append(t.Snapshots, published.Snapshot{
		Commit: next.ID, Parent: last.Commit, At: next.CreatedAt, Schema: last.Schema, Operation: operationOf(next),
		List: p.blobs.ShelfAddress("not-listed--load-the-table-as-NAME@TIME"),
	})
	return nil
}

// next returns the commit after another of a dataset; without an id: there is none.
func (p *Published) next(ctx context.Context, dataset string, commit int64) (next catalog.Commit, err error) {
	key := publishedKey{dataset: dataset, commit: commit}
	p.mu.Lock()
	next, ok := p.after[key]
	p.mu.Unlock()
	if ok {
		return next, nil
	}
	err = p.catalog.Read(ctx, func(tx catalog.Tx) error {
		list, err := tx.Actions(dataset, commit, 1, false)
		if len(list) > 0 {
			next = list[0]
		}
		return err
	})
	if err != nil || next.ID == 0 {
		return next, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.after) >= maxStates {
		clear(p.after)
	}
	p.after[key] = next
	return next, nil
}
