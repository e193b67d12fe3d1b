package storage

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// A backup of the store, or of a fork family, is what the objects and the catalog are at one moment, its cut, in
// another directory or in a bucket (package backup). Commits, forks, merges and compaction go on meanwhile: objects do
// not change, so they are copied at leisure, and only those that the target does not have. Three things do change, and
// are dealt with:
//
//   - labels, which are replaced. They are read while none is written, at the moment of the cut (store_backup_cut.go).
//   - descriptions of commits, which an erasure writes again. They are read again where there was one since the last
//     backup.
//   - files that vacuum and erasing remove. Where one is gone before it was copied, another cut is made, and what was
//     copied is kept: each round is shorter than the one before.
//
// At its end no backup is older than a removal that it does not know of: then another cut is made too. So what an
// erasure has removed is in no backup that ends after it, and the erasure names those that ended before.

// StoreBackups makes backups of the store.
type StoreBackups struct {
	*Files
	history *History
	place   string // the target of the server; empty: none
	places  backupPlaces
	path    string // of the store
	program string

	// Settings copies the server's settings to a file, where they are not in the directory; nil: they are, or there are
	// none.
	Settings func(ctx context.Context, path string) error

	// Failed is called with what a client may know of a backup or a pruning that failed; nil: nobody asks.
	Failed func(ctx context.Context, err error)
	Opened func(key string) // called for each object of the store that is opened; nil: for tests to count them

	mu    sync.Mutex
	state BackupState
}

// BackupState is what became of the backups that this process made.
type BackupState struct {
	Last     backup.Manifest // the newest that is complete
	Failures int64
	Running  bool
	Keeps    bool // this server makes those that are due, or no other one can have the store; else Last may be old
}

// NewStoreBackup is what a backup shall have.
type NewStoreBackup struct {
	Dataset string // the id of one whose family is backed up; empty: the whole store
	Full    bool   // everything is read and written again
}

// errNoTarget is for a server without a target.
var errNoTarget = fault.Errorf(fault.Conflict, "no_backup_target",
	"The server has no place for backups. Start it with --backup-to, and a directory or s3://bucket/prefix.")

// IsConfigured reports whether the server has a place for backups.
func (bs *StoreBackups) IsConfigured() bool { return bs.place != "" }

// CheckPlace refuses a place for backups in the store's own objects.
func (bs *StoreBackups) CheckPlace() error {
	_, err := bs.places.where(bs.place)
	return err
}

// State is what became of the backups so far.
func (bs *StoreBackups) State() BackupState {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	state := bs.state
	state.Keeps = state.Keeps || !bs.catalog.IsShared()
	return state
}

func (bs *StoreBackups) change(f func(*BackupState)) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	f(&bs.state)
}

// Make makes a backup in the server's target.
func (bs *StoreBackups) Make(ctx context.Context, n NewStoreBackup, r Request) (backup.Manifest, error) {
	if !bs.IsConfigured() {
		return backup.Manifest{}, errNoTarget
	}
	return bs.MakeIn(ctx, bs.place, n, r)
}

// MakeIn makes a backup in a directory or below a prefix of a bucket, which is empty, missing, or has earlier backups
// of this store.
func (bs *StoreBackups) MakeIn(
	ctx context.Context, place string, n NewStoreBackup, r Request,
) (backup.Manifest, error) {
	bs.change(func(s *BackupState) { s.Running = true })
	m, err := bs.makeIn(ctx, place, n, r)
	bs.change(func(s *BackupState) {
		s.Running = false
		if err == nil && m.IsComplete() && m.Scope == "" {
			s.Last = m
		}
	})
	busy := errors.Is(err, backup.ErrInUse)
	err = explainTarget(ctx, err)
	switch {
	case busy:
	case err != nil:
		bs.fail(ctx, err)
	case !m.IsComplete():
		bs.fail(ctx, errIncomplete(m))
	}
	return m, err
}

