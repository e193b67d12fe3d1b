package storage

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/trace"
)

// Commit applies a change: the protocol of section 7 of the design, a step a call. Nothing is visible until all of it
// is; a refused commit leaves no trace. The steps are below in the order in which they are taken, but for begin
// (work.go), what the modes do to records (modes.go), how small commits share the last steps (group.go), and withdraw.
func (s *Store) Commit(ctx context.Context, dataset string, c Change) (made catalog.Commit, err error) {
	if c.Metadata, err = s.withLineage(ctx, dataset, 0, c.Metadata); err != nil {
		return made, err
	}
	if c.Referenced != nil {
		return s.commitReferenced(ctx, dataset, c)
	}
	if c.joins() && c.alone != dataset && !s.hasSlowGates(dataset) {
		return s.commitInGroup(ctx, dataset, c)
	}
	return s.commit(ctx, dataset, c)
}

func (s *Store) commit(ctx context.Context, dataset string, c Change) (catalog.Commit, error) {
	w, err := s.begin(ctx, dataset, c.Request, c.Mode)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	w.noteReferenced(c.Referenced)
	err = trace.Do(ctx, "commit.stage", func(ctx context.Context) error {
		trace.Of(ctx).Set("rowback.dataset_id", dataset)
		trace.Of(ctx).Set("rowback.commit_mode", string(c.Mode))
		return modeWork{w, c.Strict}.apply(ctx, c)
	})
	if err != nil {
		return catalog.Commit{}, err
	}
	// The savepoint is part of the commit: it is recorded with it, so that neither stands without the other.
	if err := w.bookmarkImport(ctx); err != nil {
		return catalog.Commit{}, err
	}
	return publish(ctx, w, asCommit)
}

// bookmarkImport has the dataset's first records bookmarked with a savepoint, unless it has savepoints already.
func (w *work) bookmarkImport(ctx context.Context) error {
	if w.commit.Added == 0 || len(w.head.Data) > 0 {
		return nil
	}
	return w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		all, err := tx.Savepoints(w.commit.DatasetID)
		if err == nil && len(all) == 0 {
			w.bookmark(w.store.newID(), 0, w.commit.ID, "initial import")
		}
		return err
	})
}

// publish makes the commit stand: its description beside its files, all of it synced, then one catalog transaction. It
// returns the request's result, which result makes of the commit. After the checks that can refuse it, a client that
// disconnects changes nothing. One of a group stands when the group does, which the caller waits for.
func publish[T any](ctx context.Context, w *work, result func(*work) T) (told T, err error) {
	var none T
	// What can refuse the commit comes before its description is written: a refused commit leaves no trace.
	unlock, err := w.check(ctx)
	if err != nil {
		return none, err
	}
	// Held until the name is in the catalog, where the next one looks.
	defer unlock()
	if w.request.Preview != nil {
		return result(w), w.preview(ctx, w.request.Preview)
	}
	// From here on, a client that disconnects must not leave a commit half done.
	ctx = context.WithoutCancel(ctx)
	// The answer is kept with the commit, in the same transaction: a request that is sent again gets it, after a crash
	// too.
	told = result(w)
	if w.answers, err = answerTo(ctx, w.store.Requests, w.request, told); err != nil {
		return none, err
	}
	g, r := w.enter()
	if g == w.request.group {
		return told, nil
	}
	return told, g.stand(ctx, r)
}

// stand makes the commits of a group durable, of which some have yet to be finished: a start finds them from the moment
// their directories are published, even if the catalog is lost before it has them.
func (g *group) stand(ctx context.Context, unfinished ...*ready) error {
	defer g.end()
	err := trace.Do(ctx, "commit.encode", func(context.Context) error {
		for _, r := range unfinished {
			r.finish()
		}
		return g.finished()
	})
	if err == nil {
		err = trace.Do(ctx, "commit.sync", g.issue)
	}
	if err == nil {
		err = trace.Do(ctx, "commit.record", g.index)
	}
	// Not before: after a panic in one of these, the others must not be told that their commits stand.
	if g.err = err; err != nil {
		return err
	}
	// Only what stands becomes the head that the next commit starts from.
	g.remember()
	return nil
}

// asCommit and asState are the results of most requests.
func asCommit(w *work) catalog.Commit { return w.commit }
func asState(w *work) snapshot.State  { return w.state() }

