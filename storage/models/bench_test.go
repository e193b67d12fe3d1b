// Package models compares stores with plain models of them, over random histories. It has tests only.
package models

import (
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/storagetest"
)

// bench is a store in a temporary directory, with short words for what tests do to it.
type bench struct{ *storagetest.Bench }

func open(t *testing.T) *bench { return &bench{storagetest.Open(t)} }

func reopen(t *testing.T, dir string, o storage.Options) *bench {
	return &bench{storagetest.Reopen(t, dir, o)}
}
