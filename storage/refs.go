package storage

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Refs are the forms of a ref, in the words that every face, the command line and the manual use.
const Refs = "head, a commit id, a version such as 1.0.1, latest, previous, a savepoint such as master__000003, " +
	"a tag, a time such as 2026-01-31T10:00:00Z, or one of these with ~n: n commits earlier"

// Snapshot returns the dataset as of a ref.
func (h *History) Snapshot(ctx context.Context, dataset, ref string) (*snapshot.Snapshot, error) {
	var out *snapshot.Snapshot
	err := h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		commit, err := resolve(tx, d, ref, h.now)
		if err != nil {
			return err
		}
		out, err = h.snapshot(tx, d, commit)
		return err
	})
	return out, err
}

// Resolve returns the id of the commit that a ref names; 0 is the dataset before its first commit.
func (h *History) Resolve(ctx context.Context, dataset, ref string) (id int64, err error) {
	return h.find(ctx, dataset, ref, resolve)
}

// Locate is Resolve, also where the state can't be read any more.
func (h *History) Locate(ctx context.Context, dataset, ref string) (id int64, err error) {
	return h.find(ctx, dataset, ref, locate)
}

func (h *History) find(
	ctx context.Context, dataset, ref string,
	by func(tx catalog.Tx, d catalog.Dataset, ref string, now func() time.Time) (int64, error),
) (id int64, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err == nil {
			id, err = by(tx, d, ref, h.now)
		}
		return err
	})
	return id, err
}

// resolve finds the commit that a ref names, whose state can be read.
func resolve(tx catalog.Tx, d catalog.Dataset, ref string, now func() time.Time) (commit int64, err error) {
	commit, err = locate(tx, d, ref, now)
	if err != nil {
		return 0, err
	}
	return commit, checkRef(tx, d, commit)
}

// locate finds the commit that a ref names. now tells the time: what is after it names nothing yet. A tag is last, as
// its name is what is none of the other forms (CheckTagName).
func locate(tx catalog.Tx, d catalog.Dataset, ref string, now func() time.Time) (commit int64, err error) {
	if base, n, ok := parseEarlier(ref); ok {
		return resolveEarlier(tx, d, base, n, now)
	}
	// The forms do not overlap: a version has two points, a commit none, a savepoint its prefix, a time its dashes.
	switch ref {
	case "", "head":
		return d.Head, nil
	case "latest", "previous":
		return resolveVersion(tx, d, ref)
	}
	if id, err := strconv.ParseInt(ref, 10, 64); err == nil {
		return resolveCommit(tx, d, id)
	}
	if number, ok := ParseVersion(ref); ok {
		v, err := tx.Version(d.ID, number[0], number[1], number[2])
		return v.CommitID, orNotFound(err, "version_not_found", "Version %s not found for dataset '%s'", ref, d.Name)
	}
	if number, ok := parseSavepoint(ref); ok {
		p, err := savepoint(tx, d, func(p catalog.Savepoint) bool { return p.Number == number }, ref)
		return p.CommitID, err
	}
	if t, ok := parseTime(ref); ok {
		return resolveTime(tx, d, t, ref, now)
	}
	t, err := tx.Tag(d.ID, ref)
	return t.CommitID, orNotFound(err, "ref_not_found",
		"%q is not a ref of dataset '%s'. A ref is "+Refs+".", fault.Clip(ref), d.Name)
}

// resolveEarlier finds the n-th commit before the one that a ref names; 0 before the first.
func resolveEarlier(tx catalog.Tx, d catalog.Dataset, base string, n int64, now func() time.Time) (int64, error) {
	from, err := locate(tx, d, base, now)
	if err != nil || n == 0 {
		return from, err
	}
	id, err := tx.EarlierCommit(d.ID, from, n)
	if !errors.Is(err, catalog.ErrNotFound) {
		return id, err
	}
	// There are fewer commits: it is the state before the first, or none.
	before, err := tx.CountEarlier(d.ID, from)
	if from > 0 {
		before++ // the state before the first commit
	}
	if err == nil && n > before {
		err = fault.Errorf(fault.NotFound, "ref_not_found",
			"Dataset '%s' has no state %d commits before %s: there are %d.", d.Name, n, fault.Clip(base), before)
	}
	return 0, err
}

