package models

import (
	"math/rand/v2"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/storagetest"
)

// A random history on a bucket is one in a directory; now and then the catalog is lost.
func TestAHistoryInABucket(t *testing.T) {
	buckettest.Start(t)
	o := storagetest.Eager
	o.Objects = &storage.ObjectStore{Objects: datadir.Objects{URL: "s3://store/p"}}
	runHistory(reopen(t, t.TempDir(), o), rand.Uint64(), true, 20)
}
