package storage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/digest"
	"github.com/rowback/rowback/storage/snapshot"
)

// A digest of a state is computed from the values of its records (package digest), as a sum over its files. Those of
// files and states are kept in the catalog when they were computed, so that the next state costs the files that are new
// in it. They can be computed again, and nothing depends on them.

// Digests are those of a store's states.
type Digests struct {
	*Files
	history *History
	turn    chan struct{} // held while files are read: one request at a time, and no file twice

	mu     sync.Mutex
	era    int64            // the newest removal: it makes digests be forgotten
	filled map[string]int64 // by dataset: a commit up to which all digests are known
}

func newDigests(f *Files, h *History) *Digests {
	return &Digests{Files: f, history: h, turn: make(chan struct{}, 1), filled: map[string]int64{}}
}

// StateDigest is the digest of a state.
type StateDigest struct {
	Commit int64 // 0: before the first
	Total  int64 // records
	Digest string
}

// Of returns the digest of a state. It reads the files that were not digested before.
func (ds *Digests) Of(ctx context.Context, dataset, ref string) (out StateDigest, err error) {
	var s *stateSum
	err = ds.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		commit, err := resolve(tx, d, ref, ds.now)
		if err == nil {
			s, err = ds.begin(tx, d, commit)
		}
		return err
	})
	if err != nil {
		return out, err
	}
	out = StateDigest{Commit: s.state.Commit.ID, Total: s.state.Total(), Digest: s.known}
	if out.Digest == "" {
		out.Digest, err = ds.compute(ctx, s)
	}
	return out, err
}

// Known returns the digests of the states after commits that were computed before, by commit.
func (ds *Digests) Known(ctx context.Context, commits []int64) (out map[int64]string, err error) {
	out = map[int64]string{}
	err = ds.catalog.Read(ctx, func(tx catalog.Tx) error {
		found, err := tx.CommitDigests(commits)
		for _, d := range found {
			out[d.Commit] = d.Digest
		}
		return err
	})
	return out, err
}

// Fill computes digests of a dataset that are not known: of the head, then of the states after other commits, oldest
// first. It returns how many it computed, at most the given number; fewer mean that no more are missing. pause is told
// how long each took, and may end it.
func (ds *Digests) Fill(
	ctx context.Context, dataset string, most int, pause func(took time.Duration) error,
) (done int, err error) {
	d, missing, era, err := ds.missing(ctx, dataset, most)
	if err != nil {
		return 0, err
	}
	for _, commit := range append([]int64{d.Head}, missing...) {
		began := time.Now()
		computed, err := ds.fill(ctx, d, commit)
		if err != nil {
			return done, err
		}
		if !computed {
			continue
		}
		if done++; done == most {
			return done, nil
		}
		if err := pause(time.Since(began)); err != nil {
			return done, err
		}
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.era == era {
		ds.filled[dataset] = d.Head
	}
	return done, nil
}

// missing returns up to most commits of a dataset of whose states no digest is known, and the newest removal. Up to
// what is noted as filled since that, it does not look.
func (ds *Digests) missing(
	ctx context.Context, dataset string, most int,
) (d catalog.Dataset, ids []int64, era int64, err error) {
	err = ds.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if d, err = activeFor(ctx, tx, dataset); err != nil {
			return err
		}
		if era, err = eraOf(tx); err == nil {
			ids, err = tx.WithoutDigest(d.ID, ds.filledIn(era, dataset), most)
		}
		return err
	})
	return d, ids, era, err
}

// filledIn returns a commit of a dataset up to which all digests are known since a removal.
func (ds *Digests) filledIn(era int64, dataset string) int64 {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if era > ds.era {
		clear(ds.filled)
		ds.era = era
	}
	return ds.filled[dataset]
}

// fill computes one digest, unless it is known, or a vacuum has removed the state since it was listed.
func (ds *Digests) fill(ctx context.Context, d catalog.Dataset, commit int64) (computed bool, err error) {
	var s *stateSum
	err = ds.catalog.Read(ctx, func(tx catalog.Tx) error { s, err = ds.begin(tx, d, commit); return err })
	if isGone(err) {
		return false, nil
	}
	if err != nil || s.known != "" || commit == 0 {
		return false, err
	}
	s.workers = 1 // nobody waits for it
	_, err = ds.compute(ctx, s)
	return err == nil, err
}

