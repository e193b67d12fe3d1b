package crunch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// command changes records: update those that a filter selects, or delete them. Records that are excluded stay.
type command struct {
	Command   string                     `json:"command"`
	Variables map[string]json.RawMessage `json:"variables"` // of an update: what they become, by id, alias or URL
	Filter    json.RawMessage            `json:"filter"`
}

// runCommand changes records, as one commit.
func (f *Face) runCommand(c *fiber.Ctx) error {
	s, err := f.dataset(c.UserContext(), c)
	if err != nil {
		return err
	}
	var in command
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	if err := in.check(s); err != nil {
		return err
	}
	return finish(f, c, work[catalog.Commit]{
		about: "Changing records",
		tell:  func(catalog.Commit) calls.Answer { return calls.Answer{Status: http.StatusNoContent} },
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			return f.onNewest(ctx, s.Dataset.ID, r, in.do(f))
		},
	}, progressPath)
}

// check refuses a command that can't be run on a state. It runs before the job starts, so that a mistake is answered at
// once and by field.
func (in command) check(s snapshot.State) error {
	if _, err := selectSeen(s, in.Filter); err != nil {
		return err
	}
	switch {
	case in.Command == "delete" && expression.IsEmpty(in.Filter):
		return invalid("filter", "is required; delete takes only the records that it selects")
	case in.Command == "delete" && len(in.Variables) > 0:
		return invalid("variables", "are only for update; delete takes whole records")
	case in.Command == "delete":
		return nil
	case in.Command != "update":
		return invalid("command", fmt.Sprintf("must be update or delete, not %q", in.Command))
	case len(in.Variables) == 0:
		return invalid("variables", "are required: what they become, by id")
	}
	_, err := in.assignments(s)
	return err
}

// do returns the change that the command makes of a state. The filter is read anew for each state: it names columns.
func (in command) do(f *Face) func(context.Context, snapshot.State, storage.Request) (catalog.Commit, error) {
	if in.Command == "update" {
		return func(ctx context.Context, s snapshot.State, r storage.Request) (catalog.Commit, error) {
			return f.update(ctx, s, in, r)
		}
	}
	return func(ctx context.Context, s snapshot.State, r storage.Request) (catalog.Commit, error) {
		selected, err := selectSeen(s, in.Filter)
		if err != nil {
			return catalog.Commit{}, err
		}
		return f.store.Commit(ctx, s.Dataset.ID, storage.Change{Request: r, Mode: catalog.Delete, Where: selected.where})
	}
}

// maxTries is how often a change is made anew where another commit came in between, before others have to wait for it.
// Writers that keep coming could otherwise starve one that reads for long.
const maxTries = 3

// onNewest makes a change that depends on the state that it is made on. Unless the client expects a head, it is made
// on the newest state.
func (f *Face) onNewest(
	ctx context.Context, dataset string, r storage.Request,
	change func(context.Context, snapshot.State, storage.Request) (catalog.Commit, error),
) (k catalog.Commit, err error) {
	// Its change is computed from the state that it reads, and refused by ExpectedHead if that is not the head any
	// more.
	try := func(r storage.Request) error {
		s, err := f.store.State(ctx, dataset, "head")
		if err != nil {
			return err
		}
		if r.ExpectedHead == nil {
			r.ExpectedHead = &s.Commit.ID
		}
		k, err = change(ctx, s, r)
		return err
	}
	for range maxTries {
		if err = try(r); !errors.Is(err, storage.ErrStaleHead) || r.ExpectedHead != nil {
			return k, err
		}
	}
	return k, f.store.Alone(ctx, dataset, r, try)
}