// check does all that can refuse the commit, and completes it. Its name is reserved until unlock, so that the published
// commit can't be refused for its name.
func (w *work) check(ctx context.Context) (unlock func(), err error) {
	if err := w.permittedStill(ctx); err != nil {
		return nil, err
	}
	// First: the required columns and the exclusion depend on the types.
	if err := w.deriveTypes(ctx); err != nil {
		return nil, err
	}
	if err := w.checkExclusion(ctx); err != nil {
		return nil, err
	}
	if unlock, err = w.reserveName(ctx); err != nil {
		return nil, err
	}
	// Before the records are checked: what is live after the commit is known then.
	if err = w.complete(); err == nil {
		err = w.checkRecords(ctx)
	}
	if err == nil {
		err = w.takeQuota(ctx)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// checkRecords makes sure that the commit leaves records that the dataset may have.
func (w *work) checkRecords(ctx context.Context) error {
	if err := w.checkRequired(ctx); err != nil {
		return err
	}
	return w.checkGates(ctx)
}

// reserveName makes sure that a name that the commit gives is free, until unlock.
func (w *work) reserveName(ctx context.Context) (unlock func(), err error) {
	d, name := w.head.Dataset, w.properties.Name
	// A namesake is asked for by its id alone, so its name takes nothing from anyone.
	if w.creates == nil && name == d.Name || d.IsNamesake {
		return func() {}, nil
	}
	unlock, err = w.store.catalog.Lock(ctx, nameLock(d.ProjectID, name))
	if err != nil {
		return nil, err
	}
	err = w.store.catalog.Read(ctx, func(tx catalog.Tx) error {
		other, err := tx.DatasetByName(d.ProjectID, name)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && other.ID == d.ID {
			return nil
		}
		if err == nil {
			err = taken(name)
		}
		return err
	})
	if err != nil {
		unlock()
	}
	return unlock, err
}

// complete concludes the commit, and what is made with it.
func (w *work) complete() error {
	if err := w.conclude(); err != nil {
		return err
	}
	if len(w.played) > 0 {
		w.commit.Total = w.head.Total() // they counted
	}
	for i := range w.savepoints {
		w.savepoints[i].CreatedAt, w.savepoints[i].UpdatedAt = w.commit.CreatedAt, w.commit.CreatedAt
	}
	// Recorded with the commit, so that a catalog that is made anew gives none of them again.
	w.last = lastIDs{row: w.family.lastRowID.Load(), field: w.family.lastFieldID.Load()}
	w.isLast = w.last == w.family.recorded
	return nil
}

// conclude says when the commit is made, how many records there are then, and which documents and files hold it.
func (w *work) conclude() error {
	// When it is about to stand, and not when the upload began: times are in the order of the commits.
	w.commit.CreatedAt = w.store.moment(w.head)
	w.commit.Effects = w.effects()
	w.commit.Total = w.head.Total() + w.commit.Added - w.commit.Removed
	return w.nameDocuments()
}

// writeDescription writes the commit's description beside its files, which are not published yet.
func (r *ready) writeDescription() error {
	description, err := sealed(r.describe())
	if err != nil {
		return err
	}
	return r.batch.Write(descriptionFile, description)
}

// issue publishes the directories of the group's commits, in their order.
func (g *group) issue(ctx context.Context) error {
	if err := g.store.halted(); err != nil {
		return err
	}
	// A first commit makes the directory itself.
	first := g.ready[0]
	err := g.store.hasDirectory(first.commit.DatasetID)
	if err != nil && first.creates == nil && first.commit.Previous != 0 {
		return err
	}
	if err := g.store.catalog.Keep(ctx, first.commit.DatasetID); err != nil {
		return err
	}
	// Set before anything is published: a crash may leave the descriptions, and with them the row ids that they have.
	g.issued = true
	if err := blob.Publish(g.batches()...); err != nil {
		if errors.Is(err, errOtherServer) { // which may have found it already: it is not taken back
			return err
		}
		if errors.Is(err, bucket.ErrExists) {
			err = g.store.numberTaken(err)
		}
		return g.withdraw(ctx, err)
	}
	return nil
}

// index records in the catalog what has been published. Once it is published, a restart would find the commits: if they
// can't be recorded, they are withdrawn, so that the clients' answers and a restart agree.
func (g *group) index(ctx context.Context) error {
	if err := g.store.recorder.record(ctx, g.record); err != nil {
		return g.withdraw(ctx, g.store.doubled(headMoved(err)))
	}
	return nil
}

// remember keeps the new head, so that the next commit does not read it anew. A crash before it costs nothing: the
// cache is filled from the catalog when it is asked.
func (g *group) remember() {
	for _, r := range g.ready {
		for _, d := range r.drafts() {
			g.store.seen.add(d.opened, thisEra)
			g.store.Counts.add(d.commit)
		}
	}
	g.store.heads.put(g.leaves(), thisEra)
	g.store.Upkeep.note(g.leaves().Dataset.ID)
	g.store.changed(g.leaves().Dataset.ID)
}
