package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

// A restore lays out a backup in a directory of its own, below the one that is to be the store, verifies it there, and
// only then moves it to its place: objects and settings, then store.json, which makes the directory a store, then the
// catalog, which is made anew from the objects if it is not there. So a crash leaves a directory that is not a store,
// or the whole store.

// restoring is where a backup is laid out.
const restoring = "restoring"

// Restoration is what a restore shall do.
type Restoration struct {
	Backup  string // the path or address of a manifest, or of a target, which stands for its newest backup
	Dir     string // empty or missing
	Damaged bool   // restore also a backup of a store that was damaged, without what was
}

// Restored is what was restored.
type Restored struct {
	Manifest backup.Manifest
	Compared int       // datasets whose digests are those at the cut
	Problems []Problem // with Damaged: what the store lacks
}

// RestoreStore makes a directory the store that a backup was made of.
func RestoreStore(ctx context.Context, r Restoration, o Options) (out Restored, err error) {
	t, m, err := o.backupPlaces().locate(ctx, r.Backup)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	out.Manifest = m
	if !m.IsComplete() && !r.Damaged {
		return out, fmt.Errorf("backup %s lacks %d objects, which were damaged in the store, such as %s. "+
			"Restore an earlier one, or this one with --damaged", m.ID, len(m.Damaged), m.Damaged[0].Key)
	}
	_, isNew, held, err := datadir.Claim(r.Dir, o.Hook)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if !isNew {
		return out, fmt.Errorf("the directory %s has a store. Restore into an empty directory", r.Dir)
	}
	tree, err := blob.OpenTree(r.Dir, o.Hook)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	if err := isEmpty(tree); err != nil {
		return out, err
	}
	below := filepath.Join(r.Dir, restoring)
	err = layOut(ctx, t, m, below, nil, o.Hook)
	if err == nil {
		err = out.verify(ctx, below, o, r.Damaged)
	}
	if err == nil {
		err = moveIn(tree)
	}
	if err != nil && tree.RemoveAll(restoring) != nil {
		err = fmt.Errorf("%w. What was restored so far is in %s: remove it", err, below)
	}
	return out, err
}

// isEmpty refuses a directory that has anything but its lock.
func isEmpty(tree *blob.Tree) error {
	entries, err := tree.List(".")
	for _, e := range entries {
		if e.Name != "lock" && e.Name != "lost+found" {
			return fmt.Errorf("the directory %s has %s. Restore into an empty directory", tree.Dir(), e.Name)
		}
	}
	return err
}

// layOut lays out a backup as a store in a directory. With only, the objects that it selects, and no catalog.
func layOut(
	ctx context.Context, t *backup.Target, m backup.Manifest, dir string, only func(key string) bool, hook blob.Hook,
) (err error) {
	entries, err := t.Entries(ctx, m)
	if err != nil {
		return err
	}
	tree, err := blob.MakeTree(dir, hook)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	w := &laying{target: t, manifest: m, tree: tree, dirs: map[string]bool{".": true}}
	if err := tree.MakeDir(objectsDir); err != nil {
		return err
	}
	if err := w.addAll(ctx, entries, only); err != nil {
		return err
	}
	if only == nil {
		if err := w.addOwn(ctx, m); err != nil {
			return err
		}
	}
	if err := w.settle(); err != nil {
		return err
	}
	return datadir.Write(dir, datadir.Marker{
		ID: m.Store, CreatedAt: m.StoreCreated, RestoredAt: time.Now().UTC().Truncate(time.Microsecond),
	}, hook)
}

// objectsDir is the directory of a store's objects.
const objectsDir = "objects"

// laying writes the files of a store.
type laying struct {
	target   *backup.Target
	manifest backup.Manifest
	tree     *blob.Tree
	batch    []blob.Placing
	dirs     map[string]bool
}

// layAtOnce is how many files are written before they are given their names.
const layAtOnce = 64

