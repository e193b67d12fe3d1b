package crunch

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// stored is the answer of a failed job, as it is kept.
func stored(t *testing.T, status int, body string) json.RawMessage {
	t.Helper()
	kept, err := calls.Answer{Status: status, Body: json.RawMessage(body)}.Keep()
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// The error of a job is known by its code alone after a restart, and code still reacts to it by errors.Is.
func TestAStoredRefusalIsTheErrorThatItWas(t *testing.T) {
	j := catalog.Job{Progress: catalog.JobFailed, Answer: stored(t, 409, `{"code":"stale_head","detail":"Moved."}`)}
	_, err := outcome(j)
	var refused *refusal
	if !errors.Is(err, storage.ErrStaleHead) || errors.Is(err, storage.ErrKeyExists) || !errors.As(err, &refused) ||
		refused.Status != 409 {
		t.Errorf("%v", err)
	}
	if !errors.Is(fmt.Errorf("batch: %w", err), storage.ErrStaleHead) {
		t.Error("a wrapped refusal is not found")
	}
	if errors.Is(err, errors.New("stale_head")) || errors.Is(&refusal{}, storage.ErrStaleHead) {
		t.Error("a refusal is found by what it does not have")
	}
}

func TestAJobsEndIsItsAnswerItsRefusalOrARestart(t *testing.T) {
	told, err := outcome(catalog.Job{Progress: catalog.JobDone, Answer: json.RawMessage(`{"status":201,"location":"/x"}`)})
	if err != nil || told.Status != 201 || told.Location != "/x" {
		t.Errorf("%+v, %v", told, err)
	}
	stopped := catalog.Job{Progress: catalog.JobFailed, Answer: json.RawMessage(`{}`), Message: "The server stopped."}
	_, err = outcome(stopped)
	if e := storage.Explain(err); e.Kind != fault.Unavailable || e.Code != "stopped" || e.Detail != "The server stopped." {
		t.Errorf("%v", err)
	}
	if _, err = outcome(catalog.Job{Answer: json.RawMessage(`x`)}); err == nil {
		t.Error("an answer that can't be read is not an error")
	}
}

func TestABatchHasTheStatusOfItsJob(t *testing.T) {
	failed := func(answer json.RawMessage) catalog.Job {
		return catalog.Job{Progress: catalog.JobFailed, Answer: answer}
	}
	keyExists := fmt.Sprintf(`{"code":%q}`, storage.ErrKeyExists.Code)
	for _, c := range []struct {
		want string
		job  catalog.Job
	}{
		{appendedStatus, catalog.Job{Progress: catalog.JobDone, Answer: json.RawMessage(`{"status":201}`)}},
		{importingStatus, catalog.Job{Progress: 40}},
		{conflictStatus, failed(stored(t, 409, `{"code":"blocked"}`))},
		{conflictStatus, failed(stored(t, 422, keyExists))},
		{errorStatus, failed(stored(t, 422, `{"code":"invalid_field"}`))},
		{errorStatus, failed(json.RawMessage(`{}`))},
	} {
		if got := batchStatus(c.job); got != c.want {
			t.Errorf("%d, %s: %s, want %s", c.job.Progress, c.job.Answer, got, c.want)
		}
	}
}

func TestAWriteExpectsTheHeadThatItsURLNames(t *testing.T) {
	for query, want := range map[string]any{"": nil, "?expected_head=": nil, "?expected_head=0": int64(0),
		"?expected_head=12": int64(12)} {
		handled(t, "/"+query, "", func(f *Face, c *fiber.Ctx) {
			r, err := f.request(c)
			if err != nil || (r.ExpectedHead == nil) != (want == nil) || want != nil && *r.ExpectedHead != want {
				t.Errorf("%s: %+v, %v", query, r, err)
			}
		})
	}
	handled(t, "/?expected_head=latest", "", func(f *Face, c *fiber.Ctx) {
		_, err := f.request(c)
		refusedField(t, "latest", err, "expected_head", "must be an integer")
	})
}
