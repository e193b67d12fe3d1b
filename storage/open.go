package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/filecache"
)

// Open opens the data directory dir, makes it a store where it is empty or missing, and brings its catalog up to date
// with its objects. A directory that is neither empty nor a store is ErrNotStore, one that is open ErrInUse.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	s := newStore(dir, o)
	err := s.claim(ctx, o.Objects)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// claim locks the directory and opens what is in it.
func (s *Store) claim(ctx context.Context, objects *ObjectStore) error {
	b, err := s.dir.openBucket(objects)
	if err != nil {
		return err
	}
	s.dir.bucket = b
	if err := s.dir.claimOrWait(ctx); err != nil {
		return err
	}
	if err := s.openObjects(ctx, b); err != nil {
		return err
	}
	return s.open(ctx)
}

// Errors of opening a directory.
var (
	ErrNotStore = datadir.ErrNotStore // it is missing, empty, or something else's
	ErrInUse    = datadir.ErrInUse    // another process, or another part of this one, has it open
)

// newStore puts the parts together. What they have of the directory is there once it is opened.
func newStore(dir string, o Options) *Store {
	o = o.filled()
	j := &journal{log: o.Log, newID: o.NewID, clock: o.Now, changed: o.Changed}
	scratch := func(name string) string { return j.blobs.Scratch(name) }
	limits := budget{memory: o.Memory, threads: o.Threads, spill: func() string { return scratch("spill") }}
	files, requests := newFiles(j, o.Pages), &Requests{journal: j}
	disk := &Disk{dir: dir, least: o.MinFree, free: o.Free}
	staging := &Staging{journal: j, disk: disk}
	history := newHistory(j, files, limits.share(filesShare))
	filters := newKeyFilters(files, limits.share(filterShare))
	history.keys = newKeyFinder(files, filters)
	digests := newDigests(files, history)
	tables := &Tables{
		Files: files, Sandboxes: clientsql.NewSandboxes(limits.sandbox, guard{files}),
		exports: filecache.New(o.Cache, func() string { return scratch("export.parquet") }),
	}
	copies := &StoreBackups{
		Files: files, history: history, place: o.Backups, path: dir, program: o.Program,
	}
	removals := &Removals{
		Files: files, history: history, staging: staging, tables: tables, requests: requests, filters: filters,
		copies: copies,
	}
	history.behind = removals.behind
	removals.published = newPublished(files, history)
	directory := &directory{
		journal: j, path: dir, hook: o.Hook, remote: o.Catalog, there: o.CatalogThere, server: o.Server, waiting: o.Waiting,
	}
	j.doubt = directory.doubt
	copies.places = backupPlaces{o, func() *bucket.Bucket { return directory.bucket }}
	return &Store{
		journal: j, Files: files, History: history, Staging: staging, Requests: requests, Disk: disk,
		Digests: digests, Tables: tables,
		Backups: &Backups{journal: j, Files: files, Staging: staging, history: history, requests: requests},
		Copies:  copies,
		Readers: newReaders(j, limits), Scrubs: &Scrubs{Files: files},
		Upkeep:   newUpkeep(files, history, staging, digests, filters, o.Compact.filled()),
		keys:     history.keys,
		Removals: removals, Published: removals.published,
		Quotas:  newQuotas(j),
		Vacuums: &Vacuums{Removals: removals, grace: o.Deleted},
		Counts:  newCounts(),
		dir:     directory,
		budget:  limits, families: &families{journal: j, byID: map[string]*family{}}, groups: defaultGroups,
		recorder: recorder{journal: j},
		gateTime: cmp.Or(o.Gates, gateTime),
	}
}

// filled returns the options with defaults in place of zeros.
func (o Options) filled() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	if o.Cache == 0 {
		o.Cache = 10e9
	}
	if o.Free == nil {
		o.Free = freeBytes
	}
	if o.Memory == 0 {
		o.Memory = duck.ProcMemory("/proc/meminfo", "MemTotal") / 2
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return o
}

// open opens what is in the directory, in the order in which the parts need each other.
func (s *Store) open(ctx context.Context) (err error) {
	// From here on every write leaves room, those of the start included.
	s.blobs.KeepFree(s.Disk.room)
	if err := s.dir.recall(); err != nil {
		return err
	}
	if err := s.dir.openCatalog(ctx); err != nil {
		return err
	}
	if s.engine, err = duck.Open(s.budget.engine()); err != nil {
		return err
	}
	// What is not in the catalog beside servers that write is what they are about to record.
	if s.catalog.IsFirst() {
		if err := s.finishWork(ctx); err != nil {
			return err
		}
	}
	s.unwatch = duck.Watch(s.budget.memory, s.Sandboxes.Pool, s.Readers.pool)
	if err := s.forget(ctx); err != nil {
		return err
	}
	if err := s.dir.markCatalog(); err != nil {
		return err
	}
	if err := s.catalog.Checkpoint(ctx); err != nil {
		return err
	}
	return s.catalog.Started(ctx)
}

// finishWork has the catalog and the objects agree, and finishes what no server goes on with.
func (s *Store) finishWork(ctx context.Context) error {
	if err := s.recantAll(ctx); err != nil {
		return fmt.Errorf("taking back labels that were not recorded: %w", err)
	}
	if err := s.bringUp(ctx); err != nil {
		return fmt.Errorf("bringing the catalog up to date with the objects: %w", err)
	}
	if err := s.Removals.finishAll(ctx); err != nil {
		return fmt.Errorf("finishing removals: %w", err)
	}
	if err := s.Vacuums.removeLeftovers(ctx); err != nil {
		return fmt.Errorf("removing what is left of removed datasets: %w", err)
	}
	if err := s.Upkeep.sweep(ctx); err != nil {
		return fmt.Errorf("removing compacted files that are not used: %w", err)
	}
	if err := s.dropLeftUploads(ctx); err != nil {
		return fmt.Errorf("removing uploads that no one can ask for: %w", err)
	}
	return nil
}

// bringUp brings the catalog up to date with the objects. Where that shows that it is damaged, which was not looked for
// in one that seemed to be as it was left (isSound), it is made anew from them.
func (s *Store) bringUp(ctx context.Context) error {
	err := s.catchUp(ctx, s.dir.last, s.dir.vouched)
	if !catalog.IsDamaged(err) {
		return err
	}
	if err := s.dir.remakeCatalog(ctx, err.Error()); err != nil {
		return err
	}
	return s.catchUp(ctx, s.dir.last, s.dir.vouched)
}

// forget drops what was kept for a time, and ends the jobs of servers that are gone.
func (s *Store) forget(ctx context.Context) error {
	err := s.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.ForgetReceipts(s.now().Add(-receiptsKept)) })
	return errors.Join(err, s.Requests.GiveUpJobs(ctx, map[int64]time.Time{}, 0))
}

// Close closes the store. Nothing may be under way.
func (s *Store) Close() error {
	s.exports.Close()
	var errs []error
	s.Sandboxes.Close()
	s.Readers.close()
	started := s.unwatch != nil
	if started {
		s.unwatch()
		s.unwatch = nil
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.catalog != nil {
		errs = append(errs, s.catalog.Close())
	}
	// Only where the start was complete, and all that was done since is known to be in the catalog.
	if started && errors.Join(append(errs, s.halted())...) == nil {
		s.dir.doubt()
		if err := s.dir.note(); err != nil {
			s.log.Warn("how the store was closed could not be noted: the next start takes longer", "error", err)
		}
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	return errors.Join(append(errs, s.dir.held.Release())...)
}
