package storage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// found walks the pages of a search, each of two, and returns the names in order.
func (b *bench) found(ctx context.Context, f storage.DatasetSearch) (names []string) {
	b.Helper()
	f.Limit = 2
	for page := 0; page < 20; page++ {
		got, err := b.FindDatasets(ctx, f)
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range got.States {
			names = append(names, s.Properties.Name)
		}
		if got.Last == nil {
			if got.Total != len(names) {
				b.Errorf("%+v: %d in all, %d on pages", f, got.Total, len(names))
			}
			return names
		}
		f.After = got.Last
	}
	b.Fatalf("%+v: the pages do not end", f)
	return nil
}

func TestDatasetsAreSearchedAndSorted(t *testing.T) {
	b := open(t)
	ctx := b.Context()
	for i, name := range []string{"Wave 10", "wave 2", "other", "Ärzte"} {
		made, err := b.CreateDataset(ctx, storage.NewDataset{
			ProjectID: 1, Name: name, Key: []string{"id"}, Description: "Number " + fmt.Sprint(i),
		}, storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		var records []string
		for j := range 3 - i {
			records = append(records, fmt.Sprintf(`{"id":%d}`, j))
		}
		if len(records) > 0 {
			b.Put(made.Dataset.ID, catalog.Append, intake.JSON, "["+strings.Join(records, ",")+"]")
		}
	}
	for _, c := range []struct {
		search storage.DatasetSearch
		want   []string
	}{
		{storage.DatasetSearch{Order: storage.ByName}, []string{"other", "wave 2", "Wave 10", "Ärzte"}},
		{storage.DatasetSearch{Order: storage.ByName, Descending: true}, []string{"Ärzte", "Wave 10", "wave 2", "other"}},
		{storage.DatasetSearch{Order: storage.ByRecords}, []string{"Ärzte", "other", "wave 2", "Wave 10"}},
		{storage.DatasetSearch{Order: storage.ByChange, Descending: true}, []string{"Ärzte", "other", "wave 2", "Wave 10"}},
		{storage.DatasetSearch{Text: "WAVE"}, []string{"Wave 10", "wave 2"}},
		{storage.DatasetSearch{Text: "number ärzte"}, []string{"Ärzte"}},
		{storage.DatasetSearch{Text: "wave 9"}, nil},
		{storage.DatasetSearch{Project: 2}, nil},
	} {
		if got := b.found(ctx, c.search); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.search, got, c.want)
		}
	}
	// The size is that of the files, and nothing where none were written.
	sizes := b.found(ctx, storage.DatasetSearch{Order: storage.ByBytes})
	if len(sizes) != 4 || sizes[0] != "Ärzte" {
		t.Errorf("by size: %q", sizes)
	}
	d, err := b.FindDataset(ctx, 1, "Wave 10")
	if err != nil || d.Bytes == 0 {
		t.Errorf("%d bytes, %v", d.Bytes, err)
	}
	client := storage.WithPermit(ctx, fixedPermit{sees: 0, uses: 0})
	if got := b.found(client, storage.DatasetSearch{Order: storage.ByName}); len(got) != 0 {
		t.Errorf("a client without a role finds %q", got)
	}
}

// A family is a dataset, its forks, theirs, and what they were forked from.
func TestAFamilyIsListed(t *testing.T) {
	b := open(t)
	ctx := b.Context()
	root := b.Create("root", "id")
	b.JSON(root, catalog.Append, `[{"id":1}]`)
	b.Create("stranger", "id")
	at := root
	for _, name := range []string{"child", "grandchild"} {
		made, err := b.Fork(ctx, at, storage.NewFork{Name: name}, storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		at = made.Dataset.ID
	}
	for _, of := range []string{root, at} {
		got := b.found(ctx, storage.DatasetSearch{Family: of, Order: storage.ByName})
		if want := []string{"child", "grandchild", "root"}; !slices.Equal(got, want) {
			t.Errorf("the family of %s: %q", of, got)
		}
	}
	if _, err := b.FindDatasets(ctx, storage.DatasetSearch{Family: "none"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the family of nothing: %v", err)
	}
}

func TestCommitsAreFiltered(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	for i, c := range []struct {
		mode catalog.Mode
		user string
	}{{catalog.Append, "eva"}, {catalog.Upsert, "eva"}, {catalog.Append, "max"}, {catalog.Delete, "eva"}} {
		_, err := b.Commit(b.Context(), d, storage.Change{
			Request: storage.Request{User: c.user, Message: fmt.Sprintf("Schritt %d ÜBER", i)},
			Mode:    c.mode, Upload: b.Upload(intake.JSON, fmt.Sprintf(`[{"id":%d}]`, i)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := b.Commits(b.Context(), d, 1<<62, 10)
	if err != nil || len(all) != 4 {
		t.Fatal(all, err)
	}
	for _, c := range []struct {
		filter storage.CommitFilter
		want   string
	}{
		{storage.CommitFilter{Modes: []catalog.Mode{catalog.Append, catalog.Delete}}, "3 2 0"},
		{storage.CommitFilter{Modes: []catalog.Mode{catalog.Append, catalog.Append}}, "2 0"},
		{storage.CommitFilter{User: "eva"}, "3 1 0"},
		{storage.CommitFilter{User: "eva", Modes: []catalog.Mode{catalog.Append}}, "0"},
		{storage.CommitFilter{Text: "über"}, "3 2 1 0"},
		{storage.CommitFilter{Text: "schritt 1"}, "1"},
		{storage.CommitFilter{Text: "über", Limit: 1}, "3"},
		{storage.CommitFilter{Text: "über", User: "max"}, "2"},
		{storage.CommitFilter{Since: all[1].CreatedAt, Until: all[1].CreatedAt}, "2"},
		{storage.CommitFilter{Until: all[2].CreatedAt, Limit: 1}, "1"},
		{storage.CommitFilter{Before: all[2].ID, User: "eva"}, "0"},
		{storage.CommitFilter{Text: "none"}, ""},
	} {
		if c.filter.Limit == 0 {
			c.filter.Limit = 10
		}
		if c.filter.Before == 0 {
			c.filter.Before = 1 << 62
		}
		got, err := b.FindCommits(b.Context(), d, c.filter)
		var steps []string
		for _, k := range got {
			steps = append(steps, strings.Fields(k.Message)[1])
		}
		if err != nil || strings.Join(steps, " ") != c.want {
			t.Errorf("%+v: %v, %v", c.filter, steps, err)
		}
	}
}
