package backup

import (
	"bufio"
	"compress/gzip"
	"context"
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

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/seal"
)

// Target is where the backups of one store are.
type Target struct {
	place  place
	marker marker
	held   lock // nil: it is only read
}

// Open opens a target for reading.
func Open(ctx context.Context, w Where) (*Target, error) {
	p, err := w.place(false)
	if err != nil {
		return nil, err
	}
	t := &Target{place: p}
	if err := t.readMarker(ctx); err != nil {
		if isMissing(err) {
			err = fmt.Errorf("%w: there is no %s", ErrNotTarget, markerFile)
		}
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Create opens a target for the backups of a store, and makes it one if it is empty or missing. It is locked.
func Create(ctx context.Context, w Where, store string, now time.Time) (*Target, error) {
	p, err := w.place(true)
	if err != nil {
		return nil, err
	}
	t := &Target{place: p}
	if err := t.claim(ctx, store, now); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// claim locks the target and makes sure that it is the store's.
func (t *Target) claim(ctx context.Context, store string, now time.Time) error {
	err := t.readMarker(ctx)
	if isMissing(err) {
		err = t.place.isFree(ctx)
	}
	if err != nil {
		return err
	}
	if t.marker.Store != "" && t.marker.Store != store {
		return ErrOther
	}
	if err := t.Lock(ctx); err != nil {
		return err
	}
	err = t.readMarker(ctx) // another process may have written it before it was locked
	if isMissing(err) {
		t.marker = marker{formatVersion, store, now.UTC()}
		text, err := json.MarshalIndent(t.marker, "", "  ")
		if err != nil {
			return err
		}
		return t.place.create(ctx, markerFile, text)
	}
	if err == nil && t.marker.Store != store {
		err = ErrOther
	}
	return err
}

func (t *Target) readMarker(ctx context.Context) error {
	text, err := read(ctx, t.place, markerFile)
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
func (t *Target) Lock(ctx context.Context) (err error) {
	held, err := t.place.lock(ctx)
	if err == nil {
		t.held = held
	}
	return err
}

// Close releases the target.
func (t *Target) Close() error {
	var err error
	if t.held != nil {
		err = t.held.release()
	}
	return errors.Join(err, t.place.Close())
}

// Store is the id of the store whose backups these are.
func (t *Target) Store() string { return t.marker.Store }

// List returns the backups, oldest first, and the names of manifests that can't be read.
func (t *Target) List(ctx context.Context) (all []Manifest, unreadable []string, err error) {
	for e, err := range t.place.list(ctx, backupsDir) {
		if err != nil {
			return nil, nil, err
		}
		name := strings.TrimPrefix(e.Name, backupsDir+"/")
		id, ok := strings.CutSuffix(name, manifestEnd)
		if !ok || !isID.MatchString(id) {
			continue // someone else's
		}
		m, err := t.Find(ctx, id)
		switch {
		case errors.Is(err, ErrNone): // it was pruned in this moment
		case errors.Is(err, ErrAway), ctx.Err() != nil:
			return nil, nil, err
		case err != nil:
			unreadable = append(unreadable, name)
		default:
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Manifest) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(unreadable)
	return all, unreadable, nil
}

// manifestPlace is where the manifest of a backup is in the target.
func manifestPlace(id string) string { return backupsDir + "/" + id + manifestEnd }

// Find reads the manifest of a backup.
func (t *Target) Find(ctx context.Context, id string) (m Manifest, err error) {
	if !isID.MatchString(id) {
		return m, ErrNone
	}
	text, err := read(ctx, t.place, manifestPlace(id))
	if isMissing(err) {
		return m, ErrNone
	}
	if err != nil {
		return m, err
	}
	if !seal.IsSealed(text) || seal.Check(text) != nil || json.Unmarshal(text, &m) != nil || m.ID != id {
		return m, &FileError{id, "its manifest", manifestPlace(id), ErrDamaged}
	}
	if m.FormatVersion > formatVersion {
		return m, fmt.Errorf("the backup has format %d, and this program knows formats up to %d", m.FormatVersion,
			formatVersion)
	}
	return m, nil
}

// Entries reads the list of a backup's objects.
func (t *Target) Entries(ctx context.Context, m Manifest) ([]Entry, error) {
	out, err := t.entries(ctx, m)
	return out, m.fault("the list of its objects", m.List.place(), err)
}

func (t *Target) entries(ctx context.Context, m Manifest) (out []Entry, err error) {
	if !m.List.isValid() {
		return nil, ErrDamaged
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	go func() { w.CloseWithError(t.Fetch(ctx, m.List, w)) }()
	defer r.Close()
	text, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, asDamage(err)
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
			return nil, asDamage(err)
		}
		out = append(out, e)
	}
	_, err = io.Copy(io.Discard, r) // to its end, where the checksum is compared
	return out, err
}

// asDamage returns the error of reading a text that is not what it must be; that of a bucket, which says nothing about
// the text, as it is.
func asDamage(err error) error {
	if errors.Is(err, ErrAway) || errors.Is(err, ErrDamaged) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// Fetch copies an object to w. If it is missing or not what was written, the error is ErrDamaged, and what was copied
// is worthless.
func (t *Target) Fetch(ctx context.Context, o Object, w io.Writer) error {
	if !o.isValid() {
		return ErrDamaged
	}
	in, err := t.place.open(ctx, o.place())
	if isMissing(err) {
		return ErrMissing
	}
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), &until{ctx, in})
	if err == nil && (n != o.Size || hex.EncodeToString(sum.Sum(nil)) != o.SHA256) {
		err = ErrDamaged
	}
	return err
}

// FetchAs is Fetch of a file of a backup, which the error names.
func (t *Target) FetchAs(ctx context.Context, m Manifest, file string, o Object, w io.Writer) error {
	err := t.Fetch(ctx, o, w)
	if !o.isValid() {
		return m.fault(file, "an impossible name", err)
	}
	return m.fault(file, o.place(), err)
}

// AtOnce is how many objects are best fetched at the same time.
func (t *Target) AtOnce() int { return t.place.atOnce() }

// ManifestPath is how the manifest of a backup in a target is named: a path, or the address in a bucket.
func ManifestPath(target, id string) string {
	return strings.TrimSuffix(target, "/") + "/" + manifestPlace(id)
}

// Split divides the name of a backup into that of its target and its id, which is empty where the target alone is
// named: then its newest backup is meant.
func Split(name string) (target, id string) {
	if id = IDOf(name); id == "" || !strings.HasSuffix(name, manifestEnd) {
		return name, ""
	}
	if bucket.Is(name) {
		if target, ok := strings.CutSuffix(name, "/"+manifestPlace(id)); ok {
			return target, id
		}
		return name, ""
	}
	return filepath.Dir(filepath.Dir(name)), id
}

// IDOf returns the id of the backup that a path or a name stands for; empty: it does not look like one.
func IDOf(name string) string {
	id := strings.TrimSuffix(filepath.Base(name), manifestEnd)
	if !isID.MatchString(id) {
		return ""
	}
	return id
}

// Locate opens the target of a backup. Without an id, it is the newest complete one of the whole store, or else of a
// part of it; none where the manifest of a newer one can't be read, as that may be the one that is meant.
func Locate(ctx context.Context, w Where, id string) (t *Target, m Manifest, err error) {
	if t, err = Open(ctx, w); err != nil {
		return nil, m, err
	}
	if id != "" {
		m, err = t.Find(ctx, id)
	} else {
		m, err = t.newest(ctx)
	}
	if err != nil {
		return nil, m, errors.Join(err, t.Close())
	}
	return t, m, nil
}

func (t *Target) newest(ctx context.Context) (best Manifest, err error) {
	all, unreadable, err := t.List(ctx)
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
	// An older one is not taken in silence for the newest, whose manifest can't be read.
	if n := len(unreadable); n > 0 && unreadable[n-1] > best.ID {
		id := strings.TrimSuffix(unreadable[n-1], manifestEnd)
		return best, fmt.Errorf("%w. It is newer than all that can be read; name one of these to use it",
			&FileError{id, "its manifest", manifestPlace(id), ErrDamaged})
	}
	if best.ID == "" {
		err = ErrNone
	}
	return best, err
}
