package crunch

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/snapshot"
)

// listForks shows the forks of a dataset, without deleted ones.
func (f *Face) listForks(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	forks, err := f.store.Forks(ctx, s.Dataset.ID)
	if err != nil {
		return err
	}
	out := &index{}
	for _, fork := range forks {
		body, err := f.describe(ctx, c, fork)
		if err != nil {
			return err
		}
		out.add(site(c)+datasetPath(fork.Dataset.ID), body)
	}
	return show(c, document{Element: catalogElement, Index: out})
}

// createFork creates a fork, which shares the dataset's files. It has the id of the job that creates it, so that its
// URL is known before it exists.
func (f *Face) createFork(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
		IsPublished *bool   `json:"is_published"`
		Notes       *string `json:"notes"`
		home
	}
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	if err := permit.Check(host.Caller(c), s.Dataset.ProjectID, access.Writer); err != nil {
		return err
	}
	upstream, err := f.describe(ctx, c, s)
	if err != nil {
		return err
	}
	if err := in.home.check(upstream.Owner); err != nil {
		return err
	}
	fork := storage.NewFork{
		// Names need not be unique for the clients, which know datasets by URL.
		Name: in.Name, Description: in.Description, Namesake: true, Notes: in.Notes,
		Unpublished: in.IsPublished != nil && !*in.IsPublished,
	}
	return finish(f, c, work[snapshot.State]{
		about: "Forking",
		tell: func(made snapshot.State) calls.Answer {
			return calls.Answer{Status: http.StatusCreated, Location: datasetPath(made.Dataset.ID)}
		},
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			fork.ID = r.Job()
			return f.store.Fork(ctx, s.Dataset.ID, fork, r)
		},
	}, datasetPath)
}
