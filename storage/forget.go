package storage

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// To forget rows is to remove them from files, for ever: those of a record wherever they are (erase.go), or those that
// no kept state sees. Files are immutable otherwise, so each that loses rows is written anew under another key, with
// its id, and so is each rollback file with positions in it. A file that keeps no row is gone, with its entries.
//
// The new files are written without a lock that commits wait for. Then the locks of all datasets of the family are
// taken, what came meanwhile is looked at, and the files are published with their description (removal.json) in one
// rename. That decides it: one transaction has the catalog say the same, and the files that were replaced are removed.
// A start finishes what was decided (forget_start.go). Descriptions of commits that are older than a removal are read
// as it leaves them (renew), so that only those that tell of values have to be written again.

// Removals forgets rows. One runs at a time, over all servers (removalLock).
type Removals struct {
	*Files
	history  *History
	staging  *Staging
	tables   *Tables
	requests *Requests
	filters  *keyFilters
	copies   *StoreBackups

	published *Published

	observing sync.Mutex // held while what other servers removed is removed here
	observed  int64      // the newest of these removals
}

// removal is what a family loses.
type removal struct {
	rows  map[int64][]int64 // of data files, by id: the numbers of the rows that go, ascending
	whole map[int64]bool    // files of which no row stays

	vacuumed *vacuumedStates // what can't be read any more; nil: all that could be

	counts   []changedCount // what commits say that they did
	totals   []changedTotal // how many records there are after commits
	affected []commitSpan   // the commits that say so
	unsaid   []commitRef    // commits whose parameters may name values
	details  any            // for the log of removals, as JSON; nil: nothing
}

// isEmpty reports whether there is nothing to forget.
func (r *removal) isEmpty() bool { return len(r.rows)+len(r.whole) == 0 && r.vacuumed == nil }

// count returns how many rows go of files that keep others.
func (r *removal) count() (rows int64) {
	for _, list := range r.rows {
		rows += int64(len(list))
	}
	return rows
}

// forgetting is a removal that is asked for.
type forgetting struct {
	Request
	kind    catalog.RemovalKind
	dataset catalog.Dataset // that it is asked for
	reason  string
	// find says what goes. It is asked without a lock, and again when no dataset of the family can change.
	find func(context.Context) (*removal, error)
	// answer keeps the answer to the request; nil: there is none to keep.
	answer func(catalog.Tx, removalDocument) (answers, error)
	// waits has it wait for a removal that is running, which else refuses it.
	waits bool
}

// errForgetting is for a removal that is asked for while another one runs.
var errForgetting = fault.Errorf(fault.Conflict, "removal_running",
	"Another vacuum or erasure is running. Ask again when it is done.")

// forget carries out a removal. done is its description; its id is 0 if there was nothing to remove. A dry run returns
// what the removal would be called.
func (rs *Removals) forget(ctx context.Context, f forgetting) (done removalDocument, err error) {
	end, err := rs.begin(ctx, f.waits)
	if err != nil {
		return done, err
	}
	defer end()
	if err := rs.halted(); err != nil {
		return done, err
	}
	found, err := rs.find(ctx, f)
	if err != nil || found.isEmpty() {
		return done, err
	}
	if f.Preview != nil {
		done.Removal = rs.removalOf(f)
		done.ID, err = rs.catalog.Draw(ctx, "", catalog.CommitIDs, 0) // the one that it would have
		return done, err
	}
	w, err := rs.newRewriter(f.dataset)
	if err != nil {
		return done, err
	}
	defer w.close()
	if err := w.write(ctx, found); err != nil {
		return done, err
	}
	locks, unlock, err := rs.lockFamily(ctx, f.dataset.FamilyID)
	if err != nil {
		return done, err
	}
	unlock = sync.OnceFunc(unlock)
	defer unlock()
	// What came since has the same rows, or positions in the files that are written anew.
	if found, err = rs.find(ctx, f); err != nil || found.isEmpty() {
		return done, err
	}
	if err := w.write(ctx, found); err != nil {
		return done, err
	}
	ctx = context.WithoutCancel(ctx)
	if done, err = rs.carryOut(ctx, f, w, found, locks); err != nil {
		return done, err
	}
	unlock() // nothing refers to the former files any more
	if err := rs.finish(ctx, &done); err != nil {
		rs.log.Error("what was removed is gone from all states, but not all former files are: the next start removes them",
			"removal", done.ID, "error", err)
		return done, errUnfinished.Because(err)
	}
	return done, nil
}

