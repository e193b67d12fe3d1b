// Package models compares stores with plain models of them, over random histories. It has tests only.
package models

import (
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/storagetest"
)

// bench is a store in a temporary directory, with short words for what tests do to it.
type bench struct {
	*storagetest.Bench
	fleet *fleet // servers that take turns; nil: there is one
}

func open(t *testing.T) *bench { return &bench{Bench: storagetest.Open(t)} }

func reopen(t *testing.T, dir string, o storage.Options) *bench {
	return &bench{Bench: storagetest.Reopen(t, dir, o)}
}

// turn has another server go on, where there are several.
func (b *bench) turn() {
	if b.fleet != nil {
		b.Store = b.fleet.turn()
	}
}
