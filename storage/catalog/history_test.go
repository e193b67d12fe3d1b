package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/schema"
)

// live is a plain model of entries: for each commit, the files that are live after it.
type live []map[int64]bool

// between lists the files that are live at one commit and not at another.
func (l live) between(at, notAt int64) []int64 {
	out := []int64{}
	for file := range l[at] {
		if !l[notAt][file] {
			out = append(out, file)
		}
	}
	slices.Sort(out)
	return out
}

// randomHistory adds dataset "d" with commits that open, close and open again files at random, and returns the model.
func (f *fixture) randomHistory(random *rand.Rand, commits, files int64) live {
	f.Helper()
	model := live{{}}
	f.must(func(tx Tx) error {
		d := f.dataset("d", "people")
		d.Head = commits
		err := tx.AddDataset(d)
		for id := int64(1); id <= files; id++ {
			err = errors.Join(err, tx.AddFile(&File{ID: id, DatasetID: "d", Kind: schema.Data, SchemaID: f.schemaID}))
		}
		for commit := int64(1); commit <= commits; commit++ {
			err = errors.Join(err, tx.AddCommit(f.commit(commit, Append)))
			now := map[int64]bool{}
			for file := int64(1); file <= files; file++ {
				was, change := model[commit-1][file], random.IntN(3) == 0
				if now[file] = was != change; change && was {
					err = errors.Join(err, tx.CloseEntry("d", file, commit))
				} else if change {
					err = errors.Join(err, tx.OpenEntry("d", file, commit))
				}
				if !now[file] {
					delete(now, file)
				}
			}
			model = append(model, now)
		}
		return err
	})
	return model
}

// After any history, the files that are live at each commit, and what became live and ceased to be between any two, are
// those of a plain model.
func TestRandomHistoriesOfFiles(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const commits, files = 9, 7
	f := open(t)
	model := f.randomHistory(random, commits, files)
	f.must(func(tx Tx) error {
		for commit := int64(0); commit <= commits; commit++ {
			got, err := tx.FileIDs("d", commit)
			f.want(fmt.Sprintf("live at %d", commit), got, model.between(commit, 0), err)
			whole, err := tx.Files("d", commit)
			f.want(fmt.Sprintf("files at %d", commit), ids(whole, fileID), model.between(commit, 0), err)
		}
		for first := int64(1); first <= commits; first++ {
			for last := first; last <= commits; last++ {
				what := fmt.Sprintf("from %d to %d", first, last)
				closed, err := tx.Closed("d", first, last)
				f.want("closed "+what, ids(closed, fileID), closedIn(model, first, last), err)
				opened, err := tx.Opened("d", first, last)
				f.want("opened "+what, ids(opened, fileID), openedIn(model, first, last), err)
			}
		}
		return nil
	})
}

// openedIn lists the files that are live after last, and have been without a break since a commit of the range.
func openedIn(model live, first, last int64) []int64 {
	out := []int64{}
	for _, file := range model.between(last, 0) {
		for commit := first; commit <= last; commit++ {
			if !model[commit-1][file] {
				out = append(out, file)
				break
			}
		}
	}
	return out
}

// closedIn lists the files that were live before first and stopped being so within the range.
func closedIn(model live, first, last int64) []int64 {
	out := []int64{}
	for _, file := range model.between(first-1, 0) {
		for commit := first; commit <= last; commit++ {
			if !model[commit][file] {
				out = append(out, file)
				break
			}
		}
	}
	return out
}

// Entries are the same history in the form in which it is stored, and a fork inherits what it was at its commit.
func TestForksOfRandomHistories(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const commits, files = 6, 5
	f := open(t)
	model := f.randomHistory(random, commits, files)
	f.must(func(tx Tx) error {
		for at := int64(0); at <= commits; at++ {
			fork := f.dataset(fmt.Sprint("fork", at), fmt.Sprint("fork", at))
			fork.UpstreamID, fork.ForkCommit, fork.Head = "d", at, at
			if err := tx.AddDataset(fork); err != nil {
				return err
			}
			for commit := int64(0); commit <= commits; commit++ {
				want := model.between(min(commit, at), 0)
				got, err := tx.FileIDs(fork.ID, commit)
				f.want(fmt.Sprintf("fork at %d, commit %d", at, commit), got, want, err)
			}
		}
		n, err := tx.CountForks("d")
		f.want("forks", []int64{n}, []int64{commits + 1}, err)
		return nil
	})
}

