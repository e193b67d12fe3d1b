package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// A graft brings a dataset of a backup into a store, as a new dataset with all of its history. Ids of commits and files
// are those of the store that made them, and rows are tagged with them, so its files are written again: every id grows
// by the same number, so that their order stays. The new dataset is a family of its own. What a fork inherited becomes
// its own history, and so do files that a merge had linked.
//
// It happens in four steps. The family is laid out from the backup as a store of its own, under staging. From its
// catalog the dataset's line of commits is written into a second store (graft_line.go, graft_write.go). The digest of
// every state is compared between the two. Then the second store's objects are moved to their place (adopt). Until the
// transaction that records them, their directory is that of a removed dataset, whose objects a start removes.

// Graft is which dataset of a backup comes, and as what.
type Graft struct {
	Backup  string // as Restoration has it
	Project int64  // of the dataset in the backup
	Dataset string // its name or id there
	Name    string // of the new dataset; empty: the one that it had
	Into    int64  // its project; 0: the one that it was in
}

// Grafted is a dataset that came with its history.
type Grafted struct {
	snapshot.State
	Backup   string // the id of the backup
	Commits  int    // of its history, those that merges played too
	Compared int    // states whose digests are what they were in the backup
}

// Graft brings a dataset of a backup into the store with its history.
func (s *Store) Graft(ctx context.Context, g Graft, r Request) (out Grafted, err error) {
	if err := errors.Join(s.halted(), s.Disk.room()); err != nil {
		return out, err
	}
	scratch := s.blobs.Scratch("graft")
	defer s.blobs.RemoveScratch(scratch)
	// Few threads and little memory: the store goes on meanwhile.
	given := s.Copies.places.options
	o := Options{
		Memory: s.budget.memory / 4, Threads: 1, NewID: s.newID, Log: s.log, Pages: s.pages,
		BackupBucket: given.BackupBucket, BackupLease: given.BackupLease,
	}
	from, was, err := openFamily(ctx, Extraction{
		Backup: g.Backup, Project: g.Project, Dataset: g.Dataset, Scratch: filepath.Join(scratch, "from"),
	}, o)
	if err != nil {
		return out, explainTarget(ctx, err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	made, err := s.newGraft(ctx, g, was.Dataset)
	if err != nil {
		return out, err
	}
	to, err := Open(ctx, filepath.Join(scratch, "to"), o)
	if err != nil {
		return out, err
	}
	c := &grafting{from: from, to: to, was: was.Dataset, made: made, dry: r.Preview != nil}
	err = c.write(ctx, s)
	if err == nil {
		out.Compared, err = c.compare(ctx)
	}
	out.Backup, out.Commits = was.backup, len(c.commits)
	if err == nil && r.Preview != nil {
		out.State, err = s.adopt(ctx, c, r)
	}
	if err = errors.Join(err, to.Close()); err != nil || r.Preview != nil {
		return out, err
	}
	out.State, err = s.adopt(ctx, c, r)
	return out, err
}

// GraftOwn is Graft from one of the server's own backups, by its id; "latest" is the newest complete one.
func (s *Store) GraftOwn(ctx context.Context, id string, g Graft, r Request) (Grafted, error) {
	bs := s.Copies
	if !bs.IsConfigured() {
		return Grafted{}, errNoTarget
	}
	g.Backup = bs.place
	if id != "latest" {
		m, err := bs.Find(ctx, id)
		if err != nil {
			return Grafted{}, err
		}
		g.Backup = backup.ManifestPath(bs.place, m.ID)
	}
	return s.Graft(ctx, g, r)
}

// inBackup is a dataset in a backup.
type inBackup struct {
	backup.Dataset
	backup string // the id of the backup
}

// openFamily lays out the family of a dataset in a backup as a store, and opens it.
func openFamily(ctx context.Context, x Extraction, o Options) (s *Store, was inBackup, err error) {
	t, m, err := o.backupPlaces().locate(ctx, x.Backup)
	if err != nil {
		return nil, was, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	i := slices.IndexFunc(m.Datasets, func(d backup.Dataset) bool {
		return d.DeletedAt.IsZero() && (d.ID == x.Dataset || d.Project == x.Project && d.Name == x.Dataset)
	})
	if i < 0 {
		return nil, was, fault.Errorf(fault.NotFound, "dataset_not_found",
			"Backup %s has no dataset %s in project %d", m.ID, fault.Clip(x.Dataset), x.Project)
	}
	was = inBackup{m.Datasets[i], m.ID}
	family := map[string]bool{}
	for _, d := range m.Datasets {
		family[d.ID] = d.Family == was.Family
	}
	err = layOut(ctx, t, m, x.Scratch, func(key string) bool {
		dataset, _, _ := strings.Cut(key, "/")
		return family[dataset]
	}, o.Hook)
	if err != nil {
		return nil, was, err
	}
	s, err = Open(ctx, x.Scratch, o)
	return s, was, err
}

// newGraft is the dataset that is to be made, before it has a history.
func (s *Store) newGraft(ctx context.Context, g Graft, was backup.Dataset) (*birth, error) {
	n := NewDataset{ProjectID: cmp.Or(g.Into, was.Project), Name: cmp.Or(g.Name, was.Name)}
	err := s.catalog.Read(ctx, func(tx catalog.Tx) error {
		_, err := tx.DatasetByName(n.ProjectID, n.Name)
		switch {
		case errors.Is(err, catalog.ErrNotFound):
			return nil
		case err == nil:
			return taken(n.Name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.newCreation(ctx, n, n.properties())
}

// compare compares the digest of every state that can be read with that of the same state in the backup.
func (c *grafting) compare(ctx context.Context) (compared int, err error) {
	for _, one := range c.commits {
		if !one.VacuumedAt.IsZero() {
			continue
		}
		was, err := c.from.Digests.Of(ctx, c.was.ID, strconv.FormatInt(one.ID, 10))
		if err != nil {
			return compared, err
		}
		now, err := c.to.Digests.Of(ctx, c.made.Dataset.ID, strconv.FormatInt(c.commit(one.ID), 10))
		if err != nil {
			return compared, err
		}
		if was.Digest != now.Digest || was.Total != now.Total {
			return compared, fault.Errorf(fault.Corrupt, "graft_differs",
				"The state after commit %d would not be what it is in the backup, so nothing was restored. "+
					"Restore the backup to a directory of its own.", one.ID).With("commit", one.ID)
		}
		compared++
	}
	if compared > 0 && c.was.Digest != "" {
		now, err := c.to.Digests.Of(ctx, c.made.Dataset.ID, "head")
		if err != nil || now.Digest != c.was.Digest {
			return compared, errors.Join(err, fault.Errorf(fault.Corrupt, "graft_differs",
				"The records are not those that the dataset had when it was backed up, so nothing was restored. "+
					"Look at the backup with rowback backup check."))
		}
	}
	return compared, nil
}

// adopt moves the objects of a graft to their place and records them. A dry run moves nothing, and needs the store that
// they were made in to be open.
func (s *Store) adopt(ctx context.Context, c *grafting, r Request) (made snapshot.State, err error) {
	d := c.made.Dataset
	unlock, err := s.catalog.Lock(ctx, nameLock(d.ProjectID, d.Name))
	if err != nil {
		return made, err
	}
	defer unlock()
	leave, err := s.Quotas.take(ctx, d.ProjectID, c.usage())
	if err != nil {
		return made, err
	}
	defer leave()
	// From here on, a client that disconnects must not leave it half done.
	ctx = context.WithoutCancel(ctx)
	remove, record := func() error { return s.removeGraft(d.ID) }, s.recordGraft
	if r.Preview != nil { // the transaction alone tells what there would be, and the objects stay where they were made
		remove, record = func() error { return nil }, c.to.recordGraft
	} else if err := s.putObjects(c); err != nil {
		return made, errors.Join(err, remove())
	}
	err = s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		if err := record(tx, c.made, c.manifests); err != nil {
			return err
		}
		d, err := tx.Dataset(d.ID)
		if err != nil {
			return err
		}
		if made, err = snapshot.At(tx, d, d.Head); err != nil {
			return err
		}
		told, err := answer(s.Requests, tx, r, made)
		if err != nil {
			return err
		}
		// In this order: a crash between the two leaves the dataset whole, and deleted.
		if err := l.put(d.ID, birthLabel, c.made); err != nil || l.dry {
			return err
		}
		return l.put(d.ID, deletedLabel, deletion{answers: told})
	})
	if err != nil {
		return made, errors.Join(err, remove())
	}
	if r.Preview == nil {
		s.Upkeep.note(d.ID)
	}
	return made, nil
}

// putObjects moves the objects of a graft to their place, as those of a dataset that was removed.
func (s *Store) putObjects(c *grafting) error {
	d := c.made.Dataset
	removed := *c.made
	removed.Dataset.VacuumedAt, removed.Used = s.now(), c.usedIDs()
	if err := s.putText(labelKey(d.ID, deletedLabel), deletion{At: removed.Dataset.VacuumedAt}); err != nil {
		return err
	}
	if err := s.putText(labelKey(d.ID, birthLabel), removed); err != nil {
		return err
	}
	for some := range slices.Chunk(c.manifests, 64) {
		if err := s.putCommits(c, some); err != nil {
			return err
		}
	}
	for _, l := range c.labels {
		if err := s.putText(labelKey(d.ID, l.name), l.text); err != nil {
			return err
		}
	}
	return nil
}

// putText writes a label that no transaction belongs to.
func (j *journal) putText(key string, label any) error {
	text, err := sealed(label)
	if err != nil {
		return err
	}
	p, err := j.blobs.Put(key, text)
	if err != nil {
		return errors.Join(err, p.Undo())
	}
	return p.Keep()
}

// putCommits moves the directories of some commits to their place.
func (s *Store) putCommits(c *grafting, some []manifest) error {
	var batches []*blob.Batch
	defer func() {
		for _, b := range batches {
			b.Discard() //nolint:errcheck // the next start empties the directory
		}
	}()
	for _, m := range some {
		key := commitKey(m.Commit.DatasetID, m.Commit.ID)
		b, err := s.blobs.Batch(key)
		if err != nil {
			return err
		}
		batches = append(batches, b)
		for object, err := range c.to.blobs.List(key) {
			if err != nil {
				return err
			}
			if err := b.Adopt(strings.TrimPrefix(object.Key, key+"/"), c.to.blobs.Path(object.Key)); err != nil {
				return err
			}
		}
	}
	return blob.Publish(batches...)
}

// removeGraft removes what is in place of a graft that came to nothing. What says that the dataset was removed goes
// last.
func (s *Store) removeGraft(dataset string) error {
	if err := s.removeObjects(dataset); err != nil {
		return err
	}
	return s.blobs.Remove(dataset)
}

// recordGraft records a graft, whose objects are in their place. Its name is free, or the transaction fails.
func (j *journal) recordGraft(tx catalog.Tx, made *birth, manifests []manifest) error {
	d := made.Dataset
	if len(manifests) == 0 {
		if err := made.add(tx); err != nil {
			return err
		}
	}
	for _, m := range manifests {
		if err := recordAgain(tx, &fresh{m, d.ID, m.Commit.ID}); err != nil {
			return fmt.Errorf("commit %d of the restored dataset: %w", m.Commit.ID, err)
		}
		if err := reserve(tx, m); err != nil {
			return err
		}
	}
	f := &forward{journal: j}
	if err := f.readLabelsOf(tx, d.ID); err != nil {
		return err
	}
	if len(f.aside) > 0 {
		return errors.New(f.aside[0].Detail)
	}
	made.Dataset.DeletedAt = time.Time{} // it was parked while its commits gave it other names
	return nameTaken(tx.SetDeleted(d.ID, made.Dataset.DeletedAt), d.Name)
}
