package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"rowback/server/calls"
	"rowback/storage"
	"rowback/storage/catalog"
)

type createTagIn struct {
	datasetIn
	headerIn
	Name        string `json:"name" required:"true" minLength:"1" maxLength:"100"`
	Ref         string `json:"ref" default:"head" description:"What the tag names."`
	Description string `json:"description"`
}

func (a *API) createTag(c *fiber.Ctx) error {
	var in createTagIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Tag]{
		c: c, header: in.headerIn, about: "Tagging",
		do: func(ctx context.Context, r storage.Request) (catalog.Tag, error) {
			return a.store.CreateTag(ctx, d.ID, storage.NewTag{Name: in.Name, Ref: in.Ref, Description: in.Description}, r)
		},
		tell: func(t catalog.Tag) (calls.Answer, error) {
			return say(http.StatusCreated, "/api/v1/datasets/"+d.ID+"/tags/"+url.PathEscape(t.Name), viewTag(t))
		},
	})
}

type tagList struct {
	Tags []tagView `json:"tags"`
}

func (a *API) listTags(c *fiber.Ctx) error {
	var in datasetIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in)
	if err != nil {
		return err
	}
	list, err := a.tags(c.UserContext(), d)
	if err != nil {
		return err
	}
	return ok(c, tagList{list})
}

// tags returns a dataset's tags by name.
func (a *API) tags(ctx context.Context, d catalog.Dataset) ([]tagView, error) {
	list, err := a.store.Tags(ctx, d.ID)
	out := []tagView{}
	for _, t := range list {
		out = append(out, viewTag(t))
	}
	return out, err
}

type oneTagIn struct {
	datasetIn
	Tag string `path:"tag" required:"true" json:"-"`
}

func (a *API) getTag(c *fiber.Ctx) error {
	var in oneTagIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	t, err := a.store.FindTag(c.UserContext(), d.ID, in.Tag)
	if err != nil {
		return err
	}
	return ok(c, viewTag(t))
}

type editTagIn struct {
	oneTagIn
	headIn
	Ref         *string `json:"ref" description:"What the tag names from now on."`
	Description *string `json:"description"`
}

func (a *API) editTag(c *fiber.Ctx) error {
	var in editTagIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Tag]{
		c: c, header: headerIn{headIn: in.headIn}, about: "Moving the tag",
		do: func(ctx context.Context, r storage.Request) (catalog.Tag, error) {
			return a.store.MoveTag(ctx, d.ID, in.Tag, storage.TagEdit{Ref: in.Ref, Description: in.Description}, r)
		},
		tell: func(t catalog.Tag) (calls.Answer, error) { return say(http.StatusOK, "", viewTag(t)) },
	})
}

type deleteTagIn struct {
	oneTagIn
	headIn
}

func (a *API) deleteTag(c *fiber.Ctx) error {
	var in deleteTagIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	return run(a, write[struct{}]{
		c: c, header: headerIn{headIn: in.headIn}, about: "Removing the tag", tell: tellNothing,
		do: func(ctx context.Context, r storage.Request) (struct{}, error) {
			return struct{}{}, a.store.RemoveTag(ctx, d.ID, in.Tag, r)
		},
	})
}
