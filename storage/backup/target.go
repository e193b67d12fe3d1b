package backup

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/seal"
)

// Target is a directory of backups of one store.
type Target struct {
	tree   *blob.Tree
	marker marker
	lock   *flock.Flock
}

// Open opens a target for reading.
func Open(dir string, hook blob.Hook) (*Target, error) {
	tree, err := blob.OpenTree(dir, hook)
	if err != nil {
		return nil, err
	}
	t := &Target{tree: tree}
	if err := t.readMarker(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: there is no %s", ErrNotTarget, markerFile)
		}
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Create opens a target for the backups of a store, and makes it one if it is empty or missing. It is locked.
func Create(dir, store string, now time.Time, hook blob.Hook) (*Target, error) {
	tree, err := blob.MakeTree(dir, hook)
	if err != nil {
		return nil, err
	}
	t := &Target{tree: tree}
	if err := t.claim(store, now); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// claim locks the target and makes sure that it is the store's.
func (t *Target) claim(store string, now time.Time) error {
	if err := t.readMarker(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if t.marker.Store == "" {
		if err := t.isBare(); err != nil {
			return err
		}
	}
	if err := t.Lock(); err != nil {
		return err
	}
	err := t.readMarker() // another process may have written it before it was locked
	if errors.Is(err, fs.ErrNotExist) {
		t.marker = marker{formatVersion, store, now.UTC()}
		text, err := json.MarshalIndent(t.marker, "", "  ")
		if err != nil {
			return err
		}
		return t.tree.Write(markerFile, text)
	}
	if err == nil && t.marker.Store != store {
		err = ErrOther
	}
	return err
}

// isBare refuses a directory that has something else than a target without its first backup.
func (t *Target) isBare() error {
	entries, err := t.tree.List(".")
	for _, e := range entries {
		if !slices.Contains([]string{lockFile, "staging", "lost+found"}, e.Name) {
			return ErrNotTarget
		}
	}
	return err
}

func (t *Target) readMarker() error {
	text, err := t.tree.Read(markerFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &t.marker); err != nil || t.marker.Store == "" {
		return fmt.Errorf("%s is damaged. Put a copy of it back, or remove it to have it written again", markerFile)
	}
	if t.marker.FormatVersion > formatVersion {
		return fmt.Errorf("the backups have format %d, and this program knows formats up to %d. "+
			"Use a newer version of the program", t.marker.FormatVersion, formatVersion)
	}
	return nil
}

// Lock keeps other backups, prunings and checks away until Close.
func (t *Target) Lock() error {
	path, err := t.tree.LockFile(lockFile)
	if err != nil {
		return err
	}
	t.lock = flock.New(path)
	ok, err := t.lock.TryLock()
	if err == nil && !ok {
		err = ErrInUse
	}
	return err
}

// Close releases the target.
func (t *Target) Close() error {
	var err error
	if t.lock != nil {
		err = t.lock.Unlock()
	}
	return errors.Join(err, t.tree.Close())
}

// Store is the id of the store whose backups these are.
func (t *Target) Store() string { return t.marker.Store }

// List returns the backups, oldest first, and the names of manifests that can't be read.
func (t *Target) List() (all []Manifest, unreadable []string, err error) {
	entries, err := t.tree.List(backupsDir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name, manifestEnd)
		if !ok || !isID.MatchString(id) {
			continue // someone else's
		}
		m, err := t.Find(id)
		if err != nil {
			unreadable = append(unreadable, e.Name)
			continue
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Manifest) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(unreadable)
	return all, unreadable, nil
}

// Find reads the manifest of a backup.
func (t *Target) Find(id string) (m Manifest, err error) {
	if !isID.MatchString(id) {
		return m, ErrNone
	}
	text, err := t.tree.Read(backupsDir + "/" + id + manifestEnd)
	if errors.Is(err, fs.ErrNotExist) {
		return m, ErrNone
	}
	if err != nil {
		return m, err
	}
	if !seal.IsSealed(text) || seal.Check(text) != nil || json.Unmarshal(text, &m) != nil || m.ID != id {
		return m, ErrDamaged
	}
	if m.FormatVersion > formatVersion {
		return m, fmt.Errorf("the backup has format %d, and this program knows formats up to %d", m.FormatVersion,
			formatVersion)
	}
	return m, nil
}

// Entries reads the list of a backup's objects.
func (t *Target) Entries(m Manifest) (out []Entry, err error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(t.Fetch(m.List, w)) }()
	defer r.Close()
	text, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("the list of its objects: %w", errors.Join(ErrDamaged, err))
	}
	decoder := json.NewDecoder(text)
	for {
		var e Entry
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && (!fs.ValidPath(e.Key) || !e.isValid()) {
			err = fmt.Errorf("%w: %q", ErrDamaged, e.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("the list of its objects: %w", err)
		}
		out = append(out, e)
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // to its end, where the checksum is compared
		return nil, fmt.Errorf("the list of its objects: %w", err)
	}
	return out, nil
}

// Fetch copies an object to w. If it is missing or not what was written, the error is ErrDamaged, and what was copied
// is worthless.
func (t *Target) Fetch(o Object, w io.Writer) error {
	if !o.isValid() {
		return ErrDamaged
	}
	in, err := t.tree.Open(o.place())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it is missing", ErrDamaged)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), in)
	if err == nil && (n != o.Size || hex.EncodeToString(sum.Sum(nil)) != o.SHA256) {
		err = ErrDamaged
	}
	return err
}

// ManifestPath is where the manifest of a backup is, in the target at dir.
func ManifestPath(dir, id string) string { return filepath.Join(dir, backupsDir, id+manifestEnd) }

// IDOf returns the id of the backup that a path or a name stands for; empty: it does not look like one.
func IDOf(name string) string {
	id := strings.TrimSuffix(filepath.Base(name), manifestEnd)
	if !isID.MatchString(id) {
		return ""
	}
	return id
}

// Locate opens the target of a backup that is named by its manifest, or by the target alone: then it is the newest
// complete one of the whole store, or else of a part of it.
func Locate(name string) (t *Target, m Manifest, err error) {
	dir, id := name, ""
	if base, ok := strings.CutSuffix(filepath.Base(name), manifestEnd); ok && isID.MatchString(base) {
		dir, id = filepath.Dir(filepath.Dir(name)), base
	}
	if t, err = Open(dir, nil); err != nil {
		return nil, m, err
	}
	if id != "" {
		m, err = t.Find(id)
	} else {
		m, err = t.newest()
	}
	if err != nil {
		return nil, m, errors.Join(err, t.Close())
	}
	return t, m, nil
}

func (t *Target) newest() (best Manifest, err error) {
	all, _, err := t.List()
	if err != nil {
		return best, err
	}
	rank := func(m Manifest) int {
		switch {
		case m.ID == "":
			return 0
		case !m.IsComplete():
			return 1
		case m.Scope != "":
			return 2
		}
		return 3
	}
	for _, m := range all {
		if rank(m) >= rank(best) {
			best = m
		}
	}
	if best.ID == "" {
		err = ErrNone
	}
	return best, err
}
