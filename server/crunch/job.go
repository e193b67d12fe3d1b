package crunch

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// work may take long: it continues even if the client disconnects. T is the result in the domain.
type work[T any] struct {
	about string                                                  // what is being done, for the progress
	do    func(ctx context.Context, r storage.Request) (T, error) // r.Job() is the job's id
	tell  func(T) calls.Answer                                    // the answer; its Location is a path
}

// attempt is the result of waiting for work, up to the sync limit. Of work that is late, told is empty and job is all
// that is known.
type attempt struct {
	job  string
	late bool // the work is not finished
	told calls.Answer
}

// try starts work as a job, and waits. If it fails within that time, try returns its error.
func try[T any](f *Face, c *fiber.Ctx, w work[T]) (attempt, error) {
	r, err := f.request(c)
	if err != nil {
		return attempt{}, err
	}
	call := calls.Call[T]{
		Request: r, Key: c.Get("Idempotency-Key"), Do: w.do,
		Tell: func(result T) (json.RawMessage, error) { return w.tell(result).Keep() },
	}
	if call.Key != "" {
		// Requests without a body have none, which is a fingerprint too.
		body, _ := c.Locals(bodyKey).([]byte)
		call.Fingerprint = calls.Fingerprint("%s %s\n%s", c.Method(), c.OriginalURL(), body)
	}
	kept, _, err := calls.Start(c.UserContext(), f.jobs, w.about, call, f.options.SyncTimeout, promise)
	if err != nil {
		return attempt{}, err
	}
	var job string
	// Kept for a repeated request, or just promised: the job of this request in either case.
	if err := json.Unmarshal(kept, &job); err != nil {
		return attempt{}, err
	}
	return f.lookAt(c.UserContext(), job)
}

// finish does work, and answers with its result. Where it takes longer than the sync limit, the answer is 202 with the
// path of what will exist, which later knows by the job.
func finish[T any](f *Face, c *fiber.Ctx, w work[T], later func(job string) string) error {
	a, err := try(f, c, w)
	switch {
	case err != nil:
		return err
	case a.late:
		return accepted(c, a.job, later(a.job))
	case a.told.Status == http.StatusCreated:
		return created(c, a.told.Location)
	}
	return c.SendStatus(a.told.Status)
}

// promise returns what is stored about started work: its job, so that a repeated request finds it.
func promise(job catalog.Job) (json.RawMessage, error) { return json.Marshal(job.ID) }

// lookAt returns how far started work has got. A failed job's answer is returned as its error.
func (f *Face) lookAt(ctx context.Context, job string) (attempt, error) {
	j, err := f.store.Requests.Job(ctx, job)
	if err != nil {
		return attempt{}, err
	}
	a := attempt{job: job, late: j.Progress >= 0 && j.Progress < catalog.JobDone}
	if !a.late {
		a.told, err = outcome(j)
	}
	return a, err
}

// request returns the user of a write, and the head that it expects. An Idempotency-Key is not part of it: it is
// handled by calls, around the change.
func (f *Face) request(c *fiber.Ctx) (storage.Request, error) {
	r := storage.Request{User: f.user(c)}
	text := c.Query("expected_head")
	if text == "" {
		return r, nil
	}
	head, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return r, invalid("expected_head", "must be an integer")
	}
	r.ExpectedHead = &head
	return r, nil
}

// refusal is the stored answer of an error.
type refusal struct{ calls.Answer }

// Error returns the JSON of the answer: it is for logs, as SendError sends the answer itself.
func (r *refusal) Error() string { return string(r.Body) }

// Is reports whether the stored answer is that of target, by its code: the error itself is not stored.
func (r *refusal) Is(target error) bool {
	var told struct{ Code string }
	refused, ok := target.(*fault.Error)
	return ok && json.Unmarshal(r.Body, &told) == nil && told.Code == refused.Code
}

// outcome returns the result of a finished job.
func outcome(j catalog.Job) (told calls.Answer, err error) {
	if told, err = calls.ReadAnswer(j.Answer); err != nil {
		return told, err
	}
	switch {
	case j.Progress != catalog.JobFailed:
		return told, nil
	case told.Status == 0: // interrupted by a restart
		return told, &fault.Error{Kind: fault.Unavailable, Code: "stopped", Detail: j.Message}
	}
	return told, &refusal{told}
}

// progressPath returns the path of a job's progress.
func progressPath(job string) string { return "/api/progress/" + job + "/" }

// resultPath is the path that redirects to the result of a job.
func resultPath(job string) string { return progressPath(job) + "result/" }

// accepted answers 202: location is the path of what will exist, and the view has the URL of the progress.
func accepted(c *fiber.Ctx, job, location string) error {
	c.Set("Location", site(c)+location)
	if err := showView(c, site(c)+progressPath(job)); err != nil {
		return err
	}
	c.Status(http.StatusAccepted)
	return nil
}

// getProgress shows how far work has got: 0 to 99, 100 when it is done, -1 when it has failed.
func (f *Face) getProgress(c *fiber.Ctx) error {
	ctx := c.UserContext()
	j, err := f.store.Requests.Job(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	return show(c, document{
		Element: viewElement, Value: map[string]any{"progress": j.Progress, "message": j.Message},
		Views: links{"result": site(c) + resultPath(j.ID)},
	})
}

// getResult redirects to the result of work.
func (f *Face) getResult(c *fiber.Ctx) error {
	ctx := c.UserContext()
	a, err := f.lookAt(ctx, c.Params("id"))
	switch {
	case err != nil:
		return err
	case a.late:
		return notFound("not_done", "This work is not done yet. Follow its progress until it is.")
	// Such as the result of a cast: the variable is where it was.
	case a.told.Location == "":
		return notFound("no_result", "This work is done and has no result to show.")
	}
	return seeOther(c, a.told.Location)
}

// ProblemCode returns the code of the answer's problem, for the audit log.
func (r *refusal) ProblemCode() string {
	var body struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(r.Body, &body) // without a code it is empty
	return body.Code
}
