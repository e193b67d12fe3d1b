package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// long adds commits to a dataset, a few of which are played by merges, and returns the ids of those that are listed.
func (f *fixture) long(dataset string, from, to int64, random *rand.Rand) (listed []int64) {
	f.must(func(tx Tx) error {
		for id := from; id <= to; id++ {
			c := f.commit(id, Append)
			c.DatasetID, c.Previous, c.Hash = dataset, id-1, fmt.Sprint("hash", id)
			if random.IntN(5) == 0 {
				c.MergeCommitID = to + 1
			} else {
				listed = append(listed, id)
			}
			if err := tx.AddCommit(c); err != nil {
				return err
			}
		}
		merge := f.commit(to+1, Merge)
		merge.DatasetID, merge.Previous, merge.Hash = dataset, to, fmt.Sprint("hash", to+1)
		listed = append(listed, merge.ID)
		return tx.AddCommit(merge)
	})
	return listed
}

// The n-th commit before another is that of the list, while the list grows, and in a fork of it.
func TestEarlierCommitsOfLongLists(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := open(t)
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("a", "a")) })
	var listed []int64
	check := func(dataset string) {
		for range 200 {
			i := random.IntN(len(listed))
			n := random.IntN(i + 2)
			err := f.Read(t.Context(), func(tx Tx) error {
				before, err := tx.CountEarlier(dataset, listed[i])
				f.want(fmt.Sprint("before ", listed[i]), []int64{before}, []int64{int64(i)}, err)
				got, err := tx.EarlierCommit(dataset, listed[i], int64(n))
				switch {
				case n > i && !errors.Is(err, ErrNotFound):
					t.Errorf("%d before %d: %d, %v", n, listed[i], got, err)
				case n > 0 && n <= i:
					f.want(fmt.Sprintf("%d before %d", n, listed[i]), []int64{got}, []int64{listed[i-n]}, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	next := int64(1)
	for range 4 {
		to := next + 200 + random.Int64N(700)
		listed = append(listed, f.long("a", next, to, random)...)
		next = to + 2
		check("a")
	}
	f.must(func(tx Tx) error {
		fork := f.dataset("b", "b")
		fork.UpstreamID, fork.ForkCommit = "a", listed[len(listed)-1]
		return tx.AddDataset(fork)
	})
	listed = append(listed, f.long("b", next, next+900, random)...)
	check("b")
}

// counted counts the rows that are read.
type counted struct {
	driver.Rows
	rows *int
}

func (c counted) Next(dest []driver.Value) error {
	err := c.Rows.Next(dest)
	if err == nil {
		*c.rows++
	}
	return err
}

// A commit far back is found by reading ids between marks: as many in a list of 20,000 as in one of 2,000.
func TestFarBackReadsFewRows(t *testing.T) {
	f := open(t)
	random := rand.New(rand.NewPCG(1, 1))
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("a", "a")) })
	f.long("a", 1, 20_000, random)
	path := filepath.Join(t.TempDir(), "catalog.db")
	if _, err := f.write.Exec(`VACUUM INTO '` + path + `'`); err != nil {
		t.Fatal(err)
	}
	r := &recorder{path: path}
	db := sql.OpenDB(r)
	defer db.Close()
	raw, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Rollback()
	tx := Tx{sql: raw, ranks: newRanks()}
	if _, err := tx.CountEarlier("a", 20_001); err != nil { // finds the marks
		t.Fatal(err)
	}
	for _, n := range []int64{300, 1_500, 12_000} {
		r.queries, r.rows = nil, 0
		if _, err := tx.EarlierCommit("a", 20_001, n); err != nil || r.rows > 5*markEvery {
			t.Errorf("%d back: read %d rows, %v", n, r.rows, err)
		}
		for _, q := range r.queries {
			if strings.Contains(q.query, "OFFSET") {
				t.Errorf("%d back: rows are skipped by\n%s", n, q.query)
			}
		}
	}
}