// resolveVersion finds the highest active version, or the one before it.
func resolveVersion(tx catalog.Tx, d catalog.Dataset, ref string) (int64, error) {
	back := 1
	if ref == "previous" {
		back = 2
	}
	highest, err := tx.ActiveVersions(d.ID, math.MaxInt64, back)
	if err != nil {
		return 0, err
	}
	if len(highest) < back {
		return 0, fault.Errorf(fault.NotFound, "version_not_found", "Dataset '%s' has %d active versions, so %s names none. "+
			"Name a state with a version first.", d.Name, len(highest), ref)
	}
	return highest[back-1].CommitID, nil
}

// resolveCommit finds a commit by its id; 0 is the state before the first.
func resolveCommit(tx catalog.Tx, d catalog.Dataset, id int64) (int64, error) {
	if id == 0 {
		return 0, nil
	}
	c, err := tx.Commit(d.ID, id)
	return c.ID, orNotFound(err, "commit_not_found", "Commit %d not found in dataset '%s'", id, d.Name)
}

// resolveTime finds the last commit up to a time.
func resolveTime(tx catalog.Tx, d catalog.Dataset, t time.Time, ref string, now func() time.Time) (int64, error) {
	c, err := tx.CommitAt(d.ID, t) // of a fork, perhaps one from before it was made
	switch {
	case t.After(now()) && !c.CreatedAt.Equal(t): // a commit comes after those before it, whatever the clock said
		return 0, fault.Errorf(fault.Invalid, "time_in_future",
			"%s is in the future, so what the dataset will be then is not known. Ask for head, or for a time up to %s.",
			ref, now().Format(time.RFC3339)).With("field", "ref")
	case !errors.Is(err, catalog.ErrNotFound):
		return c.ID, err
	// Before it was made is an error; after that and before the first commit is the empty dataset.
	case t.Before(d.CreatedAt):
		return 0, fault.Errorf(fault.NotFound, "ref_not_found",
			"Dataset '%s' did not exist at %s; it was created at %s.",
			d.Name, ref, d.CreatedAt.Format(time.RFC3339Nano))
	}
	return 0, nil // after it was made and before its first commit
}

// orNotFound turns a missing row into a sentence.
func orNotFound(err error, code, format string, args ...any) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return fault.Errorf(fault.NotFound, code, format, args...)
	}
	return err
}

// snapshot loads a dataset as of a commit. The snapshot is the caller's: what the caches hold is not changed by it.
func (h *History) snapshot(tx catalog.Tx, d catalog.Dataset, commit int64) (*snapshot.Snapshot, error) {
	if err := h.follow(tx, d); err != nil {
		return nil, err
	}
	if cached := h.heads.get(d.ID, commit); cached != nil && isStill(cached.Dataset, d) {
		// A later rollback may have marked this very commit, so the row is read again.
		again := *cached
		again.Dataset = d
		if err := h.substitute(&again); err != nil {
			return nil, err
		}
		return &again, again.ReadCommit(tx, commit)
	}
	state, err := snapshot.At(tx, d, commit)
	if err == nil {
		err = checkState(d, state.Commit)
	}
	if err != nil {
		return nil, err
	}
	out, err := h.load(tx, state)
	if err != nil {
		return nil, err
	}
	if err := h.substitute(out); err != nil {
		return nil, err
	}
	if commit != d.Head {
		return out, nil
	}
	era, err := eraOf(tx)
	if err == nil {
		h.heads.put(out, era)
	}
	return out, err
}

// isStill reports whether a dataset that was kept is as it is now. How much it stores is not part of a state: a commit
// does not know it of the head that it leaves, and forks that share files change it.
func isStill(kept, now catalog.Dataset) bool {
	kept.Bytes = now.Bytes
	return kept == now
}

// load finds the files of a state.
func (h *History) load(tx catalog.Tx, state snapshot.State) (*snapshot.Snapshot, error) {
	known, err := h.near(tx, state)
	if err != nil {
		return nil, err
	}
	if known != nil {
		return stepTo(tx, known, state)
	}
	out := snapshot.New(state, h.stored.pathOf)
	out.Remember(h.blocks)
	out.ReadHere(h.stored.readPieces)
	return out, h.adopt(tx, out)
}

// mostSteps is how many commits may lie between two states of which one is made from the other.
const mostSteps = 1000

