package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/rowback/rowback/storage/bucket"
)

// Promise is an object that is about to be put, and stands only with a transaction that is under way: that forgets the
// promise. A server may die between the two. Whoever finds a promise later, while no such transaction is under way,
// recants it: the former object is back then.
type Promise struct {
	Key    string
	Sum    string // SHA-256 of what was to be put
	Former []byte
	IsNew  bool // there was none
}

// recantAttempts is how often it is tried to put the former object back while the one that is there changes.
const recantAttempts = 5

// PutPromised implements Changes.
func (r *Remote) PutPromised(key string, data []byte) (Placed, error) {
	if !r.isShared {
		return r.Put(key, data)
	}
	ctx := context.Background()
	if err := r.mayPut(ctx); err != nil {
		return Placed{}, err
	}
	there, err := r.look(ctx, key)
	if err != nil {
		return Placed{}, err
	}
	p := Promise{Key: key, Sum: sumOf(data), Former: there.text, IsNew: there.isNone()}
	if err := r.ledger.Promise(ctx, p); err != nil {
		return Placed{}, err
	}
	if err := r.hook("put", named(key)); err != nil {
		return Placed{}, err
	}
	defer r.noteChange(key)
	return Placed{}, replaced(r.putOver(ctx, there, data))
}

// Recant implements Changes. The object in the place has other bytes after it than it had before and when the promise
// was made, whatever they say: so a server that stands still, or its request that is on its way, even a second time,
// finds that what it was to replace is not there.
func (r *Remote) Recant(p Promise, again func(text []byte) []byte) error {
	ctx := context.Background()
	if err := r.hook("put", named(p.Key)); err != nil {
		return err
	}
	defer r.noteChange(p.Key)
	for range recantAttempts {
		there, err := r.look(ctx, p.Key)
		if err != nil {
			return err
		}
		text := p.recanted(there.text, again)
		if text == nil {
			return nil
		}
		if err = r.putOver(ctx, there, text); !errors.Is(err, bucket.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("%w: %s changes all the time", bucket.ErrAway, named(p.Key))
}

// recanted returns what takes the place of a text that is there; nil: it is what others have put since.
func (p Promise) recanted(there []byte, again func([]byte) []byte) []byte {
	switch {
	case p.IsNew && sumOf(there) == p.Sum && isTombstone(p.Former):
		return append(slices.Clone(p.Former), '\n')
	case p.IsNew && there == nil, p.IsNew && sumOf(there) == p.Sum:
		return tombstone
	case isTombstone(there) && (p.IsNew || bytes.Equal(there, p.Former)):
		return append(there, '\n')
	case sumOf(there) == p.Sum:
		return again(p.Former)
	case there != nil && bytes.Equal(there, p.Former):
		return again(there)
	}
	return nil
}

// present is what is in a place of the bucket.
type present struct {
	key  string
	text []byte // nil: nothing
	tag  string
}

// isNone reports whether there is no object, or only the remains of one that was withdrawn.
func (p present) isNone() bool { return p.text == nil || isTombstone(p.text) }

// look returns what is in the place of an object.
func (r *Remote) look(ctx context.Context, key string) (p present, err error) {
	p.key = key
	p.text, p.tag, err = r.bucket.GetTagged(ctx, named(key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return present{key: key}, nil
	case err == nil && p.text == nil:
		p.text = []byte{}
	}
	return p, err
}

// putOver puts an object in place of what was there, or where nothing was. If that has changed meanwhile, nothing is
// put, and the error is bucket.ErrExists.
func (r *Remote) putOver(ctx context.Context, there present, data []byte) error {
	if there.text == nil {
		return r.bucket.PutNew(ctx, named(there.key), data)
	}
	return r.bucket.PutOver(ctx, named(there.key), there.tag, data)
}

// replaced returns the error of putOver as those know it who replace objects.
func replaced(err error) error {
	if errors.Is(err, bucket.ErrExists) {
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	}
	return err
}

// isTombstone reports whether an object was withdrawn.
func isTombstone(text []byte) bool { return bytes.HasPrefix(text, tombstone) }
