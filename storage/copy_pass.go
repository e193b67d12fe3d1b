package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/blob"
)

// copiesAtOnce is how many objects are copied beside each other.
const copiesAtOnce = 8

// isMadeAgain reports whether an object is left out, as in backups: compacted files and key filters.
func isMadeAgain(key string) bool {
	_, rest, _ := strings.Cut(key, "/")
	return strings.HasPrefix(rest, compactedDir+"/") || strings.HasPrefix(rest, filtersDir+"/")
}

func isDescription(key string) bool { return strings.HasSuffix(key, ".json") }

// pass makes the target's objects those of the store: first files, which never change under their names, then
// descriptions, which are compared. So a commit that is there is whole. In a store that is used, what has gone meanwhile
// is left to the next pass.
func (c *copier) pass(ctx context.Context, isUsed bool) error {
	there := map[string]int64{}
	err := c.target.each(func(name string, size int64) { there[strings.TrimPrefix(name, objectsDir+"/")] = size })
	if err != nil {
		return err
	}
	var files, descriptions []string
	sizes := map[string]int64{}
	for o, err := range c.source.blobs.List("") {
		if err != nil {
			if isUsed && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return err
		}
		if isMadeAgain(o.Key) {
			continue
		}
		size, has := there[o.Key]
		delete(there, o.Key)
		sizes[o.Key] = o.Size
		switch {
		case isDescription(o.Key):
			descriptions = append(descriptions, o.Key)
		case !has || size != o.Size:
			files = append(files, o.Key)
		}
	}
	before := c.Objects
	for _, keys := range [][]string{files, descriptions} {
		if err := c.copyAll(ctx, keys, sizes, isUsed); err != nil {
			return err
		}
	}
	if c.Objects > before {
		c.Say(fmt.Sprintf("%d objects copied", c.Objects))
	}
	return errors.Join(c.removeAll(ctx, there), c.target.settle())
}

// copyAll copies objects beside each other.
func (c *copier) copyAll(ctx context.Context, keys []string, sizes map[string]int64, isUsed bool) error {
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(copiesAtOnce)
	var counts sync.Mutex
	for _, key := range keys {
		g.Go(func() error {
			if together.Err() != nil {
				return context.Cause(together)
			}
			copied, err := c.copyOne(together, key, sizes[key])
			if isUsed && errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrUnpublished) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("copying %s: %w", key, err)
			}
			if copied {
				counts.Lock()
				defer counts.Unlock()
				c.Objects++
				c.Bytes += sizes[key]
			}
			return nil
		})
	}
	return g.Wait()
}

// copyOne copies an object, unless it is a description that is there already.
func (c *copier) copyOne(ctx context.Context, key string, size int64) (copied bool, err error) {
	in, err := c.source.blobs.Open(key)
	if err != nil {
		return false, err
	}
	defer in.Close()
	name := objectsDir + "/" + key
	if !isDescription(key) {
		return true, c.target.put(ctx, name, in, size)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return false, err
	}
	there, err := c.target.read(ctx, name)
	if err == nil && bytes.Equal(there, text) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, c.target.put(ctx, name, bytes.NewReader(text), int64(len(text)))
}

// removeAll removes from the target what the store does not have any more, descriptions first.
func (c *copier) removeAll(ctx context.Context, left map[string]int64) error {
	keys := make([]string, 0, len(left))
	for key := range left {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if isDescription(a) != isDescription(b) {
			if isDescription(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, key := range keys {
		if err := c.target.remove(ctx, objectsDir+"/"+key); err != nil {
			return fmt.Errorf("removing %s: %w", key, err)
		}
		c.Removed++
	}
	return nil
}
