package storagetest

import (
	"fmt"
	"path/filepath"
)

// Must fails the test where there is an error.
func (b *Bench) Must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// Object is where an object of a commit lies.
func (b *Bench) Object(d string, commit int64, name string) string {
	return filepath.Join(b.Dir, "objects", d, fmt.Sprint(commit), name)
}

// ClosedDir closes the store, so that its directory can be opened again.
func (b *Bench) ClosedDir() string {
	b.Helper()
	if err := b.Store.Close(); err != nil {
		b.Fatal(err)
	}
	return b.Dir
}
