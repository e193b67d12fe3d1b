package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/seal"
)

// copyTarget is where a copy is made. Names are those of files below the directory or the prefix.
type copyTarget interface {
	each(f func(name string, size int64)) error // objects only
	read(ctx context.Context, name string) ([]byte, error)
	put(ctx context.Context, name string, from io.ReadSeeker, size int64) error
	remove(ctx context.Context, name string) error
	settle() error // what was put and removed is durable then
	clear() error  // removes what was left unfinished
	// isFree reports why a new store can't be made here.
	isFree(ctx context.Context) error
	Close() error
}

// copyNote is copying.json, in a copy that is not complete.
type copyNote struct {
	Store string `json:"store"`
}

const copyFile = datadir.CopyFile

// openTarget opens where the copy is made.
func (c *copier) openTarget(ctx context.Context) error {
	if err := c.checkPlaces(ctx); err != nil {
		return err
	}
	if c.To.Objects != nil {
		b, err := c.To.Objects.open()
		c.target = intoBucket{b}
		return err
	}
	tree, err := blob.MakeTree(c.To.Dir, c.options.Hook)
	if err != nil {
		return err
	}
	// Neither a server nor another copy has the directory meanwhile.
	if c.held, err = datadir.Lock(c.To.Dir, false); err != nil {
		return errors.Join(err, tree.Close())
	}
	c.target = &intoTree{Tree: tree, dirs: map[string]bool{}}
	return nil
}

// checkPlaces refuses places in which no copy can be.
func (c *copier) checkPlaces(ctx context.Context) error {
	to := c.To
	switch {
	case to.Dir == "" && to.Objects == nil:
		return errors.New("name a directory or a bucket for the objects")
	case to.Dir == "" && to.Catalog == "":
		return errors.New("name a directory or a database for the catalog")
	case to.Dir != "" && datadir.IsWithin(to.Dir, c.From.Dir), to.Catalog != "" && to.Catalog == c.From.Catalog:
		return errors.New("it is the place of the store itself")
	case to.Objects != nil && c.source.dir.objects != nil && to.Objects.URL == c.source.dir.objects.URL:
		return errors.New("it is the bucket of the store itself")
	}
	if to.Dir != "" && to.Objects != nil {
		if _, bare, err := datadir.Read(to.Dir); err != nil && !bare {
			return err
		}
	}
	if to.Catalog == "" {
		return nil
	}
	d := &directory{journal: c.source.journal, path: c.scratch, remote: to.Catalog}
	id, err := d.storeOf(ctx, c.scratch+"/target.db")
	if err == nil && id != "" && id != c.Store {
		err = d.foreign(id, c.Store)
	}
	return err
}

// storeOf returns the id of the store whose catalog is in a database; empty: there is none.
func (d *directory) storeOf(ctx context.Context, scratch string) (id string, err error) {
	if err := d.copyTo(ctx, scratch); err != nil {
		return "", err
	}
	own := &directory{journal: &journal{log: d.log}, path: d.path}
	if what, err := own.tryCatalog(ctx, scratch); err != nil || what != "" {
		return "", errors.Join(err, errors.New(what))
	}
	id, err = own.indexes(ctx)
	return id, errors.Join(err, own.catalog.Close())
}

