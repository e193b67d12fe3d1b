package storage_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// togetherStore is a store of people who work together, with proposals, discussions, gates and a retention, and
// ledger.txt: what it showed when the program made it whose catalog had version 22.
const togetherStore = "store-of-people-together.tar.gz"

// makeTogether makes togetherStore.
func makeTogether(t *testing.T, dir string) {
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	b := reopen(t, dir, storage.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	d := b.Create("people", "id")
	first := b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	f, err := b.Fork(t.Context(), d, storage.NewFork{Name: "fork"}, by("ben"))
	b.Must(err)
	b.JSON(f.Dataset.ID, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	p, err := b.OpenProposal(t.Context(), d, storage.NewProposal{Source: f.Dataset.ID, Title: "Capitals"}, by("ben"))
	b.Must(err)
	_, err = b.MergeProposal(t.Context(), d, p.Number, storage.Merge{}, by("ada"))
	b.Must(err)
	_, err = b.OpenProposal(t.Context(), f.Dataset.ID, storage.NewProposal{Source: d, Title: "Back"}, by("ada"))
	if err != nil {
		b.JSON(d, catalog.Append, `[{"id":3,"x":"c"}]`)
		_, err = b.OpenProposal(t.Context(), f.Dataset.ID, storage.NewProposal{Source: d, Title: "Back"}, by("ada"))
		b.Must(err)
	}
	head := b.JSON(d, catalog.Append, `[{"id":4,"x":"d"}]`)
	of := catalog.Compared{DatasetID: d, FromCommit: first.ID, ToDatasetID: d, ToCommit: head.ID}
	_, err = b.Discuss(t.Context(), of, storage.NewComment{Text: "Is it right?"}, by("ada"))
	b.Must(err)
	_, err = b.CreateTag(t.Context(), d, storage.NewTag{Name: "Paper"}, by("ada"))
	b.Must(err)
	commits := int64(100)
	b.Retains(d, catalog.Retention{Commits: &commits, Tags: true})
	b.ClosedDir()
}

// together is what such a store shows.
func (b *bench) together() string {
	b.Helper()
	states, err := b.Datasets(b.Context(), catalog.DatasetFilter{Limit: 1000})
	b.Must(err)
	out := []string{b.shown()}
	for _, s := range states {
		list, err := b.AllProposals(b.Context(), s.Dataset.ID)
		b.Must(err)
		for _, p := range list {
			out = append(out, fmt.Sprintf("%s proposal %d %q by %s is %s", s.Dataset.Name, p.Number, p.Title, p.User, p.State))
		}
		discussed, err := b.Discussions(b.Context(), s.Dataset.ID)
		b.Must(err)
		for _, one := range discussed {
			out = append(out, fmt.Sprintf("%s %d..%d: %d comments", s.Dataset.Name, one.FromCommit, one.ToCommit, one.Comments))
		}
		tags, err := b.Tags(b.Context(), s.Dataset.ID)
		b.Must(err)
		for _, tag := range tags {
			out = append(out, fmt.Sprintf("%s tag %s is %d", s.Dataset.Name, tag.Name, tag.CommitID))
		}
	}
	return strings.Join(out, "\n")
}

// A store with proposals and discussions opens, is sound and shows what it did, with its catalog and without. A new one
// is written with ROWBACK_GOLDEN=together.
func TestTheStoreOfPeopleTogetherReadsAsItDid(t *testing.T) {
	if os.Getenv("ROWBACK_GOLDEN") == "together" {
		writeTogether(t)
	}
	for _, lost := range []bool{false, true} {
		dir, want := unpackStore(t, togetherStore)
		if lost {
			storagetest.WithCatalog(t, dir, nil)
		}
		b := reopen(t, dir, storage.Options{})
		b.Sound()
		if got := b.together(); got != want {
			t.Errorf("lost catalog: %v: %s", lost, firstDifference(got, want))
		}
		b.ClosedDir()
	}
}

func writeTogether(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	makeTogether(t, dir)
	b := reopen(t, storagetest.Copied(t, dir), storage.Options{})
	b.Must(os.WriteFile(filepath.Join(dir, "ledger.txt"), []byte(b.together()), 0o600))
	out, err := os.Create(filepath.Join("testdata", togetherStore))
	b.Must(err)
	zipped := gzip.NewWriter(out)
	files := tar.NewWriter(zipped)
	b.Must(files.AddFS(os.DirFS(dir)))
	b.Must(errors.Join(files.Close(), zipped.Close(), out.Close()))
}
