package storage_test

import (
	"slices"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

func (b *bench) effects(of string, c catalog.Commit, cleared, filled []string) {
	b.Helper()
	e := c.Effects
	if !slices.Equal(e.ColumnsCleared, cleared) || !slices.Equal(e.ColumnsFilled, filled) {
		b.Errorf("%s: cleared %v, filled %v; want %v, %v", of, e.ColumnsCleared, e.ColumnsFilled, cleared, filled)
	}
}

// A merge says which columns it cleared and filled here, where it may do less than the action did in the source.
func TestEffectsOfAMergeAreThoseOnTheTarget(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		name, here      string
		take            storage.Take
		cleared, filled []string
	}{
		{"linked", "", "", []string{"x"}, nil},
		{"ours keeps the value", `[{"id":1,"x":"ours"}]`, storage.Ours, nil, nil},
		{"theirs clears it", `[{"id":1,"x":"ours"}]`, storage.Theirs, []string{"x"}, nil},
		{"cleared here already", `[{"id":1,"x":null}]`, "", nil, nil},
		{"filled, as it was cleared here", `[{"id":1,"y":null}]`, storage.Theirs, []string{"x"}, []string{"y"}},
	} {
		t.Run(of.name, func(t *testing.T) {
			b := open(t)
			d, f := b.sides("")
			b.JSON(f, catalog.Upsert, `[{"id":1,"x":null,"y":5}]`)
			if of.here != "" {
				b.JSON(d, catalog.Upsert, of.here)
			}
			out := b.MergeWith(f, d, storage.Merge{OnConflict: of.take})
			b.effects("played", out.Played[0], of.cleared, of.filled)
			b.effects("merge", out.Commit, of.cleared, of.filled)
		})
	}
}

// A restore takes a column from the source, which stays here as another record has a value in it: the values that go
// are cleared here.
func TestAMergedRestoreClearsAColumnThatStays(t *testing.T) {
	b := open(t)
	d := b.Create("items", "id")
	first := b.JSON(d, catalog.Append, `[{"id":1,"x":"a"}]`)
	f := b.MakeFork(d, "fork", "head")
	b.JSON(d, catalog.Upsert, `[{"id":1,"n":5}]`)
	b.MakeMerge(d, f)
	b.JSON(f, catalog.Append, `[{"id":2,"n":7}]`)
	_, err := b.Restore(t.Context(), d, ref(first), storage.Request{})
	b.Must(err)
	out := b.MakeMerge(d, f)
	b.Want(f, "head", `{"id":1,"x":"a","n":null}`, `{"id":2,"x":null,"n":7}`)
	b.effects("played", out.Played[0], []string{"n"}, nil)
	b.effects("merge", out.Commit, []string{"n"}, nil)
}

// Effects follow columns that were renamed since: an undone commit, or a played one, may have known them by other
// names.
func TestEffectsFollowRenamedColumns(t *testing.T) {
	t.Run("rollback", func(t *testing.T) {
		b := open(t)
		d := b.Create("items", "id")
		b.JSON(d, catalog.Append, `[{"id":1,"x":null,"y":1},{"id":2,"x":"b","y":2}]`)
		c := b.JSON(d, catalog.Upsert, `[{"id":1,"x":"new","y":null}]`)
		b.rename(d, "x", "z")
		b.rename(d, "y", "x")
		r, err := b.TryRollback(d, c.ID, storage.Stack)
		if err != nil {
			t.Fatal(err)
		}
		b.effects("rollback", r, []string{"z"}, []string{"x"})
	})
	t.Run("linked files", func(t *testing.T) {
		b := open(t)
		d, f := b.sides("")
		b.JSON(f, catalog.Upsert, `[{"id":1,"x":null}]`)
		b.rename(d, "x", "z")
		out := b.MakeMerge(f, d)
		b.effects("played", out.Played[0], []string{"z"}, nil)
		b.effects("merge", out.Commit, []string{"z"}, nil)
	})
	t.Run("renamed by the merge", func(t *testing.T) {
		b := open(t)
		d, f := b.sides("")
		b.JSON(f, catalog.Upsert, `[{"id":1,"x":null}]`)
		b.rename(f, "x", "z")
		out := b.MakeMerge(f, d)
		b.effects("played", out.Played[0], []string{"x"}, nil)
		b.effects("merge", out.Commit, []string{"z"}, nil)
	})
}
