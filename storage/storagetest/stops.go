package storagetest

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// ErrCrash is what every durable step fails with once the machine has stopped.
var ErrCrash = errors.New("the machine stopped here")

// Stops is a hook that lets a number of durable steps happen, from when it is armed. Then the machine stops: no step
// happens any more. With Once, only that one step fails.
type Stops struct {
	mu      sync.Mutex
	Armed   bool
	Once    bool
	Left    int
	Crashed bool
}

// Hook is for storage.Options.
func (s *Stops) Hook(op, path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Armed {
		return nil
	}
	if s.Left--; s.Left < 0 && (!s.Once || !s.Crashed) {
		s.Crashed = true
		return ErrCrash
	}
	return nil
}

// Told is all that people see of a store, without what differs from run to run.
func (b *Bench) Told() string {
	b.Helper()
	ctx := context.Background()
	var out []any
	for _, deleted := range []bool{false, true} {
		states, err := b.Datasets(ctx, catalog.DatasetFilter{Deleted: deleted, Limit: 100})
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range states {
			out = append(out, s.Dataset.Name, deleted, s.Dataset.Head)
			if !deleted {
				out = append(out, b.ToldOf(s))
			}
		}
	}
	return ToJSON(out)
}

// ToldOf is all that people see of a dataset.
func (b *Bench) ToldOf(s snapshot.State) (out []any) {
	b.Helper()
	ctx := context.Background()
	d := s.Dataset.ID
	actions, errActions := b.Actions(ctx, d, storage.ActionFilter{})
	saves, errSaves := b.Savepoints(ctx, d)
	versions, errVersions := b.Versions(ctx, d)
	backups, errBackups := b.Backups.List(ctx, d)
	tags, errTags := b.Tags(ctx, d)
	proposals, errProposals := b.Proposals(ctx, d, "", catalog.Forever, 100)
	discussions, errDiscussions := b.Discussions(ctx, d)
	err := errors.Join(errActions, errSaves, errVersions, errBackups, errTags, errProposals, errDiscussions)
	if err != nil {
		b.Fatal(err)
	}
	for _, of := range discussions {
		out = append(out, of.Compared, of.Revision, of.Comments)
	}
	for _, p := range proposals {
		out = append(out, p.Number, p.SourceID, p.Title, p.State, p.MergeCommitID, p.Revision, p.Comments)
	}
	for _, t := range tags {
		out = append(out, t.Name, t.CommitID, t.Description)
	}
	for _, a := range actions {
		out = append(out, a.ID, a.Mode, a.Previous, a.Total, a.RollbackCommitID, a.MergeCommitID)
	}
	for _, p := range saves {
		out = append(out, storage.SavepointName(p.Number), p.CommitID, p.Description)
	}
	for _, v := range versions {
		out = append(out, storage.VersionNumber(v), v.ID, v.CommitID, v.IsActive, v.Description)
	}
	for _, k := range backups {
		out = append(out, k.Ref, k.CommitID, k.Description)
	}
	return append(out, s.Schema.Columns, b.Rows(d, "head", true))
}

// Copied copies a closed store.
func Copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error { // CopyFS opens them to everyone
		if err != nil || !e.IsDir() {
			return err
		}
		return os.Chmod(path, 0o700)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// WithCatalog replaces the catalog of a closed store; nil: it is lost.
func WithCatalog(t *testing.T, dir string, catalog []byte) {
	t.Helper()
	for _, f := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if catalog == nil {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "catalog.db"), catalog, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Shows opens a closed store and returns what it tells; sound checks it before.
func Shows(t *testing.T, dir string, sound bool) string {
	t.Helper()
	b := Reopen(t, dir, storage.Options{})
	defer b.Store.Close()
	if sound {
		b.Sound()
	}
	return b.Told()
}

// Steps are those at which a test of crashes or failures stops: the first, and every sixteenth from a random one on;
// ROWBACK_EVERY says every how many, 1 for all. It does not end by itself.
func Steps(t *testing.T) iter.Seq[int] {
	every := 16
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_EVERY")); err == nil {
		every = n
	}
	first := 1 + rand.IntN(every)
	t.Logf("every %d steps from %d", every, first)
	return func(yield func(int) bool) {
		if !yield(0) {
			return
		}
		for step := first; yield(step); step += every {
		}
	}
}

// Quarantined lists what is in a store's quarantine.
func Quarantined(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "quarantine"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, "\n")
}
