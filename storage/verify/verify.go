// Package verify makes sure that stored files are what was written, before anyone reads them (design, section 7).
//
// A file that is opened for the first time has its size and its footer compared with the catalog, and its whole
// checksum where it is small; after that, one stat shows whether it is still the file that was verified. Backups,
// merges, restores and exports have every byte read (Read), and so has a scrub. What is found damaged stays refused
// until the file has changed and is found sound. TestNoFlippedBitIsServed, in storage, is the proof.
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

	"rowback/storage/catalog"
	"rowback/storage/datafile"
)

// Small is up to how many bytes a file is read whole when it is first opened.
const Small = 16 << 20

// readers is how many files are verified at once for one caller.
const readers = 4

// Object is a stored file, as the catalog has it.
type Object struct {
	Key      string
	Bytes    int64
	Checksum string // SHA-256, hexadecimal
	Dataset  string // that wrote it, by id
	Commit   int64
	Footer   *datafile.Footer // nil: it is an archive
}

// File is a data file or a rollback file as an object.
func File(f *catalog.File) Object {
	return Object{
		Key: f.Key, Bytes: f.Bytes, Checksum: f.Checksum, Dataset: f.DatasetID, Commit: f.CommitID,
		Footer: &datafile.Footer{Kind: f.Kind, Dataset: f.DatasetID, Commit: f.CommitID, File: f.ID, Rows: f.Rows},
	}
}

// Archive is a backup's archive as an object.
func Archive(b catalog.Backup) Object {
	return Object{Key: b.Key, Bytes: b.Bytes, Checksum: b.Checksum, Dataset: b.DatasetID, Commit: b.CommitID}
}

// Damage is the error about a file that is not what was written.
type Damage struct {
	Object
	Detail string // what is wrong
}

func (d *Damage) Error() string { return fmt.Sprintf("%s: %s", d.Key, d.Detail) }

// Verifier remembers what was verified. Its methods may be called from many goroutines.
type Verifier struct {
	path   func(key string) string
	found  func(*Damage)
	flight singleflight.Group

	mu      sync.Mutex
	recent  map[string]*entry // by key: files that were named of late, and what is known of them
	older   map[string]*entry
	damaged map[string]*Damage
}

// entry is what is known of a file.
type entry struct {
	object Object
	sound  stamp     // of the file that was found sound; zero: none was
	whole  time.Time // when all of it was last found sound
	bad    stamp     // of the file that is damaged
}

// remembered is how many files are known before the first of them are forgotten.
const remembered = 200_000

// New returns a verifier of the objects at the paths that path gives. found is told of each damage once.
func New(path func(key string) string, found func(*Damage)) *Verifier {
	return &Verifier{
		path: path, found: found,
		recent: map[string]*entry{}, older: map[string]*entry{}, damaged: map[string]*Damage{},
	}
}

// Name makes an object known: it may be opened soon.
func (v *Verifier) Name(o Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.entry(o.Key) == nil {
		v.keep(o.Key, &entry{object: o})
	}
}

// entry finds what is known of a file, and keeps it from being forgotten soon.
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

func (v *Verifier) keep(key string, e *entry) {
	if len(v.recent) >= remembered/2 {
		v.older, v.recent = v.recent, map[string]*entry{}
	}
	v.recent[key] = e
}

// Open makes sure that the objects of those keys, which were named, can be opened. The error is a *Damage where one of
// them is not what was written.
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

// Seen keeps which files were found sound, and returns what reports whether one of them is another by now.
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

// look returns the object if it has to be verified.
func (v *Verifier) look(key string) (*Object, error) {
	now, err := stampOf(v.path(key))
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entry(key)
	switch {
	case e == nil:
		return nil, fmt.Errorf("object %s is read and was never named", key)
	case err == nil && now == e.sound && v.damaged[key] == nil:
		return nil, nil
	case v.damaged[key] != nil && now == e.bad:
		return nil, v.damaged[key]
	}
	return &e.object, nil
}

// first verifies a file that is opened for the first time, once, however many open it. A file that was verified already
// and is another one by now is read whole: no one should have touched it.
func (v *Verifier) first(_ context.Context, o Object) error {
	_, err, _ := v.flight.Do(o.Key, func() (any, error) {
		v.mu.Lock()
		known := v.entry(o.Key)
		touched := known != nil && known.sound != stamp{} || v.damaged[o.Key] != nil
		v.mu.Unlock()
		return nil, v.verify(o, touched || o.Bytes <= Small, plain)
	})
	return err
}

// Read reads every byte of the objects. The error is a *Damage where one of them is not what was written.
func (v *Verifier) Read(ctx context.Context, objects []Object) error {
	return each(ctx, objects, func(ctx context.Context, o Object) error {
		return v.verify(o, true, func(r io.Reader) io.Reader { return stopping{ctx, r} })
	})
}

// Examine looks at an object anew, whatever is known of it: at every byte if whole. A shorter look may find damage; it
// lets no one open what Open would read whole.
func (v *Verifier) Examine(ctx context.Context, o Object, whole bool) error {
	return v.verify(o, whole, func(r io.Reader) io.Reader { return stopping{ctx, r} })
}

// Scrub is Read of one object, through a reader that sets the pace.
func (v *Verifier) Scrub(o Object, through func(io.Reader) io.Reader) error {
	return v.verify(o, true, through)
}

// Recheck is Read of those objects that were not read whole since a time, and Open of the others.
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

// Again is Read of those objects, which were named, that were not read whole since a time.
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

// Damaged returns what is known to be damaged, in no order.
func (v *Verifier) Damaged() []Damage {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]Damage, 0, len(v.damaged))
	for _, d := range v.damaged {
		out = append(out, *d)
	}
	return out
}

// Forget forgets an object that was removed.
func (v *Verifier) Forget(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.recent, key)
	delete(v.older, key)
	delete(v.damaged, key)
}

// verify examines an object and keeps what it finds. An error that is not a *Damage says nothing about the file.
func (v *Verifier) verify(o Object, whole bool, through func(io.Reader) io.Reader) error {
	began := time.Now()
	seen, err := examine(v.path(o.Key), o, whole, through)
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
		return nil // so short a look does not show that it is sound
	}
	delete(v.damaged, o.Key)
	e.sound = seen
	if whole {
		e.whole = began
	}
	return nil
}

// each calls do for every object, a few at a time, until one fails.
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

func plain(r io.Reader) io.Reader { return r }

// stopping is a reader that ends with a context. The context's cause may be another file's damage: it is not told here.
type stopping struct {
	ctx context.Context
	io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}
