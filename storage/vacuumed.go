package storage

import (
	"errors"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// What vacuum removed can't be read any more. A state is refused where refs are resolved (resolve) and where snapshots
// are made; what a commit changed, where that is read (setsOf, stateBefore): it needs the states before and after.

var (
	errVacuumed        = fault.New(fault.Gone, "vacuumed")
	errDatasetVacuumed = fault.New(fault.Gone, "dataset_vacuumed")
)

// checkState refuses the state after a commit that can't be read any more.
func checkState(d catalog.Dataset, c catalog.Commit) error {
	if c.VacuumedAt.IsZero() {
		return nil
	}
	return vacuumed(c, c.ID, "The state of dataset '%s' at commit %d was removed by vacuum at %s, as no retention policy "+
		"keeps it. Ask for a state that is kept, such as head.", d.Name, c.ID, c.VacuumedAt.Format(time.RFC3339))
}

// checkChange refuses what a commit changed, where the state at, before or after it, can't be read any more.
func checkChange(c, at catalog.Commit) error {
	if at.VacuumedAt.IsZero() {
		return nil
	}
	return vacuumed(at, c.ID, "What commit %d changed can't be read any more: the state at commit %d was removed by vacuum "+
		"at %s, as no retention policy keeps it.", c.ID, at.ID, at.VacuumedAt.Format(time.RFC3339))
}

func vacuumed(at catalog.Commit, commit int64, format string, args ...any) error {
	return errVacuumed.Sayf(format, args...).With("commit", commit).With("vacuumed_at", at.VacuumedAt)
}

// checkRef refuses the state that a ref names, if it can't be read any more. The head always can.
func checkRef(tx catalog.Tx, d catalog.Dataset, commit int64) error {
	if commit == 0 || commit == d.Head {
		return nil
	}
	c, err := tx.Commit(d.ID, commit)
	if err != nil {
		return err
	}
	return checkState(d, c)
}

// isGone reports whether err says that vacuum removed what was asked for.
func isGone(err error) bool { return errors.Is(err, errVacuumed) }

// lastUnreadable returns the last commit of a dataset, up to one, of whose change a part can't be read any more; 0:
// there is none.
func lastUnreadable(tx catalog.Tx, dataset string, until int64) (catalog.Commit, int64, error) {
	last, err := tx.LastVacuumed(dataset, until)
	if errors.Is(err, catalog.ErrNotFound) {
		return catalog.Commit{}, 0, nil
	}
	if err != nil {
		return last, 0, err
	}
	// The state before the next one is gone.
	next, err := tx.NextStep(dataset, last.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		return last, last.ID, nil
	}
	return last, next, err
}

// vacuumedStates is what a vacuum removed, as its description has it.
type vacuumedStates struct {
	Commits  map[string][]int64 `json:"commits"`            // whose states can't be read any more, by who made them, in order
	Datasets []string           `json:"datasets,omitempty"` // that can't be brought back any more
}

// has reports whether the state after a commit that a dataset made can't be read any more.
func (v *vacuumedStates) has(dataset string, commit int64) bool {
	if v == nil {
		return false
	}
	_, found := slices.BinarySearch(v.Commits[dataset], commit)
	return found
}

// record has the catalog say so. What it does not have yet is recorded that way later.
func (v *vacuumedStates) record(tx catalog.Tx, at time.Time) error {
	if v == nil {
		return nil
	}
	for dataset, commits := range v.Commits {
		if err := tx.Vacuum(dataset, commits, at); err != nil {
			return err
		}
	}
	for _, id := range v.Datasets {
		if err := tx.VacuumDataset(id, at); err != nil {
			return err
		}
	}
	return nil
}
