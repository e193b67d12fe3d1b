package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

// copying is a plain model of a dataset: a fork starts with copies of all that its upstream had.
type copying struct {
	commits []int64
	entries []Entry
	undone  map[int64]int64
}

// fork is the model of a fork at a commit.
func (m copying) fork(at int64) copying {
	out := copying{undone: map[int64]int64{}}
	for _, id := range m.commits {
		if id <= at {
			out.commits = append(out.commits, id)
		}
	}
	for _, e := range m.entries {
		if e.Begin > at {
			continue
		}
		if e.End > at {
			e.End = Forever
		}
		out.entries = append(out.entries, e)
	}
	return out
}

// files lists the files of entries that meet a condition.
func (m copying) files(is func(Entry) bool) []int64 {
	out := []int64{}
	for _, e := range m.entries {
		if is(e) {
			out = append(out, e.File)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tree is a random family: datasets, forks of them and of forks, that go on at once.
type tree struct {
	*fixture
	random *rand.Rand
	next   int64 // the next commit
	models map[string]*copying
	ids    []string
}

// bear adds a dataset, or a fork of one.
func (r *tree) bear(tx Tx) error {
	id := fmt.Sprint("d", len(r.ids))
	d := r.dataset(id, id)
	m := copying{undone: map[int64]int64{}}
	if len(r.ids) > 0 {
		up := r.ids[r.random.IntN(len(r.ids))]
		from := append([]int64{0}, r.models[up].commits...)
		d.UpstreamID, d.ForkCommit = up, from[r.random.IntN(len(from))]
		d.Head, m = d.ForkCommit, r.models[up].fork(d.ForkCommit)
	}
	r.models[id], r.ids = &m, append(r.ids, id)
	return tx.AddDataset(d)
}

// commit adds a commit that opens a file, or one of those that were live once, and closes some.
func (r *tree) commit(tx Tx, dataset string) error {
	m := r.models[dataset]
	c := r.fixture.commit(r.next, Append)
	c.DatasetID, c.Hash = dataset, fmt.Sprint("hash", r.next)
	r.next++
	if c.Previous = 0; len(m.commits) > 0 {
		c.Previous = m.commits[len(m.commits)-1]
	}
	m.commits = append(m.commits, c.ID)
	err := tx.AddCommit(c)
	for i, e := range m.entries {
		if e.End == Forever && r.random.IntN(4) == 0 {
			m.entries[i].End = c.ID
			err = errors.Join(err, tx.CloseEntry(dataset, e.File, c.ID))
		}
	}
	isLive := func(file int64) bool {
		return slices.ContainsFunc(m.entries, func(e Entry) bool { return e.File == file && e.End == Forever })
	}
	file := c.ID
	if n := len(m.entries); n > 0 && r.random.IntN(3) == 0 {
		file = m.entries[r.random.IntN(n)].File
	} else {
		err = errors.Join(err, tx.AddFile(&File{ID: file, DatasetID: dataset, Kind: schema.Data, SchemaID: r.schemaID}))
	}
	if !isLive(file) && !slices.Contains(m.entries, Entry{file, c.ID, c.ID}) {
		m.entries = append(m.entries, Entry{file, c.ID, Forever})
		err = errors.Join(err, tx.OpenEntry(dataset, file, c.ID))
	}
	if r.random.IntN(3) == 0 {
		undone := m.commits[r.random.IntN(len(m.commits))]
		by := r.random.Int64N(2) * c.ID
		m.undone[undone] = by
		err = errors.Join(err, tx.SetRollback(dataset, undone, by))
	}
	return errors.Join(err, tx.exec(`UPDATE datasets SET head = $1 WHERE id = $2`, c.ID, dataset))
}

// compare asks all that can be asked of a dataset, and of its model.
func (r *tree) compare(tx Tx, dataset string) error {
	m := r.models[dataset]
	all, err := tx.CommitsAfter(dataset, 0)
	r.want(dataset+": commits", ids(all, commitID), append([]int64{}, m.commits...), err)
	page, err := tx.Commits(dataset, r.next, 3)
	newest := slices.Clone(m.commits)
	slices.Reverse(newest)
	r.want(dataset+": a page", ids(page, commitID), append([]int64{}, newest[:min(3, len(newest))]...), err)
	for _, c := range all {
		if c.DatasetID != dataset || c.RollbackCommitID != m.undone[c.ID] {
			r.Errorf("%s: %+v, undone by %d", dataset, c, m.undone[c.ID])
		}
		at, err := tx.CommitAt(dataset, c.CreatedAt)
		r.want(dataset+": by time", []int64{at.ID}, []int64{c.ID}, err)
	}
	every, err := tx.AllFiles(dataset)
	r.want(dataset+": all files", ids(every, fileID), m.files(func(Entry) bool { return true }), err)
	for i, at := range m.commits {
		if err := r.compareAt(tx, dataset, m, i, at); err != nil {
			return err
		}
	}
	return nil
}

// compareAt asks what was live at a commit, and what it opened and closed.
func (r *tree) compareAt(tx Tx, dataset string, m *copying, i int, at int64) error {
	what := fmt.Sprintf("%s at %d: ", dataset, at)
	live, err := tx.FileIDs(dataset, at)
	r.want(what+"live", live, m.files(func(e Entry) bool { return e.Begin <= at && e.End > at }), err)
	entries, err := tx.Entries(dataset, at)
	want := slices.DeleteFunc(slices.Clone(m.entries), func(e Entry) bool { return e.Begin > at })
	r.wantEntries(what+"entries", entries, want, err)
	last := m.commits[min(i+r.random.IntN(3), len(m.commits)-1)]
	opened, err := tx.Opened(dataset, at, last)
	r.want(what+"opened", ids(opened, fileID),
		m.files(func(e Entry) bool { return e.Begin >= at && e.Begin <= last && e.End > last }), err)
	closed, err := tx.Closed(dataset, at, last)
	r.want(what+"closed", ids(closed, fileID),
		m.files(func(e Entry) bool { return e.End >= at && e.End <= last && e.Begin < at }), err)
	begun, err := tx.Begun(dataset, at, last)
	within := slices.DeleteFunc(slices.Clone(m.entries), func(e Entry) bool { return e.Begin < at || e.Begin > last })
	r.wantEntries(what+"begun", begun, within, err)
	ended, err := tx.Ended(dataset, at, last)
	within = slices.DeleteFunc(slices.Clone(m.entries), func(e Entry) bool { return e.End < at || e.End > last })
	r.wantEntries(what+"ended", ended, within, err)
	maker, err := tx.Maker(dataset, at)
	if c, errCommit := tx.Commit(maker, at); err != nil || errCommit != nil || c.ID != at || !r.made(tx, maker, at) {
		r.Errorf("%smade by %s, %v, %v", what, maker, err, errCommit)
	}
	earlier, err := tx.CountEarlier(dataset, at)
	r.want(what+"earlier", []int64{earlier}, []int64{int64(i)}, err)
	return nil
}

// made reports whether a commit is of the dataset's own.
func (r *tree) made(tx Tx, dataset string, commit int64) bool {
	own, err := get(tx, scanInt, `SELECT count(*) FROM commits WHERE dataset_id = $1 AND id = $2`, dataset, commit)
	return err == nil && own == 1
}

func (r *tree) wantEntries(what string, got, want []Entry, err error) {
	byFile := func(a, b Entry) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Begin, b.Begin)) }
	slices.SortFunc(got, byFile)
	slices.SortFunc(want, byFile)
	if err != nil || !slices.Equal(got, want) {
		r.Errorf("%s: %v, not %v (%v)", what, got, want, err)
	}
}

