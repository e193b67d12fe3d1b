package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
)

// A repair puts objects of a store back that are missing, or not what was written: from backups, or from a copy in the
// store itself, such as in quarantine. What an object must be is known before a copy is looked for: of files, the
// catalog has the SHA-256; descriptions have their own, and must say what the catalog says. What is right is never
// replaced, and what has no intact copy is left as it is, and reported.

// RepairPlan is what a repair may do.
type RepairPlan struct {
	Dir     string   // of the store, which no server has open
	Backups []string // targets in which copies may be
	Apply   bool     // false: only say what could be done
}

// Repair is an object that is not as it must be.
type Repair struct {
	Key    string
	Detail string // what is wrong
	Source string // where the intact copy is; empty: none was found
	Done   bool
}

// RepairStore puts back what it can. It returns all that was wrong.
func RepairStore(ctx context.Context, p RepairPlan, o Options) (out []Repair, err error) {
	s, done, err := lookAt(ctx, p.Dir, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := s.catchUpCopy(ctx, &Inspection{}); err != nil {
		return nil, err
	}
	w := &repairing{Store: s, sizes: map[int64][]string{}}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.openTargets(ctx, p.Backups); err != nil {
		return nil, err
	}
	wrong, err := w.find(ctx)
	if err != nil || len(wrong) == 0 {
		return nil, err
	}
	if w.place, err = s.repairPlace(); err != nil {
		return nil, err
	}
	for _, one := range wrong {
		r, err := w.repair(ctx, one, p.Apply)
		if out = append(out, r); err != nil {
			return out, err
		}
	}
	return out, nil
}

// repairing is a repair that is under way.
type repairing struct {
	*Store
	place   repairPlace
	sources []*source
	sizes   map[int64][]string // paths of files in the store, by size; empty: not read yet
}

// source is a target with its backups, newest first, and what they call their objects.
type source struct {
	*backup.Target
	backups []sourceBackup
}

type sourceBackup struct {
	backup.Manifest
	objects map[string]backup.Object // descriptions, by key
	labels  map[string][]string      // keys of labels, by dataset
}

func (w *repairing) close() (err error) {
	for _, s := range w.sources {
		err = errors.Join(err, s.Close())
	}
	if w.place != nil {
		err = errors.Join(err, w.place.Close())
	}
	return err
}

// openTargets opens the backups in which copies may be. Those of another store are refused.
func (w *repairing) openTargets(ctx context.Context, dirs []string) error {
	id, err := w.Copies.storeID(ctx)
	if err != nil {
		return err
	}
	if id == "" {
		id = w.dir.marker.ID // the catalog was lost
	}
	for _, dir := range dirs {
		t, err := w.Copies.places.open(ctx, dir)
		if err != nil {
			return fmt.Errorf("the backups in %s can't be used: %w", dir, err)
		}
		w.sources = append(w.sources, &source{Target: t})
		if t.Store() != id {
			return fmt.Errorf("%w: %s", backup.ErrOther, dir)
		}
	}
	return nil
}

// wrongObject is what must be put back.
type wrongObject struct {
	need
	detail string
}

// find looks at every object that the catalog needs, at every byte.
func (w *repairing) find(ctx context.Context) (out []wrongObject, err error) {
	k := &cut{shelves: map[string]*labelShelf{}}
	err = w.catalog.Read(ctx, func(tx catalog.Tx) error {
		if k.datasets, err = (&copying{StoreBackups: w.Copies}).datasetsOf(tx); err != nil {
			return err
		}
		for _, d := range k.datasets {
			k.shelves[d.ID] = &labelShelf{}
			if err := w.needLabels(ctx, tx, d, k); err != nil {
				return err
			}
		}
		return k.read(tx)
	})
	if err != nil {
		return nil, err
	}
	for _, n := range w.withCopies(k.needs) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		detail, err := w.wrong(n)
		if err != nil {
			return nil, err
		}
		if detail != "" {
			out = append(out, wrongObject{n, detail})
		}
	}
	return out, nil
}

