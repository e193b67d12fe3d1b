package storage

import (
	"context"
	"errors"
	"sync"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/verify"
)

// substitutes are the compacted files that readers use, by fork family, as the catalog has them. One that is damaged or
// missing is not used: what it was made of is there.
type substitutes struct {
	*Files
	mu       sync.Mutex
	byFamily map[string]*snapshot.Compacted
	lost     map[string]bool // keys of those that can't be read
	held     string          // the family that is losing rows: none of its compacted files is used

	eras map[string]int64 // of those that are kept: the newest in which they were read
}

// place takes the lock that is held from when a compacted file gets its place until it is recorded, and while those
// that are not recorded are removed.
func (s *substitutes) place(ctx context.Context) (unlock func(), err error) {
	return s.catalog.Lock(ctx, "placing")
}

// of returns the compacted files of a family in an era or a later one; nil: none is used now.
func (s *substitutes) of(family string, era int64) (*snapshot.Compacted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.byFamily[family]; family == s.held || c != nil && era <= s.eras[family] {
		return c, nil
	}
	s.eras[family] = max(era, s.eras[family])
	return s.read(context.Background(), family)
}

// read reads the compacted files of a family and keeps them. It holds the lock, so that an older list never takes the
// place of a newer one.
func (s *substitutes) read(ctx context.Context, family string) (*snapshot.Compacted, error) {
	list, err := s.list(ctx, family)
	if err != nil {
		return nil, err
	}
	c := snapshot.NewCompacted(list, s.usable)
	s.byFamily[family] = c
	return c, nil
}

// hold has no compacted file of a family used until release, while rows are removed from its files: states then have
// the files without these rows at once, in which the others have other places.
func (s *substitutes) hold(family string) (release func()) {
	set := func(held string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = held
		delete(s.byFamily, family)
	}
	set(family)
	return func() { set("") }
}

// list reads the compacted files of a family from the catalog.
func (s *substitutes) list(ctx context.Context, family string) (list []*catalog.Compacted, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Compacted(family); return err })
	return list, err
}

// refresh reads the compacted files of a family anew.
func (s *substitutes) refresh(ctx context.Context, family string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if family == s.held {
		return nil
	}
	_, err := s.read(ctx, family)
	return err
}

// usable reports whether a compacted file is there and what was written, as far as opening it requires.
func (s *substitutes) usable(c *catalog.Compacted) bool {
	s.mu.Lock()
	lost := s.lost[c.Key]
	s.mu.Unlock()
	if lost {
		return false
	}
	o := verify.File(&c.File)
	s.verifier.Name(o)
	err := s.verifier.Open(context.Background(), []string{c.Key})
	if damage := compactedDamage(err); damage != nil {
		s.lose(damage)
	}
	return err == nil
}

// compactedDamage returns the damage of a compacted file that an error is, or nil.
func compactedDamage(err error) *verify.Damage {
	var damage *verify.Damage
	if !errors.As(err, &damage) || damage.Footer == nil {
		return nil
	}
	if k := damage.Footer.Kind; k != schema.Compacted && k != schema.CompactedRollback {
		return nil
	}
	return damage
}

// lose has a compacted file that is damaged used no more. Upkeep removes it and makes another.
func (s *substitutes) lose(damage *verify.Damage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost[damage.Key] = true
	s.verifier.Forget(damage.Key)
	s.log.Warn("a compacted file is not used any more, and is made again", "key", damage.Key, "detail", damage.Detail)
}

// errReplaced is for a statement that was going to read a compacted file that has just been found to be lost.
func errReplaced(damage *verify.Damage) error {
	return fault.Errorf(fault.Unavailable, "file_changed",
		"A compacted file was replaced while it was read. Send the request again.").Because(damage)
}

// isLost reports whether a compacted file was found to be lost.
func (s *substitutes) isLost(c *catalog.Compacted) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost[c.Key]
}

// anyLost reports whether any compacted file was found to be lost.
func (s *substitutes) anyLost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lost) > 0
}

// forget forgets a compacted file that the catalog no longer has.
func (s *substitutes) forget(c *catalog.Compacted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byFamily, c.Family)
	delete(s.lost, c.Key)
}