// addAll writes the objects of a store, or those that only selects.
func (w *laying) addAll(ctx context.Context, entries []backup.Entry, only func(key string) bool) error {
	var files []backup.Entry
	for _, e := range entries {
		if only != nil && !only(e.Key) {
			continue
		}
		for _, key := range []string{e.Key, twinOf(e.Key)} { // the copy of a removal's description is not in backups
			if key != "" {
				files = append(files, backup.Entry{Key: objectsDir + "/" + key, Object: e.Object})
			}
		}
	}
	for some := range slices.Chunk(files, layAtOnce) {
		if err := w.add(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// add writes some files, as many beside each other as is best for where they come from.
func (w *laying) add(ctx context.Context, files ...backup.Entry) error {
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(w.target.AtOnce())
	for _, f := range files {
		if together.Err() != nil {
			break
		}
		d, err := w.tree.Draft()
		if err != nil {
			return cmp.Or(g.Wait(), err)
		}
		w.batch = append(w.batch, blob.Placing{Draft: d, Name: f.Key})
		g.Go(func() error { return w.target.FetchAs(together, w.manifest, f.Key, f.Object, d) })
	}
	if err := cmp.Or(g.Wait(), context.Cause(ctx)); err != nil {
		for _, p := range w.batch {
			p.Discard()
		}
		return err
	}
	return w.place()
}

// addOwn writes what is not an object of the store.
func (w *laying) addOwn(ctx context.Context, m backup.Manifest) error {
	for name, o := range map[string]*backup.Object{datadir.CatalogFile: m.Catalog, datadir.SettingsFile: m.Settings} {
		if o == nil {
			continue
		}
		if err := w.add(ctx, backup.Entry{Key: name, Object: *o}); err != nil {
			return err
		}
	}
	for _, e := range m.Audit {
		if !datadir.IsAuditFile(e.Key) {
			return fmt.Errorf("the name of a file of the audit log: %w: %q", backup.ErrDamaged, e.Key)
		}
		if err := w.add(ctx, backup.Entry{Key: datadir.AuditDir + "/" + e.Key, Object: e.Object}); err != nil {
			return err
		}
	}
	return nil
}

func (w *laying) place() error {
	for _, p := range w.batch {
		for dir := filepath.ToSlash(filepath.Dir(p.Name)); !w.dirs[dir]; dir = filepath.ToSlash(filepath.Dir(dir)) {
			w.dirs[dir] = true
		}
	}
	batch := w.batch
	w.batch = nil
	return w.tree.Place(batch...)
}

// settle makes all of it durable.
func (w *laying) settle() error {
	if err := w.place(); err != nil {
		return err
	}
	for dir := range w.dirs {
		if err := w.tree.Sync(dir); err != nil {
			return err
		}
	}
	return w.tree.Clear()
}

// verify checks a store that was laid out, down to every byte, and compares the digests of its datasets with those at
// the cut.
func (out *Restored) verify(ctx context.Context, dir string, o Options, damaged bool) (err error) {
	o.Hook = nil
	s, found, done, err := inspected(ctx, dir, true, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	out.Problems = found.Problems
	if len(found.Forward) > 0 && out.Manifest.Catalog != nil {
		out.Problems = append(out.Problems, Problem{Detail: "the catalog lacks " + found.Forward[0]})
	}
	for _, d := range out.Manifest.Datasets {
		if d.Digest == "" || !d.DeletedAt.IsZero() {
			continue
		}
		now, err := s.Digests.Of(ctx, d.ID, "head")
		if err != nil && damaged {
			continue
		}
		if err != nil {
			return err
		}
		if now.Digest != d.Digest || now.Total != d.Records {
			out.Problems = append(out.Problems,
				Problem{Dataset: d.ID, Commit: d.Head, Detail: "its digest is another than it was"})
		}
		out.Compared++
	}
	if n := len(out.Problems); n > 0 && !damaged {
		return fmt.Errorf("what was restored is not sound (%d problems; the first: %s), so it was not used",
			n, out.Problems[0])
	}
	return nil
}

// moveIn moves a store that was laid out to its place.
func moveIn(tree *blob.Tree) error {
	// store.json comes after the objects: it makes the directory a store.
	may := []string{datadir.SettingsFile, datadir.AuditDir, datadir.CatalogFile}
	for _, name := range append(may[:2:2], objectsDir, datadir.MarkerFile, datadir.CatalogFile) {
		err := tree.Rename(restoring+"/"+name, name)
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(may, name) {
			continue // the backup has none
		}
		if err != nil {
			return err
		}
		if err := tree.Sync(restoring, "."); err != nil {
			return err
		}
	}
	if err := tree.RemoveAll(restoring); err != nil {
		return err
	}
	return tree.Sync(".")
}

// Extraction is which state of a dataset is wanted of a backup.
type Extraction struct {
	Backup  string // as Restoration has it
	Project int64
	Dataset string // name or id
	Ref     string // empty: head
	Scratch string // an empty directory, in which the dataset's family is restored
}

// Extract writes an archive of one state of a dataset in a backup, from which a dataset can be made in any store. The
// history does not go with it: the ids of commits and rows, which rows are tagged with, are those of the store.
func Extract(ctx context.Context, x Extraction, o Options, to io.Writer) (err error) {
	s, wanted, err := openFamily(ctx, x, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.archive(ctx, wanted.ID, x.Ref, to)
}

// archive writes an archive of a dataset.
func (s *Store) archive(ctx context.Context, dataset, ref string, to io.Writer) (err error) {
	var b catalog.Backup
	if b, err = s.Backups.Make(ctx, dataset, NewBackup{Ref: ref}, Request{}); err != nil {
		return err
	}
	f, err := s.Backups.Open(ctx, b, false)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, f)
	return errors.Join(err, f.Close())
}
