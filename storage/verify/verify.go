// Package verify checks that stored files are what was written, before anyone reads them (design, section 7). When a
// file is opened for the first time, its size and footer are compared with the catalog, and its checksum if it is
// small; after that, one stat shows whether it is still the file that was verified. Before backups, merges, restores
// and exports, every byte is read (Read), as by a scrub. A damaged file is refused until it has changed and is found
// sound. TestNoFlippedBitIsServed, in storage, proves it.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
)

// Small is the size, in bytes, up to which a file is read in full when it is first opened.
const Small = 16 << 20

// readers is how many files are verified concurrently for one caller.
const readers = 4

// Object is a stored file, as the catalog has it.
type Object struct {
	Key      string
	Bytes    int64
	Checksum string // SHA-256, hexadecimal
	Dataset  string // id of the dataset that wrote it
	Commit   int64
	Footer   *datafile.Footer // nil for an archive
}

// File returns a data file or a rollback file as an object.
func File(f *catalog.File) Object {
	return Object{
		Key: f.Key, Bytes: f.Bytes, Checksum: f.Checksum, Dataset: f.DatasetID, Commit: f.CommitID,
		Footer: &datafile.Footer{Kind: f.Kind, Dataset: f.DatasetID, Commit: f.CommitID, File: f.ID, Rows: f.Rows},
	}
}

// Archive returns a backup's archive as an object.
func Archive(b catalog.Backup) Object {
	return Object{Key: b.Key, Bytes: b.Bytes, Checksum: b.Checksum, Dataset: b.DatasetID, Commit: b.CommitID}
}

// Damage is the error for a file that is not what was written.
type Damage struct {
	Object
	Detail string // what is wrong
}

// Error names the object and what is wrong with it. It is for logs: keys are not for clients.
func (d *Damage) Error() string { return fmt.Sprintf("%s: %s", d.Key, d.Detail) }

// Source has the files of objects that are kept elsewhere. Its errors are fs.ErrNotExist where there is no object,
// ErrDiffers where it is not what was written, and others where that is not known.
type Source interface {
	// Fetch has an object's file be at its path, and reports whether it was fetched and compared for that. If fresh is
	// set, the file that is there is not used.
	Fetch(ctx context.Context, o Object, fresh bool) (bool, error)
	// Examine compares an object itself, past the file: its size, or every byte if whole.
	Examine(ctx context.Context, o Object, whole bool, through func(io.Reader) io.Reader) error
}

// ErrDiffers is the error of a source for an object that is not what was written.
var ErrDiffers = errors.New("it is not what was written")

// Verifier verifies files and remembers the results. Its methods may be called from many goroutines.
type Verifier struct {
	path   func(key string) string
	found  func(*Damage)
	source Source // nil: the files are the objects
	flight singleflight.Group

	mu      sync.Mutex
	recent  map[string]*entry // by key: the state of files named recently; older has those named before
	older   map[string]*entry
	damaged map[string]*Damage
}

// entry is what is known about a file.
type entry struct {
	object Object
	sound  stamp     // of the file when it was found sound; zero: never
	whole  time.Time // when every byte was last found sound
	bad    stamp     // of the file when it was found damaged
}

// remembered is how many files are remembered before the oldest are forgotten.
const remembered = 200_000

// New returns a verifier of the objects at the paths that path returns. found is called once for each damaged file.
func New(path func(key string) string, found func(*Damage)) *Verifier {
	return &Verifier{
		path: path, found: found,
		recent: map[string]*entry{}, older: map[string]*entry{}, damaged: map[string]*Damage{},
	}
}

// From has the files of objects come from a source. It must be called before any object is verified.
func (v *Verifier) From(s Source) { v.source = s }

// Name announces an object, which may be opened soon.
func (v *Verifier) Name(o Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.entry(o.Key) == nil {
		v.keep(o.Key, &entry{object: o})
	}
}

// entry returns what is known about a file, and marks it as recent.
func (v *Verifier) entry(key string) *entry {
	if e := v.recent[key]; e != nil {
		return e
	}
	e := v.older[key]
	if e != nil {
		v.keep(key, e)
	}
	return e
}

// keep remembers a verification. Two generations bound how many there are, without an order of use.
func (v *Verifier) keep(key string, e *entry) {
	if len(v.recent) >= remembered/2 {
		v.older, v.recent = v.recent, map[string]*entry{}
	}
	v.recent[key] = e
}

// Open verifies the objects with the given keys, which must have been named, as far as opening them requires. The error
// is a *Damage if one of them is not what was written.
func (v *Verifier) Open(ctx context.Context, keys []string) error {
	var unknown []Object
	for _, key := range keys {
		o, err := v.look(key)
		if err != nil {
			return err
		}
		if o != nil {
			unknown = append(unknown, *o)
		}
	}
	return each(ctx, unknown, v.first)
}

// Seen notes the stamps of sound files, and returns a function that reports whether one of them has changed since.
func (v *Verifier) Seen(keys []string) (changed func() bool) {
	seen := make(map[string]stamp, len(keys))
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, key := range keys {
		if e := v.entry(key); e != nil {
			seen[key] = e.sound
		}
	}
	return func() bool {
		for key, was := range seen {
			if now, err := stampOf(v.path(key)); err != nil || now != was {
				return true
			}
		}
		return false
	}
}

// look returns the object if it must be verified before it is opened.
func (v *Verifier) look(key string) (*Object, error) {
	now, err := stampOf(v.path(key))
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entry(key)
	switch {
	case e == nil:
		return nil, fmt.Errorf("object %s is read but was never named", key)
	case err == nil && now == e.sound && v.damaged[key] == nil:
		return nil, nil
	case v.damaged[key] != nil && now == e.bad && v.source == nil:
		return nil, v.damaged[key] // a source is asked again: what it has may be another object by now
	}
	return &e.object, nil
}