// withCopies adds the copies of the descriptions of removals. Those of older versions have none.
func (w *repairing) withCopies(needs []need) (out []need) {
	for _, n := range needs {
		out = append(out, n)
		twin := twinOf(n.key)
		if twin == "" {
			continue
		}
		if f, err := w.blobs.Open(twin); err == nil {
			_ = f.Close() // it was read
			out = append(out, need{key: twin})
		}
	}
	return out
}

// needLabels notes the labels that a dataset must have: those of what the catalog has, and those that are there.
func (w *repairing) needLabels(ctx context.Context, tx catalog.Tx, d catalog.Dataset, k *cut) error {
	keys := map[string]bool{}
	for object, err := range w.blobs.List(d.ID + "/" + labelsDir) {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(object.Key, ".json") {
			continue
		}
		if there, err := w.blobs.Has(object.Key); err != nil || there { // else it was taken back
			keys[object.Key] = true
		}
	}
	versions, errVersions := tx.Versions(d.ID)
	tags, errTags := tx.Tags(d.ID)
	proposals, errProposals := tx.Proposals(d.ID, "", catalog.Forever, 1<<30)
	discussions, errDiscussions := tx.Discussions(d.ID)
	if err := errors.Join(errVersions, errTags, errProposals, errDiscussions); err != nil {
		return err
	}
	for _, t := range discussions {
		keys[labelKey(d.ID, discussionLabelName(t.Compared))] = true
	}
	for _, p := range proposals {
		keys[labelKey(d.ID, proposalLabelName(p.Number))] = true
	}
	for _, v := range versions {
		if v.DatasetID == d.ID {
			keys[labelKey(d.ID, versionName(v))] = true
		}
	}
	for _, t := range tags {
		if t.DatasetID == d.ID {
			keys[labelKey(d.ID, tagLabelName(t.Name))] = true
		}
	}
	if err := w.backedUpLabels(ctx, d, keys); err != nil {
		return err
	}
	for key := range keys {
		k.needs = append(k.needs, need{key: key})
	}
	return nil
}

// backedUpLabels notes the labels that a dataset had once: they are replaced, and removed only with the dataset.
func (w *repairing) backedUpLabels(ctx context.Context, d catalog.Dataset, keys map[string]bool) error {
	if isRemoved(d) {
		return nil
	}
	for _, s := range w.sources {
		if err := w.read(ctx, s); err != nil {
			return err
		}
		for _, b := range s.backups {
			for _, key := range b.labels[d.ID] {
				keys[key] = true
			}
		}
	}
	return nil
}

// wrong says what is wrong with an object; empty: nothing.
func (w *repairing) wrong(n need) (string, error) {
	if n.object.SHA256 == "" {
		var v any
		return describeFault(w.readJSON(n.key, &v))
	}
	in, err := w.blobs.Open(n.key)
	if err != nil {
		return describeFault(err)
	}
	defer in.Close()
	sum, size, err := datafile.Checksum(in)
	if err == nil && (sum != n.object.SHA256 || size != n.object.Size) {
		err = backup.ErrDamaged
	}
	return describeFault(err)
}

// describeFault says why an object can't be used. What the system refuses says nothing about the object.
func describeFault(err error) (string, error) {
	switch {
	case err == nil:
		return "", nil
	case isRefusal(err):
		return "", err
	case errors.Is(err, fs.ErrNotExist):
		return "it is missing", nil
	case errnoOf(err) != 0:
		return fmt.Sprintf("it can't be read: %v", errnoOf(err)), nil
	}
	return err.Error(), nil
}

// repair looks for a copy of an object, and puts it in its place.
func (w *repairing) repair(ctx context.Context, one wrongObject, apply bool) (Repair, error) {
	r := Repair{Key: one.key, Detail: one.detail}
	copyTo, source, err := w.copyOf(ctx, one)
	if err != nil || copyTo == nil {
		return r, err
	}
	r.Source = source
	if !apply {
		return r, nil
	}
	err = w.place.put(ctx, one.key, copyTo)
	r.Done = err == nil
	return r, err
}

