package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
	"rowback/storage/catalog"
)

// answer is what a request is told: kept as JSON where it bore an Idempotency-Key, or is told later.
type answer struct {
	Status   int             `json:"status"`
	Location string          `json:"location,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

func (r answer) send(c *fiber.Ctx) error {
	if r.Location != "" {
		c.Set("Location", r.Location)
	}
	c.Status(r.Status)
	if len(r.Body) == 0 {
		return nil
	}
	c.Set("Content-Type", "application/json")
	return c.Send(r.Body)
}

// ok answers 200 with JSON.
func ok(c *fiber.Ctx, body any) error {
	r, err := say(http.StatusOK, "", body)
	if err != nil {
		return err
	}
	return r.send(c)
}

func say(status int, location string, body any) (answer, error) {
	text, err := json.Marshal(body)
	return answer{Status: status, Location: location, Body: text}, err
}

// headIn is what every write may bear.
type headIn struct {
	ExpectedHead *int64 `query:"expected_head" description:"Refuse with 409 where the head is another commit." json:"-"`
}

// headerIn are what a POST may bear.
type headerIn struct {
	headIn
	IdempotencyKey string `header:"Idempotency-Key" description:"The same key again gives the first answer again and does nothing twice." json:"-"`
	Prefer         string `header:"Prefer" description:"respond-async: answer 202 at once, with the Location of a progress resource." json:"-"`
}

// datasetIn names a dataset.
type datasetIn struct {
	Dataset   string `path:"dataset" required:"true" description:"Id, or name with project_id." json:"-"`
	ProjectID int64  `query:"project_id" default:"1" json:"-"`
}

func (in datasetIn) project() int64 {
	if in.ProjectID == 0 {
		return 1
	}
	return in.ProjectID
}

// dataset finds the dataset that a request names.
func (a *API) dataset(ctx context.Context, in datasetIn) (catalog.Dataset, error) {
	return a.store.FindDataset(ctx, in.project(), in.Dataset)
}

// write is a request that changes something: who asks, what for, and how its result is told.
type write struct {
	c           *fiber.Ctx
	header      headerIn
	fingerprint string                           // of the body, where it is not JSON
	about       string                           // what is done, for a progress resource
	tell        func(result any) (answer, error) // how a result is told
	do          func(ctx context.Context, r storage.Request) (any, error)
	after       func() // frees what do needed, whether it ran or not
}

// run does a write: once, if it bears an Idempotency-Key; later, if it prefers so.
func (a *API) run(w write) error {
	if w.after == nil {
		w.after = func() {}
	}
	request := storage.Request{User: userOf(w.c), ExpectedHead: w.header.ExpectedHead}
	async := strings.Contains(w.header.Prefer, "respond-async")
	if key := w.header.IdempotencyKey; key != "" {
		print, err := w.print()
		if err != nil {
			w.after()
			return err
		}
		kept, found, done, err := a.store.Once(a.base, request.User, key, print)
		if err != nil {
			w.after()
			return err
		}
		defer done()
		if found {
			w.after()
			return replay(w.c, kept)
		}
		request.Receipt = &storage.Receipt{Key: key, Fingerprint: print, Answer: keep(w.tell)}
	}
	if async {
		return a.later(w, request)
	}
	defer w.after()
	ctx, cancel := a.Context()
	defer cancel()
	result, err := w.do(ctx, request)
	if err != nil {
		return err
	}
	told, err := w.tell(result)
	if err != nil {
		return err
	}
	return told.send(w.c)
}

// print is the fingerprint of a request: what the same request would have again.
func (w write) print() (string, error) {
	body := w.fingerprint
	if body == "" {
		text, err := smallBody(w.c)
		if err != nil {
			return "", err
		}
		body = string(text)
	}
	sum := sha256.Sum256([]byte(w.c.Method() + " " + w.c.OriginalURL() + "\n" + body))
	return hex.EncodeToString(sum[:]), nil
}

func keep(tell func(any) (answer, error)) func(any) (json.RawMessage, error) {
	return func(result any) (json.RawMessage, error) {
		told, err := tell(result)
		if err != nil {
			return nil, err
		}
		return json.Marshal(told)
	}
}

func replay(c *fiber.Ctx, kept json.RawMessage) error {
	var told answer
	if err := json.Unmarshal(kept, &told); err != nil {
		return err
	}
	c.Set("Idempotency-Replayed", "true")
	return told.send(c)
}

// later answers 202 with the Location of a progress resource, and does the work whether the client stays or not.
func (a *API) later(w write, r storage.Request) error {
	accepted := func(result any) (answer, error) {
		job := result.(catalog.Job)
		return say(http.StatusAccepted, "/api/v1/progress/"+job.ID, progressView(job))
	}
	start := r
	if r.Receipt != nil {
		start.Receipt = &storage.Receipt{Key: r.Receipt.Key, Fingerprint: r.Receipt.Fingerprint, Answer: keep(accepted)}
	}
	job, err := a.store.StartJob(a.base, w.about, start)
	if err != nil {
		w.after()
		return err
	}
	r.Receipt = &storage.Receipt{Job: job.ID, Answer: keep(w.tell)}
	r.Report = a.reporter(job.ID)
	ctx, cancel := context.WithCancel(a.base)
	a.background(func() error {
		_, err := w.do(ctx, r)
		return err
	}, func(err error) {
		cancel()
		w.after()
		a.finish(job, err)
	})
	told, err := accepted(job)
	if err != nil {
		return err
	}
	w.c.Set("Preference-Applied", "respond-async")
	return told.send(w.c)
}

// reported is how often the progress of a job is recorded at most.
const reported = 200 * time.Millisecond

// reporter records how far a job has got, each time that is due.
func (a *API) reporter(job string) func(percent int, message string) {
	var last time.Time
	return func(percent int, message string) {
		if time.Since(last) < reported {
			return
		}
		last = time.Now()
		if err := a.store.ReportJob(a.base, job, percent, message); err != nil {
			a.log.Error("the progress of a job could not be recorded", "progress", job, "error", err)
		}
	}
}

// finish records how a job failed. Work that is done is recorded with it, in one transaction.
func (a *API) finish(job catalog.Job, err error) {
	if err == nil {
		return
	}
	var told answer
	told.Status, told.Body = a.problem(err, job.ID)
	kept, err2 := json.Marshal(told)
	if err2 == nil {
		err2 = a.store.FailJob(context.WithoutCancel(a.base), job, storage.Explain(err).Detail, kept)
	}
	if err2 != nil {
		a.log.Error("the end of a job could not be recorded", "progress", job.ID, "error", err2)
	}
}
