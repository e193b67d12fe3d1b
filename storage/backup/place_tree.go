package backup

import (
	"context"
	"io"
	"iter"
	"maps"
	"path"
	"slices"

	"github.com/gofrs/flock"

	"github.com/rowback/rowback/storage/blob"
)

// inTree is a directory. Its lock is the system's, which ends with the process.
type inTree struct {
	*blob.Tree
	dirs map[string]bool // with names that are not durable yet
}

func (t *inTree) isFree(context.Context) error {
	entries, err := t.List(".")
	for _, e := range entries {
		if !slices.Contains([]string{lockFile, "staging", "lost+found"}, e.Name) {
			return ErrNotTarget
		}
	}
	return err
}

func (t *inTree) lock(context.Context) (lock, error) {
	path, err := t.LockFile(lockFile)
	if err != nil {
		return nil, err
	}
	l := flock.New(path)
	ok, err := l.TryLock()
	if err == nil && !ok {
		err = ErrInUse
	}
	return fileLock{l}, err
}

// fileLock is a lock that is not lost.
type fileLock struct{ *flock.Flock }

func (fileLock) check(context.Context) error { return nil }

func (fileLock) confirm(context.Context) error { return nil }

func (l fileLock) release() error { return l.Unlock() }

func (t *inTree) open(_ context.Context, name string) (io.ReadCloser, error) { return t.Open(name) }

func (t *inTree) list(_ context.Context, dir string) iter.Seq2[blob.Entry, error] {
	return func(yield func(blob.Entry, error) bool) { t.below(dir, yield) }
}

func (t *inTree) below(dir string, yield func(blob.Entry, error) bool) bool {
	entries, err := t.List(dir)
	if err != nil {
		return yield(blob.Entry{}, err)
	}
	for _, e := range entries {
		e.Name = dir + "/" + e.Name
		if e.IsDir && !t.below(e.Name, yield) || e.IsFile && !yield(e, nil) {
			return false
		}
	}
	return true
}

func (t *inTree) draft() (*blob.Draft, error) { return t.Draft() }

func (t *inTree) put(_ context.Context, drafts ...blob.Placing) error {
	for _, d := range drafts {
		t.dirs[path.Dir(d.Name)] = true
	}
	return t.Place(drafts...)
}

func (t *inTree) create(_ context.Context, name string, text []byte) error {
	return t.Write(name, text)
}

func (t *inTree) remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := t.Remove(name); err != nil {
			return err
		}
		t.dirs[path.Dir(name)] = true
	}
	return nil
}

func (t *inTree) settle() error {
	if err := t.Sync(slices.Sorted(maps.Keys(t.dirs))...); err != nil {
		return err
	}
	clear(t.dirs)
	return nil
}

func (t *inTree) clear(context.Context) error { return t.Clear() }

// atOnce implements place: a disk is not faster for several files, and what is written is synced together.
func (t *inTree) atOnce() int { return 1 }