// near returns a snapshot of the dataset that is kept and so near to a state that few commits lie between; nil: there is
// none. Other servers may have made them, among many commits of other datasets.
func (h *History) near(tx catalog.Tx, state snapshot.State) (*snapshot.Snapshot, error) {
	era, err := eraOf(tx)
	if err != nil {
		return nil, err
	}
	known := h.heads.of(state.Dataset.ID, era)
	// A head that is newer than the transaction can't be stepped back from: what it opened is not seen here.
	if known == nil || state.Commit.ID == 0 || known.Commit.ID > state.Dataset.Head {
		return nil, nil
	}
	first, last := min(known.Commit.ID, state.Commit.ID), max(known.Commit.ID, state.Commit.ID)
	if last-first <= mostSteps { // ids count the commits of all datasets
		return known, nil
	}
	few, err := tx.FewBetween(state.Dataset.ID, first, last, mostSteps)
	if !few {
		known = nil
	}
	return known, err
}

// adopt finds the files of a snapshot. What is live at the head is found in the catalog: few files of a long history
// may be.
func (h *History) adopt(tx catalog.Tx, s *snapshot.Snapshot) error {
	if s.Commit.ID < s.Dataset.Head {
		return h.pastFiles(tx, s)
	}
	files, err := h.readFiles(tx, s.Dataset.ID, s.Commit.ID)
	if err != nil {
		return err
	}
	return s.Adopt(tx, files)
}

// stepTo makes the snapshot of a state from that of another commit of the dataset, by what became live and ceased to be
// live between the two.
func stepTo(tx catalog.Tx, known *snapshot.Snapshot, state snapshot.State) (*snapshot.Snapshot, error) {
	first, last := min(known.Commit.ID, state.Commit.ID)+1, max(known.Commit.ID, state.Commit.ID)
	opened, errOpened := tx.Opened(state.Dataset.ID, first, last)
	closed, errClosed := tx.Closed(state.Dataset.ID, first, last)
	if state.Commit.ID < known.Commit.ID {
		opened, closed = closed, opened
	}
	schemas, err := snapshot.SchemasOf(tx, opened)
	if err := errors.Join(errOpened, errClosed, err); err != nil {
		return nil, err
	}
	return known.Next(state, opened, closed, schemas), nil
}

// substitute has a snapshot read the compacted files that there are now.
func (h *History) substitute(s *snapshot.Snapshot) error {
	c, err := h.stored.compacted.of(s.Dataset.FamilyID, s.Dataset.Era)
	s.Substitute(c)
	return err
}

// State returns the state of a dataset at a ref.
func (h *History) State(ctx context.Context, dataset, ref string) (out snapshot.State, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		commit, err := resolve(tx, d, ref, h.now)
		if err == nil {
			err = hideUpstream(ctx, tx, &d)
		}
		if err == nil {
			out, err = snapshot.At(tx, d, commit)
		}
		return err
	})
	return out, err
}

// readFiles reads the files that are live at a commit. Files never change, so those that were seen are kept.
func (h *History) readFiles(tx catalog.Tx, dataset string, commit int64) ([]*catalog.File, error) {
	ids, err := tx.FileIDs(dataset, commit)
	if err != nil {
		return nil, err
	}
	// Ids are cheap to read; the rows of thousands of files are not.
	if files, ok := h.seen.all(ids); ok {
		return files, nil
	}
	files, err := tx.Files(dataset, commit)
	if err != nil {
		return nil, err
	}
	era, err := eraOf(tx)
	h.seen.add(files, era)
	return files, err
}

var errDatasetDeleted = fault.New(fault.NotFound, "dataset_deleted")

// activeDataset finds a dataset that is not deleted by its id.
func activeDataset(tx catalog.Tx, id string) (catalog.Dataset, error) {
	d, err := tx.Dataset(id)
	return active(d, id, err)
}

// active returns a dataset that was read, unless it is deleted or there is none.
func active(d catalog.Dataset, id string, err error) (catalog.Dataset, error) {
	if err == nil && !d.VacuumedAt.IsZero() {
		return d, errDatasetVacuumed.Sayf("Dataset '%s' was deleted at %s and removed for good at %s. It can't be brought back.",
			d.Name, d.DeletedAt.Format(time.RFC3339), d.VacuumedAt.Format(time.RFC3339))
	}
	if err == nil && !d.DeletedAt.IsZero() {
		return d, errDatasetDeleted.Sayf(
			"Dataset '%s' was deleted at %s. Undelete it to use it.", d.Name, d.DeletedAt.Format(time.RFC3339))
	}
	return d, orNotFound(err, "dataset_not_found", "Dataset '%s' not found", fault.Clip(id))
}
