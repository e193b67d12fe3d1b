package storage

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// A start reads what has changed since the catalog was known to have it all, and nothing else: it costs what changed
// and not what there is.
//
// A store that is closed in order notes when the directories of its datasets changed, with the catalog up to date
// (closed.json). The next start reads those that have changed since. A catalog or a directory that was put in place
// meanwhile has another time. TestAStartReadsWhatChanged proves it.
//
// While it is open, the catalog itself notes that (noted), once a minute. So whatever copy of the catalog it is, what
// it notes is what it has. After a crash, a start goes by these notes if the catalog is the one that was open
// (open.json). TestAStartAfterACrashReadsWhatChanged and TestAStartByNotesIsOneWithoutThem prove it.

// note notes how the store is closed. Without it the next start reads everything.
func (d *directory) note() error {
	if d.marker.Catalog != "" {
		return nil // it is about the file that the catalog is
	}
	ids, err := d.blobs.Directories("")
	if err != nil {
		return err
	}
	datasets := map[string]string{}
	for _, id := range ids {
		datasets[id] = d.stampOf(id)
	}
	return datadir.Note(d.path, datasets, d.hook)
}

// stampOf returns when what a dataset's directory holds was last added to: commits, labels, backups
// and removals.
func (j *journal) stampOf(dataset string) string { return j.blobs.Stamp(stamped(dataset)...) }

// The directories that a stamp is about.
const (
	commitsPart = iota
	labelsPart
	backupsPart
	removalsPart
)

func stamped(dataset string) []string {
	return []string{dataset, dataset + "/" + labelsDir, dataset + "/" + backupsDir, dataset + "/" + removalsDir}
}

// recall finds out what the catalog is known to have.
func (d *directory) recall() (err error) {
	if d.last, err = datadir.Recall(d.path); err == nil {
		d.vouched = !d.last.IsKnown() && datadir.IsVouched(d.path)
		d.doubt() // until the start has come to its end: if it fails, the next one relies on nothing
	}
	return err
}

// isSound reports whether the catalog was sound when it was opened before, and no one else has written to it.
func (d *directory) isSound() bool { return d.last.IsKnown() || d.vouched }

// vouch says that the catalog's own file was just written by this process, unless the catalog is not relied on.
func (d *directory) vouch() {
	if d.halted() != nil {
		return
	}
	if err := datadir.Vouch(d.path); err != nil {
		d.log.Warn("the next start takes longer, should this process not end in order", "error", err)
	}
}

// doubt has the next start rely on nothing.
func (d *directory) doubt() {
	if err := datadir.Doubt(d.path); err != nil {
		d.log.Error("the next start may rely on the catalog: remove open.json in the data directory", "error", err)
	}
}

// notes is what a catalog notes of a dataset, at a start.
type notes struct {
	parts [4]bool // which directories are as they were
	last  int64   // the commits up to this one are recorded, or were never to be
}

func (n notes) isAll() bool { return n.parts == [4]bool{true, true, true, true} }

// notesOf returns what is known of a dataset's directories.
func (f *forward) notesOf(dataset string) (n notes) {
	now := f.stampOf(dataset)
	if was := f.last.Datasets[dataset]; was != "" && was == now {
		return notes{parts: [4]bool{true, true, true, true}}
	}
	was, known := f.noted[dataset]
	if !known {
		return n
	}
	n.last = was.Last
	before, after := strings.Fields(was.Stamps), strings.Fields(now)
	for i := range n.parts {
		n.parts[i] = len(before) == len(n.parts) && len(after) == len(n.parts) && before[i] == after[i]
	}
	return n
}

// noteEvery is how often it is noted what the catalog has, and settledAfter how long a directory must not have changed
// for that: two changes within a tick of the system's clock have the same time.
const (
	noteEvery    = time.Minute
	settledAfter = time.Second
)

// KeepNoted notes, until ctx ends, what of the directories the catalog has, so that a start after a crash need not read
// it.
func (s *Store) KeepNoted(ctx context.Context) {
	for {
		if err := s.Note(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what the catalog has could not be noted: a start after a crash takes longer", "error", err)
		}
		if err := s.Removals.Observe(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what other servers removed could not be read", "error", err)
		}
		if sleep(ctx, noteEvery) != nil {
			return
		}
	}
}

// Note notes what of the directories the catalog has.
func (s *Store) Note(ctx context.Context) error {
	if s.halted() != nil {
		return nil
	}
	var changed []catalog.Dataset
	var noted map[string]catalog.Noted
	err := s.catalog.Read(ctx, func(tx catalog.Tx) error {
		deleted, errDeleted := tx.Datasets(catalog.DatasetFilter{Deleted: true, Vacuumed: true, Limit: 1 << 30})
		all, err := tx.Datasets(catalog.DatasetFilter{Limit: 1 << 30})
		var errNoted error
		noted, errNoted = tx.Noted()
		for _, d := range append(all, deleted...) {
			if was, known := noted[d.ID]; !known || was.Stamps != s.stampOf(d.ID) {
				changed = append(changed, d)
			}
		}
		return errors.Join(err, errDeleted, errNoted)
	})
	if err != nil || len(changed) == 0 {
		return err
	}
	err = s.catalog.Write(ctx, func(tx catalog.Tx) error {
		for _, d := range changed {
			if err := tx.Note(d.ID, s.settled(d, noted[d.ID].Stamps)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.catalog.Checkpoint(ctx)
}

// settled returns the stamps of those of a dataset's directories that the catalog has all of, and for the others what
// was noted before. It is called in a transaction that may write, so no other one ends meanwhile. What is written
// before its transaction is written under a lock: commits under that of their dataset, backups and removals under that
// of the family's forks. Labels are written within theirs.
func (s *Store) settled(d catalog.Dataset, before string) string {
	now, was := strings.Fields(s.stampOf(d.ID)), strings.Fields(before)
	if len(now) == 0 { // it is not known
		return ""
	}
	busy, forking := s.catalog.Queued(d.ID) > 0, s.catalog.Queued(forkLock(d.FamilyID)) > 0
	unsettled := [4]bool{commitsPart: busy, backupsPart: forking, removalsPart: forking || busy}
	for i := range now {
		if !unsettled[i] && blob.IsOlder(now[i], settledAfter) {
			continue
		}
		now[i] = "?"
		if len(was) == len(now) {
			now[i] = was[i]
		}
	}
	return strings.Join(now, " ")
}
