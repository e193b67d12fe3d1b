package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// job is work on the server with progress that can be polled.
type job struct {
	ID       string `json:"id"`
	Progress int    `json:"progress"` // 0 to 100; -1: it failed
	Message  string `json:"message"`
	Result   *struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"result"`
}

// ended reports whether the work is done, or has failed.
func (j job) ended() bool { return j.Progress < 0 || j.Progress >= 100 }

// answer decodes the work's result into out.
func (j job) answer(out any) error {
	switch {
	case j.Result == nil:
		return errors.New(j.Message)
	case j.Result.Status >= 400:
		return problemIn(j.Result.Body, j.Message)
	}
	return json.Unmarshal(j.Result.Body, out)
}

// pollEvery is how often the progress of work is polled.
const pollEvery = 100 * time.Millisecond

// work posts work that may take long, waits for its end, and decodes the answer into out. A terminal shows a progress
// bar. The work continues even if this process ends.
func (r remote) work(c console, path string, query url.Values, body, out any) error {
	req, err := r.request(http.MethodPost, path, query, body)
	if err != nil {
		return err
	}
	req.Header.Set("Prefer", "respond-async")
	var j job
	if err := r.json(req, &j); err != nil {
		return err
	}
	show, done := c.bar(j.Message)
	defer done()
	for !j.ended() {
		time.Sleep(pollEvery)
		if err := r.get("/api/v1/progress/"+url.PathEscape(j.ID), nil, &j); err != nil {
			return err
		}
		show(j)
	}
	return j.answer(out)
}

// bar shows the progress of work, if standard error is a terminal.
func (c console) bar(what string) (show func(job), done func()) {
	if !c.isTerminal() {
		return func(job) {}, func() {}
	}
	bar := progressbar.NewOptions(100, progressbar.OptionSetWriter(c.err), progressbar.OptionSetDescription(what),
		progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
	return func(j job) {
		bar.Describe(j.Message)
		bar.Set(max(j.Progress, 0))
	}, func() { bar.Finish() }
}

// isTerminal reports whether standard error is one.
func (c console) isTerminal() bool {
	f, ok := c.err.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
