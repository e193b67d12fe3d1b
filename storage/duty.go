package storage

import (
	"context"
	"slices"
	"time"

	"github.com/rowback/rowback/storage/catalog"
)

// Work that goes on in the background is a duty: of several servers of a store, the one that has its lock does it. When
// that one ends, or is cut off from the catalog, another one has the duty within some seconds and begins anew, so a
// duty is what may be begun anew at any moment, and what two servers may do at once for a moment.

// dutyEvery is how often a server asks for a duty that another one has.
const dutyEvery = 3 * time.Second

// Duty does work while this server has the duty of that name, until ctx ends. The work returns once its own context
// ends.
func (j *journal) Duty(ctx context.Context, name string, work func(ctx context.Context)) {
	said := false
	for {
		held, unlock, ok, err := j.catalog.TryLock(ctx, catalog.DutyLock(name))
		if err == nil && ok {
			work(held)
			unlock()
			said = false
		}
		if err != nil && ctx.Err() == nil && !said {
			j.log.Warn("a duty can't be asked for: the catalog does not answer", "duty", name, "error", err)
			said = true
		}
		if sleep(ctx, dutyEvery) != nil {
			return
		}
	}
}

// isAlone reports whether no other server has the store open.
func (j *journal) isAlone(ctx context.Context) (bool, error) {
	servers, err := j.catalog.Servers(ctx)
	return len(servers) <= 1, err
}

// endsEvery is how often it is looked whether a server has ended.
const endsEvery = 20 * time.Second

// afterEnds does what servers that have ended may have left undone: at first, and again whenever one has, until ctx
// ends. Where there can't be others, a start does it.
func (j *journal) afterEnds(ctx context.Context, do func(context.Context)) {
	if !j.catalog.IsShared() {
		return
	}
	var before []catalog.Server
	for isFirst := true; ; {
		now, err := j.catalog.Servers(ctx)
		if err == nil {
			if isFirst || hasEnded(before, now) {
				do(ctx)
			}
			before, isFirst = now, false
		}
		if sleep(ctx, endsEvery) != nil {
			return
		}
	}
}

// hasEnded reports whether one of the servers before is not there now.
func hasEnded(before, now []catalog.Server) bool {
	return slices.ContainsFunc(before, func(b catalog.Server) bool {
		return !slices.ContainsFunc(now, func(n catalog.Server) bool { return n.ID == b.ID })
	})
}

// How often a server looks for what others have changed, and for jobs of servers that have ended.
const (
	tellEvery   = time.Second
	giveUpEvery = 5 * time.Second
	giveUpAfter = 20 * time.Second // a server whose session was cut has another one sooner
)

// tellPage is how many datasets are looked at in one transaction.
const tellPage = 1000

// KeepTold learns of what other servers change, ends the jobs and finishes the removals of those that are gone, and
// takes back the labels that they did not record, until ctx ends. Where no other server can have the store, there is
// nothing to do.
func (s *Store) KeepTold(ctx context.Context) {
	if !s.catalog.IsShared() {
		return
	}
	last, isKnown := int64(0), false
	var asked time.Time
	missing := map[int64]time.Time{}
	for {
		if !isKnown {
			err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) { last, err = tx.LastChange(); return err })
			isKnown = err == nil
		} else if n, err := s.tell(ctx, last); err == nil { // what fails is found the next time
			last = n
		}
		if now := time.Now(); now.Sub(asked) >= giveUpEvery {
			asked = now
			if err := s.Requests.GiveUpJobs(ctx, missing, giveUpAfter); err != nil && ctx.Err() == nil {
				s.log.Warn("jobs of servers that have ended could not be given up", "error", err)
			}
			if err := s.recantAll(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("a label of a server that has ended could not be taken back", "error", err)
			}
			if err := s.Removals.finishAbandoned(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("a removal of a server that has ended could not be finished", "error", err)
			}
		}
		if sleep(ctx, tellEvery) != nil {
			return
		}
	}
}

// tell tells upkeep and Options.Changed of the datasets that have changed after a number, and returns the number to go
// on from.
func (s *Store) tell(ctx context.Context, last int64) (int64, error) {
	for {
		var datasets []string
		err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
			datasets, last, err = tx.ChangedSince(last, tellPage)
			return err
		})
		if err != nil || len(datasets) == 0 {
			return last, err
		}
		for _, d := range datasets {
			s.Upkeep.note(d)
			s.changed(d)
		}
	}
}

// Exclude waits until no one else does what the name stands for, on any server, and keeps them from it until the
// returned function is called.
func (j *journal) Exclude(ctx context.Context, name string) (unlock func(), err error) {
	return j.catalog.Lock(ctx, "only\x00"+name)
}

// IsShared reports whether other servers can have the store open as well.
func (s *Store) IsShared() bool { return s.catalog.IsShared() }

// ServerID is the number under which Servers has this one.
func (s *Store) ServerID() int64 { return s.catalog.Server() }

// Servers lists the servers that have the store open, this one included.
func (s *Store) Servers(ctx context.Context) ([]catalog.Server, error) { return s.catalog.Servers(ctx) }
