package storage

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// cut is the store at one moment: what a backup of it needs.
type cut struct {
	at       time.Time
	datasets []catalog.Dataset
	list     []backup.Dataset // the same, for the manifest
	last     int64            // commit
	needs    []need
	shelves  map[string]*labelShelf // by dataset

	removal    int64 // the newest; 0: there was none
	removalKey string
}

// need is an object that the backup must have.
type need struct {
	key    string
	object backup.Object // empty: not known
	// last is the newest erasure that may have written it again. If the backup before knew of it, so it has the object as
	// it is.
	last int64
}

// labelShelf is the labels of a dataset.
type labelShelf struct {
	at      time.Time // when their directory changed; zero: not known
	number  int64     // of the dataset's last change before they were read; 0: not known
	entries []backup.Entry
	texts   map[string][]byte // those that are not in the target yet, by key
	damaged []backup.Damaged
}

// has reports whether a dataset has a label.
func (s *labelShelf) has(key string) bool {
	_, has := s.texts[key]
	return has || slices.ContainsFunc(s.entries, func(e backup.Entry) bool { return e.Key == key })
}

// settled is how long before it is read a directory must have changed for its time to say that it did not change since:
// file systems write times in steps.
const settled = 2 * time.Second

// cut looks at the store at one moment. The shelves are those that were read before: what has not changed since is not
// read again while no label can be written.
func (c *copying) cut(ctx context.Context, before map[string]*labelShelf) (out *cut, err error) {
	var frozen *catalog.Frozen
	out = &cut{shelves: map[string]*labelShelf{}}
	err = c.atRest(ctx, func(goOn func() error) error {
		if frozen, err = c.catalog.Freeze(ctx); err != nil {
			return err
		}
		out.at = c.now()
		if out.datasets, err = c.datasetsOf(frozen.Tx); err != nil {
			return err
		}
		numbers, err := c.changes(frozen.Tx)
		if err != nil {
			return err
		}
		for _, d := range out.datasets {
			if out.shelves[d.ID], err = c.shelf(d.ID, before[d.ID], numbers[d.ID]); err != nil {
				return err
			}
			if err := goOn(); err != nil {
				return err
			}
		}
		return nil
	})
	if frozen != nil {
		defer func() { err = errors.Join(err, frozen.Close()) }()
	}
	if err != nil {
		return nil, err
	}
	unfinished, err := frozen.UnfinishedRemovals()
	if err != nil {
		return nil, err
	}
	if len(unfinished) > 0 {
		return nil, errRemoving
	}
	if err := out.read(frozen.Tx); err != nil {
		return nil, err
	}
	if c.manifest.Scope != "" {
		return out, nil // its catalog is made from its objects
	}
	c.dropCatalog()
	c.catalogCopy = c.blobs.Scratch("backup-catalog.db")
	return out, frozen.CopyTo(ctx, c.catalogCopy)
}

// errRemoving is for a cut in the middle of a removal.
var errRemoving = fault.Errorf(fault.Unavailable, "removal_unfinished",
	"An erasure or a vacuum was not finished, so no backup can be made. Restart the server, which finishes it, "+
		"then back up again.")