// begin finds out whether the target is free, or an attempt before got as far as making it a store.
func (c *copier) begin(ctx context.Context) (isWhole bool, err error) {
	text, err := c.target.read(ctx, copyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := c.isThere(ctx); err != nil {
			return false, err
		}
		if err := c.target.isFree(ctx); err != nil {
			return false, err
		}
		return false, c.write(ctx, copyFile, copyNote{c.Store})
	}
	if err != nil {
		return false, err
	}
	var note copyNote
	if err := errors.Join(seal.Check(text), json.Unmarshal(text, &note)); err != nil {
		return false, fmt.Errorf("%s is damaged: %w. Remove what was copied, then start anew", copyFile, err)
	}
	if note.Store != c.Store {
		return false, fmt.Errorf("a copy of another store (%s; this one is %s) was begun there. Name another place",
			note.Store, c.Store)
	}
	// Only now it is certain that what is unfinished there was left by a copy.
	if err := c.target.clear(); err != nil {
		return false, err
	}
	_, err = c.target.read(ctx, datadir.MarkerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, err
}

// errCopied is returned where a copy of the store was completed before, be it just before the machine stopped.
var errCopied = errors.New("this store is there already: a copy was completed. To make another, name another place")

// isThere returns errCopied where the target is the same store.
func (c *copier) isThere(ctx context.Context) error {
	text, err := c.target.read(ctx, datadir.MarkerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var m struct {
		ID string `json:"id"`
	}
	if err == nil && json.Unmarshal(text, &m) == nil && m.ID == c.Store {
		return errCopied
	}
	return err
}

// write writes a sealed file.
func (c *copier) write(ctx context.Context, name string, v any) error {
	text, err := seal.Text(v)
	if err != nil {
		return err
	}
	err = c.target.put(ctx, name, strings.NewReader(string(text)), int64(len(text)))
	return errors.Join(err, c.target.settle())
}

// intoTree is a data directory.
type intoTree struct {
	*blob.Tree
	mu   sync.Mutex
	dirs map[string]bool // whose names are not durable yet
}

func (t *intoTree) each(f func(name string, size int64)) error {
	return treePlace{t.Tree}.below(objectsDir, f)
}

func (t *intoTree) read(_ context.Context, name string) ([]byte, error) { return t.Read(name) }

func (t *intoTree) put(_ context.Context, name string, from io.ReadSeeker, _ int64) error {
	d, err := t.Draft()
	if err != nil {
		return err
	}
	if _, err := io.Copy(d, from); err != nil {
		d.Discard()
		return err
	}
	if err := t.Place(blob.Placing{Draft: d, Name: name}); err != nil {
		d.Discard()
		return err
	}
	t.touch(name)
	return nil
}

func (t *intoTree) remove(_ context.Context, name string) error {
	t.touch(name)
	return t.Remove(name)
}

// touch notes the directories of a name.
func (t *intoTree) touch(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		t.dirs[dir] = true
		if dir == "." {
			return
		}
	}
}

func (t *intoTree) settle() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for dir := range t.dirs {
		if err := t.Sync(dir); err != nil {
			return err
		}
	}
	clear(t.dirs)
	return nil
}

func (t *intoTree) clear() error { return t.Clear() }

// isFree removes the note of a copy that was stopped while it wrote that, and nothing else.
func (t *intoTree) isFree(context.Context) error {
	entries, err := t.List(".")
	if err != nil {
		return err
	}
	if len(entries) == 1 {
		if err := t.ClearFirst(); err != nil {
			return err
		}
	}
	return isEmpty(t.Tree)
}

// intoBucket is a prefix of a bucket.
type intoBucket struct{ *bucket.Bucket }

func (t intoBucket) each(f func(name string, size int64)) error {
	for o, err := range t.List(context.Background(), objectsDir+"/", false) {
		if err != nil {
			return err
		}
		f(o.Key, o.Size)
	}
	return nil
}

func (t intoBucket) read(ctx context.Context, name string) ([]byte, error) { return t.Get(ctx, name) }

func (t intoBucket) put(ctx context.Context, name string, from io.ReadSeeker, size int64) error {
	return t.PutFrom(ctx, name, from, size)
}

func (t intoBucket) remove(ctx context.Context, name string) error { return t.Remove(ctx, name) }

func (intoBucket) settle() error { return nil }

func (intoBucket) clear() error { return nil }

func (t intoBucket) isFree(ctx context.Context) error { return isFree(ctx, t.Bucket) }

func (intoBucket) Close() error { return nil }