// fail counts a failure, and has it told, unless the server ends.
func (bs *StoreBackups) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	bs.change(func(s *BackupState) { s.Failures++ })
	if bs.Failed != nil {
		bs.Failed(ctx, err)
	}
}

func (bs *StoreBackups) makeIn(
	ctx context.Context, place string, n NewStoreBackup, r Request,
) (m backup.Manifest, err error) {
	if err := bs.halted(); err != nil {
		return m, err // it is not known what the objects have
	}
	id, err := bs.storeID(ctx)
	if err != nil {
		return m, err
	}
	where, err := bs.places.where(place)
	if err != nil {
		return m, err
	}
	where.Scratch = bs.blobs.Scratch("backup")
	defer bs.blobs.RemoveScratch(where.Scratch)
	t, err := backup.Create(ctx, where, id, bs.now())
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	w, err := t.NewWriter(ctx, n.Full)
	if err != nil {
		return m, err
	}
	defer w.Discard()
	c, err := bs.newCopying(ctx, t, w, n, r)
	if err != nil {
		return m, err
	}
	defer c.close()
	return c.run(ctx)
}

func (bs *StoreBackups) storeID(ctx context.Context) (id string, err error) {
	err = bs.catalog.Read(ctx, func(tx catalog.Tx) error { id, err = tx.StoreID(); return err })
	return id, err
}

// List lists the backups in the server's target, newest first, and how many can't be read.
func (bs *StoreBackups) List(ctx context.Context) (list []backup.Manifest, unreadable int, err error) {
	if !bs.IsConfigured() {
		return nil, 0, errNoTarget
	}
	list, bad, err := listBackups(ctx, bs.places, bs.place)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, backup.ErrNotTarget) {
		return nil, 0, nil // none was made yet
	}
	return list, len(bad), explainTarget(ctx, err)
}

// Find returns one backup in the server's target.
func (bs *StoreBackups) Find(ctx context.Context, id string) (m backup.Manifest, err error) {
	if !bs.IsConfigured() {
		return m, errNoTarget
	}
	t, err := bs.places.open(ctx, bs.place)
	if err == nil {
		m, err = t.Find(ctx, id)
		err = errors.Join(err, t.Close())
	}
	if errors.Is(err, backup.ErrNone) || errors.Is(err, fs.ErrNotExist) ||
		t == nil && errors.Is(err, backup.ErrNotTarget) {
		return m, fault.Errorf(fault.NotFound, "backup_not_found", "Backup '%s' not found", fault.Clip(id))
	}
	return m, explainTarget(ctx, err)
}

// holding returns the backups in the server's target that have one of the states that an erasure affects; nil if that
// is not known. The removals wait for a backup that is about to be finished.
func (bs *StoreBackups) holding(ctx context.Context, erased []ErasedDataset) []ErasedStoreBackup {
	out := []ErasedStoreBackup{}
	if !bs.IsConfigured() {
		return out
	}
	list, unreadable, err := bs.List(ctx)
	if err != nil || unreadable > 0 {
		bs.log.Warn("which backups have erased records is not known", "unreadable", unreadable, "error", err)
		return nil
	}
	first := map[string]int64{}
	for _, d := range erased {
		first[d.ID] = d.First
	}
	for _, m := range list {
		if slices.ContainsFunc(m.Datasets, func(d backup.Dataset) bool { return first[d.ID] != 0 && d.Head >= first[d.ID] }) {
			out = append(out, ErasedStoreBackup{m.ID, m.CreatedAt})
		}
	}
	return out
}

// ListBackups lists the backups in a place, newest first, and the manifests that can't be read.
func ListBackups(
	ctx context.Context, place string, o Options,
) (list []backup.Manifest, unreadable []string, err error) {
	return listBackups(ctx, o.backupPlaces(), place)
}

func listBackups(
	ctx context.Context, p backupPlaces, place string,
) (list []backup.Manifest, unreadable []string, err error) {
	t, err := p.open(ctx, place)
	if err != nil {
		return nil, nil, err
	}
	all, unreadable, err := t.List(ctx)
	for i := range all {
		list = append(list, all[len(all)-1-i])
	}
	return list, unreadable, errors.Join(err, t.Close())
}

