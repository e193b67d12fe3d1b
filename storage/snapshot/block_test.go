package snapshot

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// scoredFile is a file with statistics, of a random number of rows.
func scoredFile(random *rand.Rand, id int64, targets ...*catalog.File) *catalog.File {
	f := &catalog.File{ID: id, Kind: schema.Data, SchemaID: "s", Rows: 3}
	category, sum := fmt.Sprint("c", random.IntN(4)), random.Float64()*1e3
	score := catalog.Score{Count: 3, Sum: sum}
	f.Stats = map[int]catalog.Stats{
		2: {Count: 3, Sum: sum}, 3: {
			Count: 3, Categories: map[string]int64{category: 3}, ScoresOf: 2, Scores: map[string]catalog.Score{category: score},
		},
	}
	if len(targets) > 0 {
		f.Kind, f.Targets = schema.Rollback, map[int64]int64{}
	}
	for _, target := range targets {
		f.Targets[target.ID]++
	}
	return f
}

// longState is a state of many files, the last id of which is the number.
func longState(random *rand.Rand, files int) *Snapshot {
	s := New(State{Schema: schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)}, {ID: 2, Name: "quality_score", Type: schema.Of(schema.Double)},
		{ID: 3, Name: "category", Type: schema.Of(schema.Varchar)},
	}}}, nil)
	s.Schemas["s"] = s.Schema
	for id := int64(1); id <= int64(files); id++ {
		if n := len(s.Data); n > 9 && random.IntN(3) == 0 {
			s.Rollbacks = append(s.Rollbacks, scoredFile(random, id, s.Data[random.IntN(n)], s.Data[n-1]))
		} else {
			s.Data = append(s.Data, scoredFile(random, id))
		}
	}
	return s
}

// kept is how many blocks are kept.
func (b *Blocks) kept() (n int) {
	for _, list := range b.byKey {
		n += len(list)
	}
	return n
}

// A state that has most files in common with one that was summed up costs one block or two more, however many files
// there are. What it comes to is what it would without anything kept, to the last bit.
func TestNeighboursShareTheirSums(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, files := range []int{5_000, 50_000} {
		s := longState(random, files)
		s.Remember(NewBlocks())
		s.sums()
		for i := range 20 {
			before := s.known.kept()
			opened := []*catalog.File{scoredFile(random, int64(files+i+1))}
			closed := []*catalog.File{s.Data[random.IntN(len(s.Data))]}
			s = s.Next(s.State, opened, closed, nil)
			got := s.sums()
			if added := s.known.kept() - before; added > 2 {
				t.Errorf("%d files: %d blocks were added up anew", files, added)
			}
			plain := *s
			plain.Remember(nil)
			if want := plain.sums(); !reflect.DeepEqual(got, want) {
				t.Fatalf("%d files: %+v, and %+v with nothing kept", files, got, want)
			}
		}
	}
}

// Which rollback files have positions in which files is found whatever part of the state is asked about.
func TestDisplacersOfAPart(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	s := longState(random, 6_000)
	s.Remember(NewBlocks())
	for range 50 {
		part := *s
		first := random.IntN(len(s.Data))
		part.Data = s.Data[first : first+random.IntN(len(s.Data)-first)]
		got := part.displacers()
		for _, f := range part.Data {
			want := filter(s.Rollbacks, func(r *catalog.File) bool { return r.Targets[f.ID] > 0 })
			if !slices.Equal(got[f.ID], want) || part.displaces(f) != (len(want) > 0) {
				t.Fatalf("file %d is displaced by %v, not %v", f.ID, got[f.ID], want)
			}
		}
	}
}

// Files that may hold keys are those that their own bounds let, whichever blocks were known before.
func TestFilesWithinBoundsByBlocks(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := longState(random, 4_000)
	for i, f := range s.Files() {
		if i%700 != 5 {
			least := random.IntN(1_000_000)
			f.Bounds = &catalog.Bounds{Least: fmt.Sprint(least), Greatest: fmt.Sprint(least + random.IntN(9))}
		}
		if i%1300 == 8 {
			f.Bounds = &catalog.Bounds{Least: "a", Greatest: "b"} // of a time when keys were texts
		}
	}
	s.Remember(NewBlocks())
	next := int64(4_000)
	for range 300 {
		next++
		f := scoredFile(random, next)
		f.Bounds = &catalog.Bounds{Least: fmt.Sprint(next), Greatest: fmt.Sprint(next + 1)}
		s = s.Next(s.State, []*catalog.File{f}, nil, nil)
		key := fmt.Sprint(random.IntN(1_000_000))
		bounds := &catalog.Bounds{Least: key, Greatest: key}
		got := s.Within(bounds)
		may := func(f *catalog.File) bool { return numbers.Overlap(f.Bounds, bounds) }
		if !slices.Equal(got.Data, filter(s.Data, may)) || !slices.Equal(got.Rollbacks, filter(s.Rollbacks, may)) {
			t.Fatalf("key %s: %d and %d files", key, len(got.Data), len(got.Rollbacks))
		}
	}
}

// No more is kept than fits: what is dropped is added up again.
func TestBlocksAreDropped(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	s := longState(random, 20_000)
	s.Remember(&Blocks{byKey: map[blockKey][]*block{}, limit: 10_000})
	want := s.sums()
	if kept := s.known.kept(); kept > 15 || !reflect.DeepEqual(s.sums(), want) {
		t.Errorf("%d blocks are kept; the sums are %+v, then %+v", kept, want, s.sums())
	}
	s.known.Clear()
	if kept := s.known.kept(); kept != 0 || !reflect.DeepEqual(s.sums(), want) {
		t.Errorf("%d blocks are kept of none; the sums are %+v, then %+v", kept, want, s.sums())
	}
}

// What differs between two lists is found wherever it is in them.
func TestWithout(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	all := longState(random, 40).Data
	for range 200 {
		some := filter(all, func(*catalog.File) bool { return random.IntN(3) > 0 })
		others := filter(all, func(*catalog.File) bool { return random.IntN(3) > 0 })
		want := filter(some, func(f *catalog.File) bool { return !slices.Contains(others, f) })
		if got := Without(some, others); !slices.Equal(got, want) {
			t.Fatalf("%v without %v is %v", some, others, got)
		}
	}
}
