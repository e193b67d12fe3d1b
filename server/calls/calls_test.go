package calls_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	os.Exit(m.Run())
}

func open(t *testing.T) *storage.Store {
	t.Helper()
	store, err := storage.Open(context.Background(), t.TempDir(), storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// creating returns a call that creates a dataset, and counts how often it does.
func creating(store *storage.Store, name string, made *atomic.Int32) calls.Call[snapshot.State] {
	return calls.Call[snapshot.State]{
		Request: storage.Request{User: "ada"},
		Do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			made.Add(1)
			return store.CreateDataset(ctx, storage.NewDataset{Name: name, ProjectID: 1}, r)
		},
		Tell: func(s snapshot.State) (json.RawMessage, error) { return json.Marshal(s.Properties.Name) },
	}
}

func TestACallWithAKeyIsDoneOnce(t *testing.T) {
	store, ctx := open(t), context.Background()
	var made, freed atomic.Int32
	call := creating(store, "a", &made)
	call.Key, call.Fingerprint, call.After = "k", "1", func() { freed.Add(1) }
	var wait sync.WaitGroup
	var replays atomic.Int32
	for range 8 {
		wait.Go(func() {
			answer, replayed, err := calls.Now(ctx, store, call)
			if err != nil || string(answer) != `"a"` {
				t.Errorf("%s, %v", answer, err)
			}
			if replayed {
				replays.Add(1)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 || replays.Load() != 7 || freed.Load() != 8 {
		t.Errorf("made %d times, replayed %d, freed %d", made.Load(), replays.Load(), freed.Load())
	}
	call.Fingerprint = "2"
	if _, _, err := calls.Now(ctx, store, call); storage.Explain(err).Code != "idempotency_key_reused" {
		t.Errorf("another request under the key: %v", err)
	}
	call.Fingerprint, call.Request.User = "1", "ben"
	if _, _, err := calls.Now(ctx, store, call); storage.Explain(err).Kind != fault.Exists {
		t.Errorf("another user's key: %v", err)
	}
}

func TestACallThatFailedIsDoneAgain(t *testing.T) {
	store, ctx := open(t), context.Background()
	var made atomic.Int32
	call := creating(store, "a", &made)
	call.Key = "k"
	do := call.Do
	call.Do = func(context.Context, storage.Request) (s snapshot.State, err error) { return s, errors.New("not now") }
	if _, _, err := calls.Now(ctx, store, call); err == nil {
		t.Error("no error")
	}
	call.Do = do
	if answer, replayed, err := calls.Now(ctx, store, call); err != nil || replayed || string(answer) != `"a"` {
		t.Errorf("%s, %t, %v", answer, replayed, err)
	}
}

func TestAResultOfAnotherTypeIsAnError(t *testing.T) {
	store := open(t)
	call := calls.Call[catalog.Commit]{
		Key: "k",
		Do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			s, err := store.CreateDataset(ctx, storage.NewDataset{Name: "a", ProjectID: 1}, r)
			return s.Commit, err
		},
		Tell: func(catalog.Commit) (json.RawMessage, error) { return json.RawMessage(`1`), nil },
	}
	if _, _, err := calls.Now(context.Background(), store, call); err == nil ||
		!strings.Contains(err.Error(), "snapshot.State") {
		t.Errorf("%v", err)
	}
}

// background runs work as a server does, and waits for it at the end of the test.
func background(t *testing.T) func(func(context.Context) error, func(error)) {
	var wait sync.WaitGroup
	t.Cleanup(wait.Wait)
	return func(work func(context.Context) error, ended func(error)) {
		wait.Go(func() { ended(work(context.Background())) })
	}
}

func jobs(t *testing.T, store *storage.Store) calls.Jobs {
	return calls.Jobs{
		Store: store, Log: slog.New(slog.DiscardHandler), Background: background(t),
		Problem: func(err error, job string) (int, map[string]any) {
			return http.StatusTeapot, map[string]any{"failed": err.Error(), "job": job}
		},
	}
}

// promise is the id of a job.
func promise(j catalog.Job) (json.RawMessage, error) { return json.Marshal(j.ID) }

func jobOf(t *testing.T, store *storage.Store, answer json.RawMessage) catalog.Job {
	t.Helper()
	var id string
	if err := json.Unmarshal(answer, &id); err != nil {
		t.Fatal(err)
	}
	j, err := store.Requests.Job(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestAJobKeepsWhatItsClientIsTold(t *testing.T) {
	store, ctx := open(t), context.Background()
	var made, freed atomic.Int32
	call := creating(store, "a", &made)
	call.Key, call.After = "k", func() { freed.Add(1) }
	first, replayed, err := calls.Start(ctx, jobs(t, store), "Creating", call, time.Minute, promise)
	if err != nil || replayed {
		t.Fatalf("%t, %v", replayed, err)
	}
	if j := jobOf(t, store, first); j.Progress != catalog.JobDone || string(j.Answer) != `"a"` {
		t.Errorf("%+v", j)
	}
	again, replayed, err := calls.Start(ctx, jobs(t, store), "Creating", call, time.Minute, promise)
	if err != nil || !replayed || string(again) != string(first) {
		t.Errorf("%s and %s, %t, %v", first, again, replayed, err)
	}
	if made.Load() != 1 || freed.Load() != 2 {
		t.Errorf("made %d times, freed %d", made.Load(), freed.Load())
	}
}

func TestAJobThatWritesNothingIsDoneToo(t *testing.T) {
	store := open(t)
	call := calls.Call[string]{
		Do:   func(context.Context, storage.Request) (string, error) { return "looked", nil },
		Tell: func(s string) (json.RawMessage, error) { return json.Marshal(s) },
	}
	answer, _, err := calls.Start(context.Background(), jobs(t, store), "Looking", call, time.Minute, promise)
	if err != nil {
		t.Fatal(err)
	}
	if j := jobOf(t, store, answer); j.Progress != catalog.JobDone || string(j.Answer) != `"looked"` {
		t.Errorf("%+v", j)
	}
}

func TestAJobThatFailsSaysWhy(t *testing.T) {
	store := open(t)
	var made, freed atomic.Int32
	call := creating(store, "", &made)
	call.After = func() { freed.Add(1) }
	answer, _, err := calls.Start(context.Background(), jobs(t, store), "Creating", call, time.Minute, promise)
	if err != nil {
		t.Fatal(err)
	}
	if j := jobOf(t, store, answer); j.Progress != catalog.JobFailed || j.Message == "" ||
		!strings.HasPrefix(string(j.Answer), `{"status":418,"body":{"failed":`) {
		t.Errorf("%+v", j)
	}
	if freed.Load() != 1 {
		t.Errorf("freed %d times", freed.Load())
	}
}

func TestAJobIsNotWaitedForLongerThanAsked(t *testing.T) {
	store, release := open(t), make(chan struct{})
	call := calls.Call[string]{
		Do:   func(context.Context, storage.Request) (string, error) { <-release; return "done", nil },
		Tell: func(s string) (json.RawMessage, error) { return json.Marshal(s) },
	}
	answer, _, err := calls.Start(context.Background(), jobs(t, store), "Waiting", call, 0, promise)
	if err != nil {
		t.Fatal(err)
	}
	if j := jobOf(t, store, answer); j.Progress == catalog.JobDone || j.Progress == catalog.JobFailed {
		t.Errorf("%+v", j)
	}
	close(release)
}

// The server stops while a change is recorded: what is done is not recorded as failed, or its client would do it again.
func TestAJobWhoseChangeStandsIsDone(t *testing.T) {
	store := open(t)
	base, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	j := jobs(t, store)
	j.Background = func(work func(context.Context) error, ended func(error)) {
		wait.Go(func() { ended(work(base)) })
	}
	var made atomic.Int32
	call := creating(store, "a", &made)
	do := call.Do
	call.Do = func(ctx context.Context, r storage.Request) (snapshot.State, error) {
		defer stop()
		return do(ctx, r)
	}
	answer, _, err := calls.Start(context.Background(), j, "Creating", call, time.Minute, promise)
	wait.Wait()
	if err != nil {
		t.Fatal(err)
	}
	done := jobOf(t, store, answer)
	if done.Progress != catalog.JobDone || string(done.Answer) != `"a"` {
		t.Errorf("%+v", done)
	}
	if err := store.Requests.FailJob(context.Background(), done, "no", json.RawMessage(`"no"`)); err != nil {
		t.Fatal(err)
	}
	if after := jobOf(t, store, answer); after.Progress != catalog.JobDone || string(after.Answer) != `"a"` {
		t.Errorf("a job that has ended became %+v", after)
	}
}