// first verifies a file that is opened for the first time, once for all concurrent callers. A file that has changed
// since it was verified is read in full: nothing should have touched it.
func (v *Verifier) first(ctx context.Context, o Object) error {
	fetched, err := v.fetch(ctx, o) // where each caller waits as long as it may
	if err != nil {
		return err
	}
	_, err, _ = v.flight.Do(o.Key, func() (any, error) {
		v.mu.Lock()
		known := v.entry(o.Key)
		touched := known != nil && known.sound != stamp{} || v.damaged[o.Key] != nil
		v.mu.Unlock()
		if fetched {
			seen, err := stampOf(v.path(o.Key))
			return nil, v.record(o, seen, err, true, time.Now())
		}
		// Files of a source are lost in part when the machine stops.
		return nil, v.verify(ctx, o, touched || o.Bytes <= Small || v.source != nil, plain)
	})
	return err
}

// Read verifies every byte of the objects. The error is a *Damage if one of them is not what was written.
func (v *Verifier) Read(ctx context.Context, objects []Object) error {
	return each(ctx, objects, func(ctx context.Context, o Object) error {
		return v.verify(ctx, o, true, func(r io.Reader) io.Reader { return stopping{ctx, r} })
	})
}

// Examine verifies an object again, whatever is known about it: every byte if whole. An examination that is not whole
// may find damage, but does not replace the one that Open requires.
func (v *Verifier) Examine(ctx context.Context, o Object, whole bool) error {
	through := func(r io.Reader) io.Reader { return stopping{ctx, r} }
	if v.source != nil {
		return v.examineSource(ctx, o, whole, through)
	}
	return v.verify(ctx, o, whole, through)
}

// Scrub is Read for one object, through a reader that limits the rate.
func (v *Verifier) Scrub(ctx context.Context, o Object, through func(io.Reader) io.Reader) error {
	if v.source != nil {
		return v.examineSource(ctx, o, true, through)
	}
	return v.verify(ctx, o, true, through)
}

// Recheck is Open for the objects, then Read for those that were not read in full since the given time.
func (v *Verifier) Recheck(ctx context.Context, objects []Object, since time.Time) error {
	keys := make([]string, len(objects))
	for i, o := range objects {
		v.Name(o)
		keys[i] = o.Key
	}
	if err := v.Open(ctx, keys); err != nil {
		return err
	}
	return v.Again(ctx, keys, since)
}

// Again is Read for those of the named objects that were not read in full since the given time.
func (v *Verifier) Again(ctx context.Context, keys []string, since time.Time) error {
	var objects []Object
	v.mu.Lock()
	for _, key := range keys {
		if e := v.entry(key); e != nil && e.whole.Before(since) {
			objects = append(objects, e.object)
		}
	}
	v.mu.Unlock()
	return v.Read(ctx, objects)
}

// Damaged returns the damage found so far, in no particular order.
func (v *Verifier) Damaged() []Damage {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]Damage, 0, len(v.damaged))
	for _, d := range v.damaged {
		out = append(out, *d)
	}
	return out
}

// Forget drops what is known about an object that was removed.
func (v *Verifier) Forget(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.recent, key)
	delete(v.older, key)
	delete(v.damaged, key)
}

// verify examines an object and records the result. An error other than *Damage says nothing about the file.
func (v *Verifier) verify(ctx context.Context, o Object, whole bool, through func(io.Reader) io.Reader) error {
	began := time.Now()
	fetched, err := v.fetch(ctx, o)
	if err != nil {
		return err
	}
	seen, err := examine(v.path(o.Key), o, whole && !fetched, through)
	var damage *Damage
	if errors.As(err, &damage) && v.source != nil && !fetched {
		// The file is a copy, which may be damaged where the object is not.
		if err := v.fetchAgain(ctx, o); err != nil {
			return err
		}
		fetched = true
		seen, err = examine(v.path(o.Key), o, false, through)
	}
	return v.record(o, seen, err, whole || fetched, began)
}

// record notes what an examination found.
func (v *Verifier) record(o Object, seen stamp, err error, whole bool, began time.Time) error {
	var damage *Damage
	if err != nil && !errors.As(err, &damage) {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entry(o.Key)
	if e == nil {
		e = &entry{object: o}
		v.keep(o.Key, e)
	}
	if damage != nil {
		if v.damaged[o.Key] == nil {
			v.found(damage)
		}
		e.bad, v.damaged[o.Key] = seen, damage
		return damage
	}
	if !whole && (o.Bytes <= Small || v.damaged[o.Key] != nil || e.sound != stamp{} && e.sound != seen) {
		return nil // an examination in part does not prove it sound
	}
	delete(v.damaged, o.Key)
	e.sound = seen
	if whole {
		e.whole = began
	}
	return nil
}

// each calls do for every object, a few concurrently, until one fails.
func each(ctx context.Context, objects []Object, do func(context.Context, Object) error) error {
	if len(objects) == 1 {
		return do(ctx, objects[0])
	}
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, o := range objects {
		if together.Err() != nil {
			break
		}
		g.Go(func() error { return do(together, o) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// plain reads as fast as the disk gives.
func plain(r io.Reader) io.Reader { return r }

// stopping is a reader that fails when a context ends. It returns ctx.Err, since the cause may be the damage of another
// file.
type stopping struct {
	ctx context.Context
	io.Reader
}

// Read reads until the context ends.
func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}
