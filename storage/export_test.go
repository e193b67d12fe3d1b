package storage

import (
	"context"
	"io"
	"math"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// ReaderRequests is how many requests reader processes have been sent, once what they were given is back.
func (s *Store) ReaderRequests() int64 {
	s.Readers.lent.Wait()
	return s.Readers.pool.Asked()
}

// Parts is how many of n columns each statement on an upload tests.
func Parts(n int) (sizes []int) {
	columns := make([]int, n)
	for i := range columns {
		columns[i] = i
	}
	for part := range parts(columns, func(i int) int { return i }) {
		sizes = append(sizes, len(part))
	}
	return sizes
}

// MostColumns is how many columns a statement on an upload tests, and how many it writes, at most.
func (s *Store) MostColumns() (tested, written int) {
	return slices.Max(Parts(10_000)), s.Readers.uploadColumns()
}

// ByStatements returns what is wanted, read by statements only.
func (r Wanted) ByStatements() Wanted {
	snap := *r.Snapshot
	snap.ReadHere(nil)
	r.Snapshot = &snap
	return r
}

// InSlices returns what is wanted, read in slices of at most a number of columns.
func (r Wanted) InSlices(most int) Wanted {
	r.slice = most
	return r
}

// Redescribed returns a commit's description as it is stored, and as what it says is described again.
func (s *Store) Redescribed(d catalog.Dataset, commit int64) (stored, again []byte, err error) {
	key := commitKey(d.ID, commit) + "/" + descriptionFile
	in, err := s.blobs.Open(key)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	if stored, err = io.ReadAll(in); err != nil {
		return nil, nil, err
	}
	m, err := s.readManifest(d.ID, commit)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.publication(snapshot.State{Dataset: d})
	if err != nil {
		return nil, nil, err
	}
	again, err = sealed(p.describe())
	return stored, again, err
}

// JobServers are the servers that have unfinished jobs.
func (s *Store) JobServers(ctx context.Context) (list []int64, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.JobServers(); return err })
	return list, err
}

// Server is the number of the store's opening of its catalog.
func (s *Store) Server() int64 { return s.catalog.Server() }

// Queued is how many commits of a dataset hold its lock or wait for it.
func (s *Store) Queued(dataset string) int { return s.catalog.Queued(dataset) }

// GroupAllThatWait has every small commit that waits join a group, however long that takes.
func (s *Store) GroupAllThatWait() { s.groups = groupLimits{most: math.MaxInt, within: time.Hour} }

// Past is the files that are live at a commit, by the file history and as the catalog has them.
func (s *Store) Past(ctx context.Context, dataset string, commit int64) (past, plain []int64, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := tx.Dataset(dataset)
		if err != nil {
			return err
		}
		state, err := snapshot.At(tx, d, commit)
		if err != nil {
			return err
		}
		snap := snapshot.New(state, s.pathOf)
		if err := s.pastFiles(tx, snap); err != nil {
			return err
		}
		past = append([]int64{}, ids(snap.Files())...)
		slices.Sort(past)
		plain, err = tx.FileIDs(dataset, commit)
		return err
	})
	return past, plain, err
}

// DigestSoon has upkeep compute digests without waiting for a minute.
func (u *Upkeep) DigestSoon() { u.digestEvery = 10 * time.Millisecond }
