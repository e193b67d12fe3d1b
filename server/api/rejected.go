package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// collect is the value of on_error that has records which can't be committed left out.
const collect = "collect"

// createdCommit is a new commit, with the records that it was made without.
type createdCommit struct {
	commitView
	Rejected *rejectedView `json:"rejected,omitempty" description:"${commit.rejected}"`
}

// rejectedView are records that a commit was made without.
type rejectedView struct {
	Count     int64             `json:"count"`
	Records   []json.RawMessage `json:"records" description:"${rejected.records}"`
	URL       string            `json:"url,omitempty" description:"Where all of them are, one a line; absent: there are none, or it is a dry run."`
	ExpiresAt *time.Time        `json:"expires_at,omitempty"`
}

// collecting has a write leave out the records that can't be committed, and its answer tell which.
func (a *API) collecting(
	w *write[catalog.Commit], dataset string, change storage.Change, message string, metadata json.RawMessage,
) {
	var out storage.Collected
	user, expires := host.User(w.c), time.Time{}
	w.do = func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		r.Message, r.Metadata = message, metadata
		change.Request = r
		expires = time.Now().UTC().Add(storage.UploadAge).Truncate(time.Second)
		return a.store.CommitCollecting(ctx, dataset, change, a.rejectedKeeper(user), &out)
	}
	w.tell = func(k catalog.Commit) (calls.Answer, error) {
		view := &rejectedView{Count: out.Count, Records: append([]json.RawMessage{}, out.First...)}
		if out.ID != "" {
			view.URL, view.ExpiresAt = "/api/v1/rejected/"+out.ID, &expires
		}
		return say(http.StatusCreated, fmt.Sprintf("/api/v1/datasets/%s/commits/%d", k.DatasetID, k.ID),
			createdCommit{viewCommit(k), view})
	}
}

// rejectedOf is whose the rejected records of a user are among all that is kept: not the user's, whose files clients of
// Crunch list and read. No user's name has a tab.
func rejectedOf(user string) string { return "rejected\t" + user }

// rejectedKeeper returns what keeps the rejected records of one commit of a user, which are found under the id that it
// returns for a day.
func (a *API) rejectedKeeper(user string) storage.Keeper {
	before, owner := "", rejectedOf(user)
	return func(ctx context.Context, u intake.Upload) (string, error) {
		if before != "" { // of a try that was refused
			if err := a.sources.Delete(ctx, owner, before); err != nil && fault.KindOf(err) != fault.NotFound {
				return "", err
			}
		}
		before = a.store.NewID()
		return before, a.sources.Put(ctx, sources.Source{
			ID: before, Name: "rejected.ndjson", User: owner, At: time.Now(), Upload: calls.Upload{Upload: u},
		})
	}
}

// rejectedIn names rejected records.
type rejectedIn struct {
	ID string `path:"id" required:"true" json:"-"`
}

// getRejected sends the records that a commit of the caller's was made without.
func (a *API) getRejected(c *fiber.Ctx) error {
	var in rejectedIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	ctx := c.UserContext()
	one, err := a.sources.Get(ctx, rejectedOf(host.User(c)), in.ID)
	if fault.KindOf(err) == fault.NotFound {
		return fault.Errorf(fault.NotFound, "rejected_not_found", "There are no rejected records under this id. They are kept "+
			"for a day, for the user who sent them, and on a server by itself until it restarts.")
	}
	if err != nil {
		return err
	}
	upload, done, err := a.sources.Open(ctx, one)
	if err != nil {
		return err
	}
	f, err := os.Open(upload.Path)
	if err != nil {
		done()
		return err
	}
	c.Set("Content-Type", mediaTypes[intake.NDJSON])
	c.Set("Content-Disposition", `attachment; filename="rejected.ndjson"`)
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer done()
		defer f.Close()
		_, _ = io.Copy(w, f) // a client that has left needs no answer
	})
	return nil
}