func TestEntries(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		for commit, want := range map[int64][]Entry{
			0: {}, 1: {{1, 1, 3}}, 4: {{1, 1, 3}, {2, 2, Forever}, {3, 3, Forever}},
		} {
			got, err := tx.Entries("d", commit)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("until commit %d: %v, not %v (%v)", commit, got, want, err)
			}
		}
		// A file that is opened again has two entries, the older one first.
		if err := tx.OpenEntry("d", 1, 4); err != nil {
			return err
		}
		got, err := tx.Entries("d", 4)
		if err != nil || len(got) != 4 || got[0] != (Entry{1, 1, 3}) || got[1] != (Entry{1, 4, Forever}) {
			t.Errorf("opened again: %v, %v", got, err)
		}
		return err
	})
}

// The log is read in pages, without what merges played, and each commit is counted where it is listed.
func TestPagesOfTheLog(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		played, merge := f.commit(5, Append), f.commit(6, Merge)
		played.MergeCommitID = 6
		if err := errors.Join(tx.AddCommit(played), tx.AddCommit(merge)); err != nil {
			return err
		}
		for n, want := range []int64{4, 3, 2, 1} {
			id, err := tx.EarlierCommit("d", 6, int64(n+1))
			f.want(fmt.Sprintf("%d before the merge", n+1), []int64{id}, []int64{want}, err)
		}
		if _, err := tx.EarlierCommit("d", 6, 5); !errors.Is(err, ErrNotFound) {
			t.Errorf("before the first commit: %v", err)
		}
		for commit, want := range map[int64]int64{1: 0, 3: 2, 6: 4, 7: 5} {
			n, err := tx.CountEarlier("d", commit)
			f.want(fmt.Sprintf("before %d", commit), []int64{n}, []int64{want}, err)
		}
		seen, before := []int64{}, int64(1<<62)
		for {
			page, err := tx.Commits("d", before, 2)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			seen, before = append(seen, ids(page, commitID)...), page[len(page)-1].ID
		}
		f.want("in pages", seen, []int64{6, 4, 3, 2, 1}, nil)
		return nil
	})
}

func TestARollbackCanItselfBeUndone(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		for _, rollback := range []int64{4, 0} {
			if err := tx.SetRollback("d", 2, rollback); err != nil {
				return err
			}
			c, err := tx.Commit("d", 2)
			f.want("undone by", []int64{c.RollbackCommitID}, []int64{rollback}, err)
			standing, err := tx.Standing("d", Append)
			want := map[int64][]int64{4: {1}, 0: {1, 2}}[rollback]
			f.want("standing", ids(standing, commitID), want, err)
		}
		if err := tx.SetRollback("d", 99, 4); !errors.Is(err, ErrNotFound) {
			t.Errorf("a commit that does not exist was undone: %v", err)
		}
		return nil
	})
}

func TestTheFounderOfADataset(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		last := f.commit(5, Append)
		last.User = "grace"
		if err := tx.AddCommit(last); err != nil {
			return err
		}
		for after, want := range map[int64]string{0: "ada", 3: "ada", 4: "grace", 5: ""} {
			if user, err := tx.Founder("d", after); err != nil || user != want {
				t.Errorf("after commit %d: %q, %v", after, user, err)
			}
		}
		return nil
	})
}

// Of commits with the same time, the last one is what the time names.
func TestCommitsOfOneMoment(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		same := f.commit(5, Append)
		same.CreatedAt = f.commit(4, Append).CreatedAt
		if err := tx.AddCommit(same); err != nil {
			return err
		}
		at, err := tx.CommitAt("d", same.CreatedAt)
		f.want("at the moment of two", []int64{at.ID}, []int64{5}, err)
		at, err = tx.CommitAt("d", same.CreatedAt.Add(-1))
		f.want("just before it", []int64{at.ID}, []int64{3}, err)
		return nil
	})
}