// PruneBackups removes old backups from a place, and what only they have (backup.Target.Prune).
func PruneBackups(ctx context.Context, place string, keep int, dry bool, o Options) (out backup.Pruned, err error) {
	return pruneBackups(ctx, o.backupPlaces(), place, keep, dry)
}

func pruneBackups(
	ctx context.Context, p backupPlaces, place string, keep int, dry bool,
) (out backup.Pruned, err error) {
	t, err := p.open(ctx, place)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	return t.Prune(ctx, keep, dry)
}

// CheckBackups reads every object of the backups in a place (backup.Target.Check).
func CheckBackups(ctx context.Context, place string, aside bool, o Options) (out backup.Checked, err error) {
	o.Hook = nil
	t, err := o.backupPlaces().open(ctx, place)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if aside {
		err = t.Lock(ctx)
	}
	if err != nil {
		return out, err
	}
	return t.Check(ctx, aside)
}

// A BackupPlan is how often backups are made, and how many are kept.
type BackupPlan struct {
	Every time.Duration
	Keep  int
}

// backupRetry is when a backup that failed is tried again, unless the next one is due before.
const backupRetry = 15 * time.Minute

// Keep makes backups in the server's target, in the background, until ctx ends. The first is due so long after the
// newest that is there. Of several servers, one does.
func (bs *StoreBackups) Keep(ctx context.Context, plan BackupPlan) {
	bs.Duty(ctx, "backup", func(ctx context.Context) {
		defer bs.change(func(s *BackupState) { s.Keeps = false })
		bs.keep(ctx, plan)
	})
}

func (bs *StoreBackups) keep(ctx context.Context, plan BackupPlan) {
	wait := bs.due(ctx, plan)
	bs.change(func(s *BackupState) { s.Keeps = true })
	for sleep(ctx, wait) == nil {
		wait = plan.Every
		if err := bs.keepOnce(ctx, plan); err != nil && ctx.Err() == nil {
			bs.log.Error("the backup failed", "error", err, "cause", errors.Unwrap(err))
			wait = min(plan.Every, backupRetry)
		}
	}
}

// due is how long the next backup can wait. What is there counts for the metrics too.
func (bs *StoreBackups) due(ctx context.Context, plan BackupPlan) time.Duration {
	list, _, err := bs.List(ctx)
	if err != nil {
		return 0 // the backup finds out why
	}
	for _, m := range list {
		if m.Scope == "" && m.IsComplete() {
			bs.change(func(s *BackupState) { s.Last = m })
			return max(0, plan.Every-bs.now().Sub(m.CreatedAt))
		}
	}
	return 0
}

// keepOnce makes a backup and removes those that are too old.
func (bs *StoreBackups) keepOnce(ctx context.Context, plan BackupPlan) error {
	m, err := bs.Make(ctx, NewStoreBackup{}, Request{})
	if err != nil {
		return err
	}
	bs.log.Info("a backup was made", "backup", m.ID, "objects_copied", m.Copied, "bytes_copied", m.CopiedBytes)
	if !m.IsComplete() {
		return errIncomplete(m)
	}
	gone, err := pruneBackups(ctx, bs.places, bs.place, plan.Keep, false)
	if err = explainTarget(ctx, err); err != nil {
		bs.fail(ctx, err)
	} else if len(gone.Backups) > 0 {
		bs.log.Info("old backups were removed", "backups", gone.Backups, "bytes", gone.Bytes)
	}
	return err
}

// errIncomplete is for a backup of a store that is damaged.
func errIncomplete(m backup.Manifest) error {
	return fault.Errorf(fault.Corrupt, "backup_incomplete",
		"The backup has all but %d objects, which are damaged or missing in the store. "+
			"Repair the store, then back it up again.",
		len(m.Damaged))
}
