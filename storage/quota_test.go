package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

func number(n int64) *int64 { return &n }

// quotaWorld is a store with a dataset in each of two projects, and a quota of 10 records in the first.
func quotaWorld(t *testing.T) (s *storage.Store, mine, others string) {
	t.Helper()
	s, err := storage.Open(context.Background(), t.TempDir(), storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for project, id := range map[int64]*string{1: &mine, 2: &others} {
		made, err := s.CreateDataset(context.Background(), storage.NewDataset{Name: "d", ProjectID: project, Key: []string{"id"}},
			storage.Request{User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		*id = made.Dataset.ID
	}
	s.Quotas.Set(map[int64]storage.Quota{1: {Records: number(10)}})
	return s, mine, others
}

// add commits records with the keys from first to last.
func add(s *storage.Store, dataset string, mode catalog.Mode, first, last int) (catalog.Commit, error) {
	body := "id,v\n"
	for i := first; i <= last; i++ {
		body += fmt.Sprintf("%d,x\n", i)
	}
	return s.Commit(context.Background(), dataset, storage.Change{
		Request: storage.Request{User: "ada"}, Mode: mode,
		Upload: intake.Upload{Format: intake.CSV, Body: []byte(body), Size: int64(len(body))},
	})
}

func usage(t *testing.T, s *storage.Store, project int64) catalog.Usage {
	t.Helper()
	u, err := s.Quotas.Usage(context.Background(), project)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestACommitThatWouldExceedTheQuotaIsNotRecorded(t *testing.T) {
	s, mine, others := quotaWorld(t)
	ctx := context.Background()
	if _, err := add(s, mine, catalog.Append, 1, 8); err != nil {
		t.Fatal(err)
	}
	before := usage(t, s, 1)
	if _, err := add(s, mine, catalog.Append, 9, 11); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("11 of 10 records: %v", err)
	}
	if after := usage(t, s, 1); after != before || before.Records != 8 || before.Bytes == 0 {
		t.Errorf("%+v became %+v", before, after)
	}
	// Changing and deleting records, filling up to the quota, and other projects.
	for i, work := range []func() error{
		func() error { _, err := add(s, others, catalog.Append, 1, 100); return err },
		func() error { _, err := add(s, mine, catalog.Overwrite, 1, 8); return err },
		func() error { _, err := add(s, mine, catalog.Append, 9, 10); return err },
		func() error { _, err := add(s, mine, catalog.Delete, 1, 5); return err },
		func() error { _, err := add(s, mine, catalog.Append, 21, 25); return err },
	} {
		if err := work(); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	// What a fork, a restore and a rollback would make live counts too.
	if _, err := s.Fork(ctx, mine, storage.NewFork{}, storage.Request{User: "ada"}); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("a fork: %v", err)
	}
	if _, err := s.Fork(ctx, mine, storage.NewFork{ProjectID: 2}, storage.Request{User: "ada"}); err != nil {
		t.Errorf("a fork in another project: %v", err)
	}
	if u := usage(t, s, 2); u.Records != 110 {
		t.Errorf("a fork counts in its project: %+v", u)
	}
}

// A dry run of a merge is refused as the merge is.
func TestAMergeThatWouldExceedTheQuotaIsNotRecorded(t *testing.T) {
	s, mine, _ := quotaWorld(t)
	ctx := context.Background()
	if _, err := add(s, mine, catalog.Append, 1, 8); err != nil {
		t.Fatal(err)
	}
	fork, err := s.Fork(ctx, mine, storage.NewFork{ProjectID: 2}, storage.Request{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := add(s, fork.Dataset.ID, catalog.Append, 9, 12); err != nil {
		t.Fatal(err)
	}
	for _, preview := range []*storage.Preview{{}, nil} {
		_, err := s.Merge(ctx, mine, storage.Merge{Source: fork.Dataset.ID}, storage.Request{Preview: preview})
		if !errors.Is(err, storage.ErrQuota) {
			t.Errorf("dry run %t: %v", preview != nil, err)
		}
	}
}

// Rollbacks, restores and undeletions bring records back, which count; the files that they bring back are stored
// already, and do not.
func TestWhatIsBroughtBackCountsByItsRecords(t *testing.T) {
	s, mine, _ := quotaWorld(t)
	ctx := context.Background()
	made := func(mode catalog.Mode, first, last int) catalog.Commit {
		t.Helper()
		c, err := add(s, mine, mode, first, last)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	full := made(catalog.Append, 1, 8)
	deleted := made(catalog.Delete, 1, 6)
	made(catalog.Append, 21, 25)
	_, err := s.Rollback(ctx, mine, deleted.ID, storage.Stack, storage.Request{})
	var refused *fault.Error
	if !errors.As(err, &refused) || refused.Code != storage.ErrQuota.Code ||
		!strings.Contains(refused.Detail, "may store 10 records: it has 7, and this adds 6") {
		t.Errorf("a rollback to 13 of 10 records: %v", err)
	}
	used := usage(t, s, 1)
	s.Quotas.Set(map[int64]storage.Quota{1: {Bytes: &used.Bytes, Records: number(8)}})
	if _, err := s.Restore(ctx, mine, fmt.Sprint(full.ID), storage.Request{}); err != nil {
		t.Errorf("a restore to 8 of 8 records, on a full quota of bytes: %v", err)
	}
	if err := s.DeleteDataset(ctx, mine, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	s.Quotas.Set(map[int64]storage.Quota{1: {Records: number(7)}})
	if _, err := s.UndeleteDataset(ctx, mine, storage.Request{}); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("brought back with 8 of 7 records: %v", err)
	}
	s.Quotas.Set(map[int64]storage.Quota{1: {Records: number(8)}})
	if _, err := s.UndeleteDataset(ctx, mine, storage.Request{}); err != nil || usage(t, s, 1).Records != 8 {
		t.Errorf("brought back with 8 of 8 records: %v, %+v", err, usage(t, s, 1))
	}
}

func TestBytesCountWhatIsStoredOfPastStatesToo(t *testing.T) {
	s, mine, _ := quotaWorld(t)
	if _, err := add(s, mine, catalog.Append, 1, 8); err != nil {
		t.Fatal(err)
	}
	one := usage(t, s, 1).Bytes
	s.Quotas.Set(map[int64]storage.Quota{1: {Bytes: number(one + one/2)}})
	var err error
	tries := 0
	for ; err == nil && tries < 10; tries++ { // the same records again are no change: others
		if _, err = add(s, mine, catalog.Append, 100+tries, 100+tries); err == nil {
			_, err = add(s, mine, catalog.Delete, 100+tries, 100+tries)
		}
	}
	if !errors.Is(err, storage.ErrQuota) || usage(t, s, 1).Records != 8 {
		t.Errorf("after %d commits: %v, %+v", tries, err, usage(t, s, 1))
	}
	s.Quotas.Set(nil)
	if _, err := add(s, mine, catalog.Append, 100, 200); err != nil {
		t.Errorf("without a quota: %v", err)
	}
}

// Commits that are made at once, in groups and in several datasets, do not exceed the quota together.
func TestCommitsAtOnceKeepTheQuota(t *testing.T) {
	s, mine, _ := quotaWorld(t)
	ctx := context.Background()
	all := []string{mine}
	for i := range 3 {
		made, err := s.CreateDataset(ctx, storage.NewDataset{Name: fmt.Sprint(i), ProjectID: 1, Key: []string{"id"}},
			storage.Request{User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, made.Dataset.ID)
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	stands, refused := 0, 0
	for i := range 32 {
		work.Go(func() {
			_, err := add(s, all[i%len(all)], catalog.Append, i+1, i+1)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				stands++
			case errors.Is(err, storage.ErrQuota):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	work.Wait()
	if u := usage(t, s, 1); u.Records > 10 || int64(stands) != u.Records || stands+refused != 32 {
		t.Errorf("%d stand, %d were refused, and there are %d records", stands, refused, u.Records)
	}
}

// The sums are those of the files, whatever has changed them, and after the catalog was made anew.
func TestUsageIsTheSumOfTheFiles(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	s, err := storage.Open(ctx, dir, storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.CreateDataset(ctx, storage.NewDataset{Name: "d", ProjectID: 1, Key: []string{"id"}}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	id := made.Dataset.ID
	for i := range 5 {
		if _, err := add(s, id, catalog.Upsert, i*3, i*3+5); err != nil {
			t.Fatal(err)
		}
	}
	before := usage(t, s, 1)
	if _, err := s.Removals.Erase(ctx, id, storage.Erasure{Where: "id = 3", Reason: "test"}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	after := usage(t, s, 1)
	if after.Records != before.Records-1 || after.Bytes == before.Bytes {
		t.Errorf("%+v became %+v", before, after)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	storagetest.WithCatalog(t, dir, nil)
	if s, err = storage.Open(ctx, dir, storage.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if again := usage(t, s, 1); again != after {
		t.Errorf("made anew: %+v, not %+v", again, after)
	}
}

// Other servers may change a quota, and be about to record what nobody here knows of: the quota is asked for at each
// commit, and what is stored is measured again where it is recorded.
func TestOtherServersChangeAQuotaAndFillIt(t *testing.T) {
	beside := func() {}
	s, err := storage.Open(t.Context(), t.TempDir(), storage.Options{Threads: 1, Hook: func(string, string) error {
		now := beside
		beside = func() {}
		now()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var ids []string
	for _, name := range []string{"d", "e"} {
		made, err := s.CreateDataset(t.Context(), storage.NewDataset{Name: name, ProjectID: 1, Key: []string{"id"}},
			storage.Request{User: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, made.Dataset.ID)
	}
	limit, asked := storage.Quota{}, func() {}
	ask := func(context.Context, int64) (storage.Quota, error) { asked(); return limit, nil }
	s.Quotas.Ask = ask
	if _, err := add(s, ids[0], catalog.Append, 1, 20); err != nil {
		t.Errorf("without a quota: %v", err)
	}
	limit.Records = number(30)
	// Once this one has been measured, what another server does is not counted here, and is recorded before it.
	asked = func() {
		beside = func() {
			s.Quotas.Ask = nil
			if _, err := add(s, ids[1], catalog.Append, 1, 6); err != nil {
				t.Error(err)
			}
			s.Quotas.Ask = ask
		}
	}
	if _, err := add(s, ids[0], catalog.Append, 21, 26); !errors.Is(err, storage.ErrQuota) ||
		!strings.Contains(err.Error(), "it has 26, and this adds 6") {
		t.Errorf("32 of 30 records: %v", err)
	}
	asked = func() {}
	if u := usage(t, s, 1); u.Records != 26 {
		t.Errorf("%+v", u)
	}
	if _, err := add(s, ids[0], catalog.Append, 21, 24); err != nil {
		t.Errorf("30 of 30 records, after one that was refused: %v", err)
	}
	away := errors.New("away")
	s.Quotas.Ask = func(context.Context, int64) (storage.Quota, error) { return storage.Quota{}, away }
	if _, err := add(s, ids[0], catalog.Append, 31, 31); !errors.Is(err, away) {
		t.Errorf("a quota that can't be asked for: %v", err)
	}
}