// copyOf finds an intact copy of an object; nil: there is none.
func (w *repairing) copyOf(ctx context.Context, one wrongObject) (func(io.Writer) error, string, error) {
	if one.object.SHA256 == "" {
		return w.textOf(ctx, one)
	}
	for _, s := range w.sources {
		err := s.Fetch(ctx, one.object, io.Discard)
		if err == nil {
			return func(to io.Writer) error { return s.Fetch(ctx, one.object, to) }, "a backup", nil
		}
		if errors.Is(err, backup.ErrAway) || ctx.Err() != nil {
			return nil, "", err // which says nothing about the copy
		}
	}
	return w.fileIn(one.object)
}

// fileIn finds a file in the store that has the same bytes, wherever it is: in quarantine, or as another object.
func (w *repairing) fileIn(o backup.Object) (func(io.Writer) error, string, error) {
	if len(w.sizes) == 0 {
		err := w.place.each(func(path string, size int64) { w.sizes[size] = append(w.sizes[size], path) })
		if err != nil {
			return nil, "", err
		}
	}
	for _, path := range w.sizes[o.Size] {
		if w.sumOf(path, io.Discard) == o.SHA256 {
			return func(to io.Writer) error {
				if w.sumOf(path, to) != o.SHA256 {
					return backup.ErrDamaged
				}
				return nil
			}, path, nil
		}
	}
	return nil, "", nil
}

// sumOf copies a file, and returns its SHA-256; empty: it can't be read.
func (w *repairing) sumOf(path string, to io.Writer) string {
	f, err := w.place.open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum, _, err := datafile.Checksum(io.TeeReader(f, to))
	if err != nil {
		return ""
	}
	return sum
}

// twinText returns the description of a removal from its copy, or the copy from the description; nil: it has none that
// is right.
func (w *repairing) twinText(ctx context.Context, key string) ([]byte, error) {
	twin := twinOf(key)
	if twin == "" {
		return nil, nil
	}
	text, err := w.readText(twin)
	if err != nil {
		_, err = describeFault(err)
		return nil, err
	}
	fits, err := w.fits(ctx, path.Dir(key)+"/"+removalFile, text)
	if !fits {
		text = nil
	}
	return text, err
}

// textOf finds a description beside its place or in the backups, the newest first, that says what the catalog says.
func (w *repairing) textOf(ctx context.Context, one wrongObject) (func(io.Writer) error, string, error) {
	if text, err := w.twinText(ctx, one.key); text != nil || err != nil {
		return func(to io.Writer) error { _, err := to.Write(text); return err }, twinOf(one.key), err
	}
	for _, s := range w.sources {
		if err := w.read(ctx, s); err != nil {
			return nil, "", err
		}
		for _, b := range s.backups {
			o, has := b.objects[one.key]
			if !has || b.Removal < one.last {
				continue // it may have what was erased since
			}
			var text bytes.Buffer
			if s.Fetch(ctx, o, &text) != nil || unseal(text.Bytes()) != nil {
				continue
			}
			fits, err := w.fits(ctx, one.key, text.Bytes())
			if err != nil {
				return nil, "", err
			}
			if fits {
				return func(to io.Writer) error { _, err := text.WriteTo(to); return err }, "backup " + b.ID, nil
			}
		}
	}
	return nil, "", nil
}

// read reads what the backups have that the store goes on from, once.
func (w *repairing) read(ctx context.Context, s *source) error {
	if s.backups != nil {
		return nil
	}
	s.backups = []sourceBackup{}
	all, _, err := s.List(ctx)
	for i := range all {
		b := sourceBackup{all[len(all)-1-i], map[string]backup.Object{}, map[string][]string{}}
		var goesOn bool
		err := w.catalog.Read(ctx, func(tx catalog.Tx) (err error) { goesOn, err = follows(tx, b.Manifest); return err })
		if err != nil {
			return err
		}
		if !goesOn {
			continue
		}
		entries, err := s.Entries(ctx, b.Manifest)
		if errors.Is(err, backup.ErrAway) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			continue // this one is of no use
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Key, ".json") {
				b.objects[e.Key] = e.Object
			}
			if dataset, rest, _ := strings.Cut(e.Key, "/"); strings.HasPrefix(rest, labelsDir+"/") {
				b.labels[dataset] = append(b.labels[dataset], e.Key)
			}
		}
		s.backups = append(s.backups, b)
	}
	return err
}