// Forks of forks, at any commit, that go on beside their upstreams have the history that they would have with copies of
// it, and change nothing of each other's.
func TestForksReadAsCopies(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := &tree{fixture: open(t), random: rand.New(rand.NewPCG(seed, 0)), next: 1, models: map[string]*copying{}}
	r.must(func(tx Tx) error {
		for range 80 {
			var err error
			if len(r.ids) == 0 || r.random.IntN(9) == 0 {
				err = r.bear(tx)
			} else {
				err = r.commit(tx, r.ids[r.random.IntN(len(r.ids))])
			}
			if err != nil {
				return err
			}
		}
		for _, id := range r.ids {
			if err := r.compare(tx, id); err != nil {
				return err
			}
			for _, other := range r.ids {
				lacks := slices.DeleteFunc(slices.Clone(r.models[id].commits), func(c int64) bool {
					return slices.Contains(r.models[other].commits, c)
				})
				unshared, err := tx.Unshared(id, other)
				r.want(id+" and not "+other, ids(unshared, commitID), append([]int64{}, lacks...), err)
			}
		}
		return tx.Advance(CommitIDs, r.next)
	})
	if what, err := r.Damage(t.Context()); what != "" || err != nil {
		t.Errorf("damage: %q, %v", what, err)
	}
}