// find finds what goes, and refuses where the head of the dataset is another than the request says.
func (rs *Removals) find(ctx context.Context, f forgetting) (*removal, error) {
	if f.ExpectedHead != nil {
		d, err := rs.history.Dataset(ctx, f.dataset.ID)
		if err == nil {
			err = f.expects(d)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.find(ctx)
}

// begin waits until no other removal runs, or refuses where one does.
func (rs *Removals) begin(ctx context.Context, waits bool) (end func(), err error) {
	if waits {
		return rs.catalog.Lock(ctx, removalLock)
	}
	_, end, ok, err := rs.catalog.TryLock(ctx, removalLock)
	if err == nil && !ok {
		err = errForgetting
	}
	return end, err
}

// removalLock is the name of the lock that is held while rows are removed, on any server.
const removalLock = "removal\x00"

// carryOut publishes the new files and records them. Nothing of the family can change meanwhile: it is refused where
// one of the locks was lost, as others may have made commits on the files that are replaced.
func (rs *Removals) carryOut(
	ctx context.Context, f forgetting, w *rewriter, found *removal, locks []string,
) (done removalDocument, err error) {
	if done, err = rs.describe(ctx, f, w, found); err != nil {
		return done, err
	}
	text, err := sealed(done)
	if err != nil {
		return done, err
	}
	if err := errors.Join(w.batch.Write(removalCopy, text), w.batch.Write(removalFile, text)); err != nil {
		return done, err
	}
	if err := w.batch.PublishWhole(); err != nil {
		return done, rs.takeBack(done, err)
	}
	release := rs.compacted.hold(done.FamilyID)
	old := rs.history.suspend(max(done.ID, rs.history.heads.eraNow()))
	err = rs.catalog.WriteOver(ctx, func(tx catalog.Tx) error {
		for _, name := range locks {
			if err := tx.Holds(name); err != nil {
				return err
			}
		}
		return done.record(tx)
	})
	release()
	if err != nil {
		rs.history.resume(done.ID, old)
		return done, rs.takeBack(done, err)
	}
	rs.history.suspend(max(done.ID, rs.history.heads.eraNow()))
	return done, nil
}

var errUnfinished = fault.Errorf(fault.Unavailable, "removal_unfinished",
	"The rows are gone from every state, but some of the former files could not be removed yet. "+
		"Restart the server when its disk can be written to: it removes them.")

// takeBack removes what was published of a removal that does not stand.
func (rs *Removals) takeBack(done removalDocument, cause error) error {
	if errors.Is(cause, catalog.ErrUncertain) {
		return rs.halt(cause)
	}
	if err := rs.blobs.TakeBack(done.Directory); err != nil {
		return rs.halt(errors.Join(cause, err))
	}
	return cause
}

// describe draws the id of a removal and describes it.
func (rs *Removals) describe(
	ctx context.Context, f forgetting, w *rewriter, found *removal,
) (done removalDocument, err error) {
	done = removalDocument{
		Removal: rs.removalOf(f), Files: w.replaced(), Counts: found.counts, Totals: found.totals, Affected: found.affected,
		Unsaid: found.unsaid, Vacuumed: found.vacuumed,
	}
	done.Directory = w.key
	if done.Details, err = jsonOf(found.details); err != nil {
		return done, err
	}
	// Of the sequence of commits, while none of the family can be made: it changes those before it.
	if done.ID, err = rs.catalog.Draw(ctx, f.dataset.ID, catalog.CommitIDs, 1); err != nil || f.answer == nil {
		return done, err
	}
	err = rs.catalog.Read(ctx, func(tx catalog.Tx) error { done.answers, err = f.answer(tx, done); return err })
	return done, err
}

// removalOf is a removal without its id.
func (rs *Removals) removalOf(f forgetting) catalog.Removal {
	return catalog.Removal{
		FamilyID: f.dataset.FamilyID, DatasetID: f.dataset.ID, Kind: f.kind, User: f.User, Reason: f.reason,
		CreatedAt: rs.now(),
	}
}

// lockFamily waits until no dataset of a family is being changed, and keeps it so. New forks and backups wait too.
func (rs *Removals) lockFamily(ctx context.Context, family string) (names []string, unlock func(), err error) {
	var held []func()
	unlock = func() {
		for _, release := range slices.Backward(held) {
			release()
		}
	}
	lock := func(name string) error {
		release, err := rs.catalog.Lock(ctx, name)
		if err == nil {
			held, names = append(held, release), append(names, name)
		}
		return err
	}
	if err := lock(forkLock(family)); err != nil {
		return nil, nil, err
	}
	var datasets []catalog.Dataset
	err = rs.catalog.Read(ctx, func(tx catalog.Tx) error { datasets, err = tx.FamilyDatasets(family); return err })
	for i := 0; err == nil && i < len(datasets); i++ {
		err = lock(datasets[i].ID)
	}
	if err == nil {
		err = lock(backupLock)
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return names, unlock, nil
}

// forkLock is the name of the lock that is held while a fork of a family is made, or a backup recorded.
func forkLock(family string) string { return "fork\x00" + family }

// newRewriter begins to write files of a family anew.
func (rs *Removals) newRewriter(d catalog.Dataset) (*rewriter, error) {
	w := &rewriter{Removals: rs, family: d.FamilyID, key: d.ID + "/" + removalsDir + "/" + rs.newID()}
	var err error
	if w.batch, err = rs.blobs.Batch(w.key); err != nil {
		w.close()
	}
	return w, err
}
