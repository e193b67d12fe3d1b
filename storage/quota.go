package storage

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// Quota is the most that a project may store; nil: any amount.
type Quota struct {
	Bytes   *int64 // of data and rollback files, those of past states included
	Records *int64 // live records
}

// Quotas bound what the datasets of a project store. A commit that would exceed its project's quota is refused before
// it is recorded. Those that neither add nor change records are not, as they make room or lead to it.
type Quotas struct {
	*journal

	// Ask returns the quota of a project as it is now, where other servers may change it; nil: it is what Set says.
	Ask func(ctx context.Context, project int64) (Quota, error)

	mu     sync.Mutex
	of     map[int64]Quota
	taking map[int64]catalog.Usage // of commits that are about to be recorded
}

func newQuotas(j *journal) *Quotas {
	return &Quotas{journal: j, of: map[int64]Quota{}, taking: map[int64]catalog.Usage{}}
}

// Set replaces all quotas, by project.
func (q *Quotas) Set(all map[int64]Quota) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.of = maps.Clone(all)
}

// Of returns the quota of a project; the zero value: it has none.
func (q *Quotas) Of(ctx context.Context, project int64) (Quota, error) {
	if q.Ask != nil {
		return q.Ask(ctx, project)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of[project], nil
}

// Usage returns what a project stores.
func (q *Quotas) Usage(ctx context.Context, project int64) (u catalog.Usage, err error) {
	err = q.catalog.Read(ctx, func(tx catalog.Tx) error {
		u, err = tx.Usage(project)
		return err
	})
	return u, err
}

// take refuses what would exceed a project's quota, and otherwise counts it until leave: others are measured with it
// before it is in the catalog. So commits that are made at the same time do not exceed the quota together.
func (q *Quotas) take(ctx context.Context, project int64, more catalog.Usage) (leave func(), err error) {
	_, leave, err = q.takeOf(ctx, project, more)
	return leave, err
}

// takeOf is take, and returns the quota as well.
func (q *Quotas) takeOf(
	ctx context.Context, project int64, more catalog.Usage,
) (limit Quota, leave func(), err error) {
	none := func() {}
	limit, err = q.Of(ctx, project)
	if err != nil || limit == (Quota{}) {
		return limit, none, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	has, err := q.Usage(ctx, project)
	if err != nil {
		return limit, none, err
	}
	taking := q.taking[project]
	has.Bytes += taking.Bytes
	has.Records += taking.Records
	if err := exceeds(project, "bytes", limit.Bytes, has.Bytes, more.Bytes); err != nil {
		return limit, none, err
	}
	if err := exceeds(project, "records", limit.Records, has.Records, more.Records); err != nil {
		return limit, none, err
	}
	q.add(project, more, 1)
	return limit, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.add(project, more, -1)
	}, nil
}

// add adds to what is being taken. The caller holds the lock.
func (q *Quotas) add(project int64, more catalog.Usage, sign int64) {
	taking := q.taking[project]
	taking.Bytes += sign * more.Bytes
	taking.Records += sign * more.Records
	if q.taking[project] = taking; taking == (catalog.Usage{}) {
		delete(q.taking, project)
	}
}

// ErrQuota refuses a commit that would exceed a project's quota.
var ErrQuota = fault.New(fault.TooLarge, "quota_exceeded")

func exceeds(project int64, what string, limit *int64, has, more int64) error {
	if limit == nil || more <= 0 || has+more <= *limit {
		return nil
	}
	return ErrQuota.Sayf("Project %d may store %d %s: it has %d, and this adds %d. "+
		"Delete or vacuum what is not needed, or ask an admin for a larger quota.", project, *limit, what, has, more).
		With("quota", *limit).With("used", has).With("adds", more)
}

// takeQuota refuses the commit if it would exceed its project's quota. What it takes is counted until it is known
// what became of it.
func (w *work) takeQuota(ctx context.Context) error {
	more, grows := w.adds()
	if !grows {
		return nil
	}
	more.Records = max(more.Records, 0) // room that is made counts once it is there
	project := w.head.Dataset.ProjectID
	limit, leave, err := w.store.Quotas.takeOf(ctx, project, more)
	w.leaveQuota = leave
	if w.store.Quotas.Ask != nil && limit != (Quota{}) {
		w.fits = func(tx catalog.Tx) error { return limit.fits(tx, project, more) }
	}
	return err
}

// fits refuses, in the transaction that records more, what exceeds a project's quota with it: what other servers were
// about to record was not known before. Transactions that write are one after another.
func (limit Quota) fits(tx catalog.Tx, project int64, more catalog.Usage) error {
	has, err := tx.Usage(project)
	if err != nil {
		return err
	}
	return errors.Join(exceeds(project, "bytes", limit.Bytes, has.Bytes-more.Bytes, more.Bytes),
		exceeds(project, "records", limit.Records, has.Records-more.Records, more.Records))
}

// takeUndeleted refuses to bring a deleted dataset back if its records would exceed its project's quota: those of
// deleted datasets do not count. Its bytes always have.
func (s *Store) takeUndeleted(ctx context.Context, id string) (leave func(), err error) {
	var d catalog.Dataset
	var records int64
	err = s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if d, err = tx.Dataset(id); err != nil || d.DeletedAt.IsZero() || !d.VacuumedAt.IsZero() {
			return err
		}
		state, err := snapshot.At(tx, d, d.Head)
		records = state.Total()
		return err
	})
	if err != nil {
		return func() {}, err
	}
	return s.Quotas.take(ctx, d.ProjectID, catalog.Usage{Records: records})
}

// adds returns what a publication adds to what its project stores, and whether it has new or changed records.
func (p *publication) adds() (u catalog.Usage, grows bool) {
	drafts := p.drafts()
	for _, d := range drafts {
		grows = grows || d.commit.Added+d.commit.Modified > 0
		for _, f := range d.opened {
			u.Bytes += f.Bytes
		}
	}
	u.Records = p.commit.Total
	if p.creates == nil {
		u.Records -= drafts[0].head.Total()
	}
	return u, grows || u.Records > 0
}
