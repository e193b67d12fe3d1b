package storage_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// A job that could not be recorded promised nothing.
func TestAJobThatDoesNotStartPromisesNothing(t *testing.T) {
	s := &storagetest.Stops{Once: true}
	b := reopen(t, t.TempDir(), storage.Options{Hook: s.Hook})
	s.Armed = true
	if _, err := b.Requests.StartJob(t.Context(), "Appending",
		answering[catalog.Job]("job", "promised")); err == nil {
		t.Error("no error")
	}
	s.Armed = false
	if of, err := b.JobServers(t.Context()); err != nil || len(of) != 0 {
		t.Errorf("there are jobs, of %v, %v", of, err)
	}
	if _, _, done, err := b.Requests.Once(t.Context(), "ada", "job", "job"); err != nil {
		t.Error(err)
	} else {
		done()
	}
	j, err := b.Requests.StartJob(t.Context(), "Appending", answering[catalog.Job]("job", "promised"))
	if err != nil {
		t.Fatal(err)
	}
	if of, err := b.JobServers(t.Context()); err != nil || !slices.Equal(of, []int64{b.Server()}) {
		t.Errorf("the jobs are of %v, not %d, %v", of, b.Server(), err)
	}
	if err := b.Requests.GiveUpJobs(t.Context(), map[int64]time.Time{}, 0); err != nil {
		t.Fatal(err)
	}
	if j, err = b.Requests.Job(t.Context(), j.ID); err != nil || j.Progress != 0 || len(j.Promised) != 1 {
		t.Errorf("a job of a server that goes on: %+v, %v", j, err)
	}
}

// A job whose server has ended has failed, and nothing can be recorded for it any more.
func TestAJobThatWasGivenUpRecordsNothing(t *testing.T) {
	dir := t.TempDir()
	b := reopen(t, dir, storage.Options{})
	d := b.Create("people", "id")
	j, err := b.Requests.StartJob(t.Context(), "Appending", storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = reopen(t, dir, storage.Options{})
	if j, err = b.Requests.Job(t.Context(), j.ID); err != nil || j.Progress != catalog.JobFailed {
		t.Fatalf("%+v, %v", j, err)
	}
	_, err = b.Commit(t.Context(), d, storage.Change{
		Request: storage.Request{User: "ada", Receipt: &storage.Receipt[catalog.Commit]{
			Slot:   storage.Slot{Job: j.ID},
			Answer: func(catalog.Commit) (json.RawMessage, error) { return json.RawMessage(`"done"`), nil },
		}},
		Mode: catalog.Append, Upload: b.Upload("json", `[{"id": 1}]`),
	})
	if storage.Explain(err).Code != "job_given_up" {
		t.Errorf("%v", err)
	}
	b.Want(d, "head")
}
