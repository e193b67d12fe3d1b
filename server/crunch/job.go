package crunch

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
	"rowback/storage/catalog"
	"rowback/storage/fault"
)

// answer is what came of work, as a job keeps it. Location is a path.
type answer struct {
	Status   int             `json:"status"`
	Location string          `json:"location,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// work may take long: it goes on whether the client stays or not.
type work struct {
	about string                                                                           // what is done, in the progress
	tell  func(result any) answer                                                          // what came of it
	do    func(ctx context.Context, job string, r storage.Request) (result any, err error) // a result of nil is one too
}

// attempt is work that was waited for, up to the sync limit.
type attempt struct {
	job  string
	late bool // it goes on
	told answer
}

// reportEvery is how often the progress of work is written down at most.
const reportEvery = 200 * time.Millisecond

// attempt starts work as a job, and waits. Where it fails in time, that is the error.
func (f *Face) attempt(c *fiber.Ctx, w work) (attempt, error) {
	ctx, cancel := f.host.Context()
	defer cancel()
	r, err := f.request(c)
	if err != nil {
		return attempt{}, err
	}
	once, err := f.once(ctx, c, r.User)
	if err != nil {
		return attempt{}, err
	}
	defer once.unlock()
	if once.job != "" {
		return f.lookAt(ctx, once.job)
	}
	job, err := f.store.StartJob(ctx, w.about, storage.Request{User: r.User, Receipt: once.receipt})
	if err != nil {
		return attempt{}, err
	}
	ended := make(chan struct{})
	f.host.Background(func(ctx context.Context) error {
		return f.work(ctx, w, job.ID, r)
	}, func(err error) {
		f.fail(job.ID, err)
		close(ended)
	})
	select {
	case <-ended:
	case <-time.After(f.options.SyncTimeout):
	}
	return f.lookAt(ctx, job.ID)
}

// lookAt tells how far work has got that was begun.
func (f *Face) lookAt(ctx context.Context, job string) (attempt, error) {
	j, err := f.store.Job(ctx, job)
	if err != nil {
		return attempt{}, err
	}
	a := attempt{job: job, late: j.Progress >= 0 && j.Progress < done}
	if !a.late {
		a.told, err = outcome(j)
	}
	return a, err
}

// request is what a write says of itself: who asks, and which head it is meant for.
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

// work does the work, and records with it that it is done.
func (f *Face) work(ctx context.Context, w work, job string, r storage.Request) error {
	r.Report = f.reporter(ctx, job)
	r.Receipt = &storage.Receipt{Job: job, Answer: func(result any) (json.RawMessage, error) { return json.Marshal(w.tell(result)) }}
	result, err := w.do(ctx, job, r)
	if err != nil {
		return err
	}
	j, err := f.store.Job(ctx, job)
	if err != nil || j.Progress == done {
		return err
	}
	return f.store.KeepAnswer(ctx, r, result) // it wrote nothing that would have recorded it
}

// reporter writes down how far work has got.
func (f *Face) reporter(ctx context.Context, job string) func(percent int, message string) {
	var last time.Time
	return func(percent int, message string) {
		if time.Since(last) < reportEvery {
			return
		}
		last = time.Now()
		f.store.ReportJob(ctx, job, percent, message) //nolint:errcheck // the work matters, not the word of it
	}
}

// done is the progress of work that has succeeded, failed of work that has not.
const (
	done   = 100
	failed = -1
)

// fail records how work failed, if it did.
func (f *Face) fail(job string, err error) {
	if err == nil {
		return
	}
	if err2 := f.keepFailure(job, err); err2 != nil {
		f.options.Log.Error("the end of a job could not be recorded", "progress", job, "error", err2)
	}
}

func (f *Face) keepFailure(job string, err error) error {
	status, fields := f.problem(err, job)
	body, err2 := json.Marshal(fields)
	if err2 != nil {
		return err2
	}
	kept, err2 := json.Marshal(answer{Status: status, Body: body})
	if err2 != nil {
		return err2
	}
	ctx := context.Background() // the server may be stopping: that is when this counts
	j, err2 := f.store.Job(ctx, job)
	if err2 != nil {
		return err2
	}
	return f.store.FailJob(ctx, j, storage.Explain(err).Detail, kept)
}

// refusal is an error that was told before.
type refusal struct{ answer }

func (r *refusal) Error() string { return string(r.Body) }

// outcome is what came of a job that has ended.
func outcome(j catalog.Job) (told answer, err error) {
	if err := json.Unmarshal(j.Answer, &told); err != nil {
		return told, err
	}
	switch {
	case j.Progress != failed:
		return told, nil
	case told.Status == 0: // a restart cut it off
		return told, &fault.Error{Kind: fault.Unavailable, Code: "stopped", Detail: j.Message}
	}
	return told, &refusal{told}
}

func progressPath(job string) string { return "/api/progress/" + job + "/" }

// accepted answers 202: location is the path of what will be there, and the view tells where the progress is.
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
	ctx, cancel := f.host.Context()
	defer cancel()
	j, err := f.store.Job(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	return show(c, document{
		Element: viewElement, Value: map[string]any{"progress": j.Progress, "message": j.Message},
		Views: links{"result": site(c) + progressPath(j.ID) + "result/"},
	})
}

// getResult leads to what work has made.
func (f *Face) getResult(c *fiber.Ctx) error {
	ctx, cancel := f.host.Context()
	defer cancel()
	a, err := f.lookAt(ctx, c.Params("id"))
	switch {
	case err != nil:
		return err
	case a.late:
		return notFound("not_done", "This is not done yet: its progress tells when it is.")
	case a.told.Location == "":
		return notFound("no_result", "This is done, and there is nothing to show for it.")
	}
	return seeOther(c, a.told.Location)
}
