package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// send sends an answer, new or kept.
func send(c *fiber.Ctx, told calls.Answer) error {
	if told.Location != "" {
		c.Set("Location", told.Location)
	}
	// The status of a kept answer too: a repeated request that created something gets its 201 again.
	c.Status(told.Status)
	if len(told.Body) == 0 {
		return nil
	}
	c.Set("Content-Type", "application/json")
	return c.Send(told.Body)
}

// ok answers 200 with JSON.
func ok(c *fiber.Ctx, body any) error {
	told, err := say(http.StatusOK, "", body)
	if err != nil {
		return err
	}
	return send(c, told)
}

// say returns an answer with a JSON body.
func say(status int, location string, body any) (calls.Answer, error) {
	text, err := json.Marshal(body)
	return calls.Answer{Status: status, Location: location, Body: text}, err
}

// headIn is what every write accepts.
type headIn struct {
	ExpectedHead *int64 `query:"expected_head" description:"Refuse with 409 if the head is another commit." json:"-"`
	dryIn
}

// header is that of a write which no Idempotency-Key and no Prefer come with.
func (in headIn) header() headerIn { return headerIn{headIn: in} }

// headerIn is what every POST accepts.
type headerIn struct {
	headIn
	IdempotencyKey string `header:"Idempotency-Key" description:"${idempotency_key}" json:"-"`
	Prefer         string `header:"Prefer" description:"${prefer}" json:"-"`
}

// header is the struct itself: without this, that of headIn would leave the two headers out.
func (in headerIn) header() headerIn { return in }

// datasetIn identifies a dataset.
type datasetIn struct {
	Dataset   string `path:"dataset" required:"true" description:"Id, or name with project_id." json:"-"`
	ProjectID int64  `query:"project_id" default:"1" json:"-"`
}

// project returns the project of the name: 1 unless the request says otherwise.
func (in datasetIn) project() int64 {
	if in.ProjectID == 0 {
		return 1
	}
	return in.ProjectID
}

// dataset finds the dataset that a request names.
func (a *API) dataset(ctx context.Context, in datasetIn) (catalog.Dataset, error) {
	return a.find(ctx, in.project(), in.Dataset)
}

// find finds a dataset that a request is about, by its name or id.
func (a *API) find(ctx context.Context, project int64, name string) (catalog.Dataset, error) {
	audit.Of(ctx).Project(project)
	d, err := a.store.FindDataset(ctx, project, name)
	if err == nil {
		audit.Of(ctx).Dataset(d.ID, d.Name, d.ProjectID)
	}
	return d, err
}

// write is a request that changes something: who is asking, what to do, and how to answer. T is the result in the
// domain. do runs at most once, perhaps after the request has been answered, so it must not touch c. tell has no
// effects: it may be called more than once.
type write[T any] struct {
	c           *fiber.Ctx
	header      headerIn
	fingerprint string // of a body that is not JSON
	about       string // what is being done, for the progress resource
	do          func(ctx context.Context, r storage.Request) (T, error)
	tell        func(T) (calls.Answer, error) // makes the answer of a result
	after       func()                        // frees what do needed, whether it ran or not
	leaves      bool                          // do ends when the client has gone, unless it is a job
}

// context returns the context of the work, if the client waits for it.
func (w write[T]) context(a *API) (context.Context, context.CancelFunc) {
	if w.leaves {
		return a.host.WhileAwaited(w.c)
	}
	return w.c.UserContext(), func() {}
}

// run performs a write: exactly once if it has an Idempotency-Key, as a job if it has Prefer: respond-async.
func run[T any](a *API, w write[T]) error {
	if w.header.DryRun {
		audit.Of(w.c.UserContext()).Reads()
		return preview(a, w)
	}
	// From here on after is called by calls, once, when the work has ended; before that it is called here.
	call, err := w.call(a)
	if err != nil {
		if w.after != nil {
			w.after()
		}
		return err
	}
	ctx := w.c.UserContext()
	var kept json.RawMessage
	var replayed bool
	later := host.Prefers(w.header.Prefer, "respond-async")
	// 0: the client asked not to wait, so it is answered before the work begins.
	if later {
		kept, replayed, err = calls.Start(ctx, a.jobs, w.about, call, 0, promise)
	} else {
		// The request's own deadline bounds the work.
		ctx, cancel := w.context(a)
		defer cancel()
		kept, replayed, err = calls.Now(ctx, a.store, call)
	}
	if err != nil {
		return err
	}
	told, err := calls.ReadAnswer(kept)
	if err != nil {
		return err
	}
	switch {
	case replayed:
		w.c.Set("Idempotency-Replayed", "true")
	case later:
		w.c.Set("Preference-Applied", "respond-async")
	}
	return send(w.c, told)
}

// remove performs a write that leaves nothing to show: 204.
func remove(
	a *API, c *fiber.Ctx, header headerIn, about string, do func(context.Context, storage.Request) error,
) error {
	return run(a, write[struct{}]{
		c: c, header: header, about: about, tell: tellNothing,
		do: func(ctx context.Context, r storage.Request) (struct{}, error) { return struct{}{}, do(ctx, r) },
	})
}

// promise returns the answer to a write that runs as a job: where its progress is.
func promise(job catalog.Job) (json.RawMessage, error) {
	told, err := say(http.StatusAccepted, "/api/v1/progress/"+job.ID, progressView(job))
	if err != nil {
		return nil, err
	}
	return told.Keep()
}

// call converts the write to the form that all faces share.
func (w write[T]) call(a *API) (calls.Call[T], error) {
	call := calls.Call[T]{
		Request: storage.Request{User: host.User(w.c), ExpectedHead: w.header.ExpectedHead},
		Key:     w.header.IdempotencyKey, Do: w.do, After: w.after,
		Tell: func(result T) (json.RawMessage, error) {
			told, err := w.tell(result)
			if err != nil {
				return nil, err
			}
			return told.Keep()
		},
	}
	if call.Key == "" {
		return call, nil
	}
	// Method, URL and body together: the same key with any of them changed is another request, and refused.
	body := w.fingerprint
	if body == "" {
		text, err := a.smallBody(w.c)
		if err != nil {
			return call, err
		}
		body = string(text)
	}
	call.Fingerprint = calls.Fingerprint("%s %s\n%s", w.c.Method(), w.c.OriginalURL(), body)
	return call, nil
}