// begin looks up the digest of a state, or what it takes to compute it.
func (ds *Digests) begin(tx catalog.Tx, d catalog.Dataset, commit int64) (*stateSum, error) {
	s := &stateSum{dataset: d, commit: commit}
	found, err := tx.CommitDigests([]int64{commit})
	if err == nil {
		s.era, err = familyEraOf(tx, d.FamilyID)
	}
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		s.known = found[0].Digest
		s.state.Dataset = d
		return s, s.state.ReadCommit(tx, commit)
	}
	if s.state, err = snapshot.At(tx, d, commit); err == nil {
		// What is left of the files would have another digest, from which those of later states would be computed.
		err = checkState(d, s.state.Commit)
	}
	if err != nil {
		return nil, err
	}
	from, sum, err := ds.before(tx, s)
	if err != nil {
		return nil, err
	}
	return s, s.plan(tx, ds.history, from, sum)
}

// before returns the newest earlier state with the same schema whose digest is known; 0 if there is none.
func (ds *Digests) before(tx catalog.Tx, s *stateSum) (commit int64, sum digest.Sum, err error) {
	last, err := tx.LastDigest(s.dataset.ID, s.commit, s.state.SchemaID())
	if errors.Is(err, catalog.ErrNotFound) {
		return 0, sum, nil
	}
	if err == nil {
		sum, err = digest.Parse(last.Digest)
	}
	return last.Commit, sum, err
}

// compute reads the files that were not digested yet, and keeps what it learns.
func (ds *Digests) compute(ctx context.Context, s *stateSum) (string, error) {
	select {
	case ds.turn <- struct{}{}:
		defer func() { <-ds.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	known := digestMemory{}
	if err := ds.catalog.Read(ctx, func(tx catalog.Tx) error { return known.learn(tx, s.files()) }); err != nil {
		return "", err
	}
	var last digestMemory // recorded with what comes after it
	err := ds.readDigests(ctx, s, known.missing(s), func(found digestMemory) {
		maps.Copy(known, found)
		ds.keep(ctx, s.era, last)
		last = found
	})
	if err != nil {
		ds.keep(ctx, s.era, last)
		return "", err
	}
	text := s.total(known).String()
	if err := ds.catalog.Read(ctx, s.era.goesOn); err != nil || s.commit == 0 {
		return text, err
	}
	ds.keep(ctx, s.era, last, catalog.CommitDigest{Commit: s.commit, Digest: text})
	return text, nil
}

// keep records digests, also of a request that has ended: what was read need not be read again. What can't be recorded
// is computed again when it is needed.
func (ds *Digests) keep(ctx context.Context, era familyEra, files digestMemory, states ...catalog.CommitDigest) {
	if len(files)+len(states) == 0 || ds.halted() != nil {
		return
	}
	err := ds.catalog.Write(context.WithoutCancel(ctx), func(tx catalog.Tx) error {
		errs := []error{era.goesOn(tx)}
		for key, sum := range files {
			errs = append(errs, tx.AddFileDigest(catalog.FileDigest{DigestKey: key, Digest: sum.String()}))
		}
		for _, state := range states {
			errs = append(errs, tx.AddCommitDigest(state))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		ds.log.Warn("a digest was computed but not kept", "error", err)
	}
}

// digestMemory is what is known of the digests of files.
type digestMemory map[catalog.DigestKey]digest.Sum

// learn reads what the catalog knows of the digests of files.
func (m digestMemory) learn(tx catalog.Tx, files []*catalog.File) error {
	found, err := tx.FileDigests(ids(files))
	for _, f := range found {
		sum, errSum := digest.Parse(f.Digest)
		if errSum != nil {
			return errSum
		}
		m[f.DigestKey] = sum
	}
	return err
}

// missing returns the files of a sum whose digests are not known.
func (m digestMemory) missing(s *stateSum) []*catalog.File {
	return slices.DeleteFunc(s.files(), func(f *catalog.File) bool {
		_, ok := m[s.key(f)]
		return ok
	})
}