// A merge that came after a fork is not there: the fork lists what it had played by then as commits of its own.
func TestAForkWithinAMerge(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		played, merge := f.commit(5, Append), f.commit(6, Merge)
		played.MergeCommitID = 6
		fork := f.dataset("e", "fork")
		fork.UpstreamID, fork.ForkCommit, fork.Head = "d", 5, 5
		if err := errors.Join(tx.AddCommit(played), tx.AddCommit(merge), tx.AddDataset(fork)); err != nil {
			return err
		}
		c, err := tx.Commit("e", 5)
		f.want("played by", []int64{c.MergeCommitID}, []int64{0}, err)
		list, err := tx.Played("e", 6)
		f.want("played", ids(list, commitID), []int64{}, err)
		list, err = tx.Played("d", 6)
		f.want("played in the upstream", ids(list, commitID), []int64{5}, err)
		page, err := tx.Commits("e", 9, 2)
		f.want("listed", ids(page, commitID), []int64{5, 4}, err)
		before, err := tx.EarlierCommit("e", 6, 1)
		f.want("earlier", []int64{before}, []int64{5}, err)
		return nil
	})
}

// A fork writes its own row and those that say whose history it has: as many after 4 commits as after 400.
func TestAForkWritesNoHistory(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		var wrote []int64
		for i, commits := range []int64{4, 400} {
			for id := int64(5); id <= commits; id++ {
				file := &File{ID: id, DatasetID: "d", Kind: schema.Data, SchemaID: f.schemaID}
				c := f.commit(id, Append)
				c.Hash = fmt.Sprint("hash", id)
				if err := errors.Join(tx.AddCommit(c), tx.AddFile(file), tx.OpenEntry("d", id, id)); err != nil {
					return err
				}
			}
			before, err := get(tx, scanInt, `SELECT total_changes()`)
			fork := f.dataset(fmt.Sprint("fork", i), fmt.Sprint("fork", i))
			fork.UpstreamID, fork.ForkCommit, fork.Head = "d", commits, commits
			if err := errors.Join(err, tx.AddDataset(fork)); err != nil {
				return err
			}
			after, err := get(tx, scanInt, `SELECT total_changes()`)
			if err != nil {
				return err
			}
			wrote = append(wrote, after-before)
		}
		f.want("rows written", wrote, []int64{3, 3}, nil)
		return nil
	})
}

// The digest of a fork's state is carried forward from one of its upstream's that it inherited, and from no later one.
func TestAForkGoesOnFromInheritedDigests(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		fork := f.dataset("e", "fork")
		fork.UpstreamID, fork.ForkCommit, fork.Head = "d", 3, 3
		err := tx.AddDataset(fork)
		for _, id := range []int64{1, 2, 4} {
			err = errors.Join(err, tx.AddCommitDigest(CommitDigest{id, fmt.Sprint("of ", id)}))
		}
		if err != nil {
			return err
		}
		for before, want := range map[int64]int64{9: 2, 3: 2, 2: 1} {
			last, err := tx.LastDigest("e", before, f.schemaID)
			f.want(fmt.Sprint("before ", before), []int64{last.Commit}, []int64{want}, err)
		}
		if _, err := tx.LastDigest("e", 1, f.schemaID); !errors.Is(err, ErrNotFound) {
			t.Errorf("before the first: %v", err)
		}
		if _, err := tx.LastDigest("e", 9, f.propertiesID); !errors.Is(err, ErrNotFound) {
			t.Errorf("of another schema: %v", err)
		}
		return nil
	})
}
