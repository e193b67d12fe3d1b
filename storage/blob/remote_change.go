package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/bucket"
)

// Writable reports why nothing can be stored now.
func (r *Remote) Writable() error {
	if err := r.Dir.Writable(); err != nil {
		return err
	}
	if err := r.isSettled(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), readyWithin, bucket.ErrAway)
	defer cancel()
	return r.bucket.Answers(ctx)
}

// readyWithin is how long the bucket may take to answer whether it does.
const readyWithin = 3 * time.Second

// Put implements Changes.
func (r *Remote) Put(key string, data []byte) (Placed, error) {
	return r.replace(key, data, nil)
}

// Replace implements Changes.
func (r *Remote) Replace(key string, was, data []byte) (Placed, error) {
	return r.replace(key, data, func(there present) error {
		if !bytes.Equal(there.text, was) {
			return fmt.Errorf("%w: %s", ErrReplaced, key)
		}
		return nil
	})
}

// replace puts an object in place of the one that is there, if may allows it.
func (r *Remote) replace(key string, data []byte, may func(present) error) (Placed, error) {
	ctx := context.Background()
	if err := r.mayPut(ctx); err != nil {
		return Placed{}, err
	}
	there, err := r.look(ctx, key)
	if err == nil && may != nil {
		err = may(there)
	}
	if err != nil {
		return Placed{}, err
	}
	if err := r.hook("put", named(key)); err != nil {
		return Placed{}, err
	}
	defer r.noteChange(key)
	p := Placed{undo: func() error {
		defer r.noteChange(key)
		return r.pay(debt{
			Kind: owedPut, Key: named(key), Data: there.text, IsGone: there.text == nil, Sum: sumOf(data),
		})
	}}
	return p, replaced(r.putOver(ctx, there, data))
}

// mayPut reports why nothing can be put now.
func (r *Remote) mayPut(ctx context.Context) error {
	if err := errors.Join(r.room(), r.isSettled()); err != nil {
		return err
	}
	return r.mine(ctx)
}

// Remove implements Changes. Descriptions go first, so that what is left is of a batch that was not published.
func (r *Remote) Remove(prefix string) error {
	if err := r.hook("remove", named(prefix)); err != nil {
		return err
	}
	ctx := context.Background()
	if err := r.mine(ctx); err != nil {
		return err
	}
	r.noteChange(prefix)
	return r.removeAll(ctx, prefix)
}

// removeAll removes what is below a directory, or an object.
func (r *Remote) removeAll(ctx context.Context, prefix string) error {
	r.cache.drop(prefix)
	if path.Ext(prefix) != "" {
		return r.bucket.Remove(ctx, named(prefix))
	}
	keys := []string{}
	for o, err := range r.bucket.List(ctx, below(prefix), false) {
		if err != nil {
			return err
		}
		keys = append(keys, o.Key)
	}
	isDescription := func(key string) bool { return strings.HasSuffix(key, ".json") }
	var first []string
	for _, key := range keys {
		if isDescription(key) {
			first = append(first, key)
		}
	}
	if err := r.bucket.Remove(ctx, first...); err != nil {
		return err
	}
	rest := slices.DeleteFunc(keys, isDescription)
	if len(first)+len(rest) == 0 { // an object whose name has no extension
		rest = []string{named(prefix)}
	}
	return r.bucket.Remove(ctx, rest...)
}
