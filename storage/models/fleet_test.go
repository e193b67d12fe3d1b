package models

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/datadir"
	"github.com/rowback/rowback/storage/storagetest"
)

// fleet is several stores in one process, each with a directory of its own, over one catalog in PostgreSQL and one
// bucket, as several servers are. Their clocks are hours apart.
type fleet struct {
	*testing.T
	options storage.Options
	dirs    []string
	stores  []*storage.Store
	rng     *rand.Rand
	at      int // which one has its turn
}

const fleetSize = 3

// newFleet opens a fleet over an empty database and a prefix of the bucket. It is closed at the end of the test.
func newFleet(t *testing.T, database, prefix string, seed uint64) *fleet {
	t.Helper()
	o := storagetest.Eager
	o.Catalog = database
	o.Objects = &storage.ObjectStore{Objects: datadir.Objects{URL: "s3://store/" + prefix}}
	f := &fleet{T: t, options: o, rng: rand.New(rand.NewPCG(seed, 3))}
	t.Cleanup(func() {
		for _, s := range f.stores {
			_ = s.Close()
		}
	})
	for n := range fleetSize {
		f.dirs = append(f.dirs, filepath.Join(t.TempDir(), fmt.Sprint("server-", n)))
		f.stores = append(f.stores, f.open(n))
	}
	return f
}

func (f *fleet) open(n int) *storage.Store {
	f.Helper()
	o, skew := f.options, time.Duration(n-1)*time.Hour
	o.Now = func() time.Time { return time.Now().Add(skew) }
	s, err := storage.Open(f.Context(), f.dirs[n], o)
	if err != nil {
		f.Fatalf("server %d: %v", n, err)
	}
	return s
}

// turn returns the store that does the next step.
func (f *fleet) turn() *storage.Store {
	f.at = f.rng.IntN(len(f.stores))
	return f.stores[f.at]
}

// reopen closes the store whose turn it is, and opens it again.
func (f *fleet) reopen() *storage.Store {
	f.Helper()
	if err := f.stores[f.at].Close(); err != nil {
		f.Fatal(err)
	}
	f.stores[f.at] = f.open(f.at)
	return f.stores[f.at]
}

// Random fork families, histories and gates over several servers, each step on another one: what one server has done,
// all others know, with compactions, erasures and vacuums. ROWBACK_STEPS makes them longer, ROWBACK_SEED repeats one.
func TestModelsOverServers(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	steps, _ := strconv.Atoi(os.Getenv("ROWBACK_STEPS"))
	seed, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("ROWBACK_SEED=%d", seed)
	over := func(t *testing.T, name string) *bench {
		t.Helper()
		server.Create(t, name)
		all := newFleet(t, server.URL(name, ""), name, seed)
		return &bench{&storagetest.Bench{T: t, Store: all.turn()}, all}
	}
	for _, keyed := range []bool{true, false} {
		t.Run(fmt.Sprintf("a family, keyed %v", keyed), func(t *testing.T) {
			f := &family{
				bench: over(t, fmt.Sprint("family_", keyed)), rng: rand.New(rand.NewPCG(seed, 0)), keyed: keyed,
				columnIDs: map[string]int{},
			}
			if keyed == (seed%2 == 0) {
				f.gone = map[int64]bool{}
			}
			f.run(seed, cmp.Or(steps, 20))
		})
	}
	t.Run("a history", func(t *testing.T) { runHistory(over(t, "history"), seed, seed%4 < 2, cmp.Or(steps, 15)) })
	t.Run("gates", func(t *testing.T) { runGates(over(t, "gates"), seed, cmp.Or(steps, 15)) })
}