// datasetsOf lists the datasets of the backup, deleted ones included.
func (c *copying) datasetsOf(tx catalog.Tx) (out []catalog.Dataset, err error) {
	if c.manifest.Scope != "" {
		return tx.FamilyDatasets(c.manifest.Scope)
	}
	for _, deleted := range []bool{false, true} {
		list, err := tx.Datasets(catalog.DatasetFilter{Deleted: deleted, Vacuumed: true, Limit: math.MaxInt32})
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// changes returns the number of each dataset's last change, by which a shelf is known to be as it was where several
// servers write: what becomes of a label is a change. Elsewhere its directory's time says so.
func (c *copying) changes(tx catalog.Tx) (map[string]int64, error) {
	if !c.catalog.IsShared() {
		return nil, nil
	}
	return tx.Changes()
}

// shelf reads the labels of a dataset, unless they are as they were. number is that of its last change.
func (c *copying) shelf(dataset string, before *labelShelf, number int64) (*labelShelf, error) {
	if before != nil && number != 0 && before.number == number {
		return before, nil
	}
	now, err := c.blobs.ChangedAt(dataset + "/" + labelsDir)
	if err != nil {
		return nil, err
	}
	if before != nil && !before.at.IsZero() && before.at.Equal(now) {
		return before, nil
	}
	s := &labelShelf{number: number, texts: map[string][]byte{}}
	if time.Since(now) > settled { // not by the store's clock: it is the file system's that now is of
		s.at = now
	}
	for object, err := range c.blobs.List(dataset + "/" + labelsDir) {
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(object.Key, ".json") {
			continue
		}
		if err := c.readLabel(s, object.Key); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// readLabel reads one label.
func (c *copying) readLabel(s *labelShelf, key string) error {
	c.opens(key)
	text, err := c.readText(key)
	switch {
	case isRefusal(err):
		return err
	case errors.Is(err, fs.ErrNotExist):
		s.at = time.Time{} // it was removed in this moment
	case err != nil:
		s.damaged = append(s.damaged, backup.Damaged{Key: key, Detail: err.Error()})
	default:
		s.texts[key] = text
	}
	return nil
}

// read notes what the catalog has at the cut.
func (k *cut) read(tx catalog.Tx) (err error) {
	if k.last, err = tx.Last(catalog.CommitIDs); err != nil {
		return err
	}
	if k.removal, err = tx.LastRemoval(""); err != nil {
		return err
	}
	if k.removal != 0 {
		newest, err := tx.Removal(k.removal)
		if err != nil {
			return err
		}
		k.removalKey = newest.Directory
	}
	families := map[string]int64{} // the newest erasure of each
	for _, d := range k.datasets {
		if _, known := families[d.FamilyID]; !known {
			if families[d.FamilyID], err = k.readFamily(tx, d.FamilyID); err != nil {
				return err
			}
		}
		if err := k.readDataset(tx, d, families[d.FamilyID]); err != nil {
			return err
		}
	}
	return nil
}

// readFamily notes the files of a family and its removals, and returns the newest erasure.
func (k *cut) readFamily(tx catalog.Tx, family string) (erased int64, err error) {
	files, err := tx.FamilyFiles(family)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		k.needs = append(k.needs, need{key: f.Key, object: backup.Object{Size: f.Bytes, SHA256: f.Checksum}})
	}
	removals, err := tx.FamilyRemovals(family)
	for _, r := range removals {
		k.needs = append(k.needs, need{key: r.Directory + "/" + removalFile})
		if r.Kind != catalog.Vacuum {
			erased = r.ID
		}
	}
	return erased, err
}

// readDataset notes what a dataset has beside files.
func (k *cut) readDataset(tx catalog.Tx, d catalog.Dataset, erased int64) error {
	commits, err := tx.Described(d.ID)
	if err != nil {
		return err
	}
	for _, id := range commits {
		k.needs = append(k.needs, need{key: commitKey(d.ID, id) + "/" + descriptionFile, last: erased})
	}
	archives, err := tx.Backups(d.ID)
	if err != nil {
		return err
	}
	for _, b := range archives {
		k.needs = append(k.needs, need{key: b.Key, object: backup.Object{Size: b.Bytes, SHA256: b.Checksum}})
		if !k.shelves[d.ID].has(labelKey(d.ID, backupPrefix+b.ID)) { // where older versions had it
			k.needs = append(k.needs, need{key: backupKey(b) + "/" + backupManifest})
		}
	}
	one := backup.Dataset{
		ID: d.ID, Project: d.ProjectID, Name: d.Name, Family: d.FamilyID, Head: d.Head, DeletedAt: d.DeletedAt,
		LabelsAt: k.shelves[d.ID].at,
	}
	if d.Head != 0 {
		head, err := tx.Commit(d.ID, d.Head)
		if err != nil {
			return err
		}
		digests, err := tx.CommitDigests([]int64{d.Head})
		if err != nil {
			return err
		}
		one.Records, one.HeadAt = head.Total, head.CreatedAt
		for _, known := range digests {
			one.Digest = known.Digest
		}
	}
	k.list = append(k.list, one)
	return nil
}

// follows reports whether the history of the store goes on from that of a backup. It does not where the store was
// restored from an earlier one: its commits have the ids of others then, which the backup may have.
func follows(tx catalog.Tx, m backup.Manifest) (bool, error) {
	for _, was := range m.Datasets {
		d, err := tx.Dataset(was.ID)
		if err != nil {
			return false, ifFound(err)
		}
		if was.Head == 0 || isRemoved(d) {
			continue
		}
		head, err := tx.Commit(was.ID, was.Head)
		if err != nil || !head.CreatedAt.Equal(was.HeadAt) {
			return false, ifFound(err)
		}
	}
	if m.Removal == 0 {
		return true, nil
	}
	r, err := tx.Removal(m.Removal)
	return err == nil && r.Directory == m.RemovalKey, ifFound(err)
}
