package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// createTagIn is the request to name a state with a tag. The ref is resolved at once: a tag of head stays where head
// was.
type createTagIn struct {
	datasetIn
	headerIn
	Name        string `json:"name" required:"true" minLength:"1" maxLength:"100"`
	Ref         string `json:"ref" default:"head" description:"What the tag names: ${refs}."`
	Description string `json:"description"`
}

// createTag names the state at a ref with a tag. A name that is taken is refused with 409; editTag moves a tag.
func (a *API) createTag(c *fiber.Ctx, d catalog.Dataset, in createTagIn) error {
	return run(a, write[catalog.Tag]{
		c: c, header: in.header(), about: "Tagging",
		do: func(ctx context.Context, r storage.Request) (catalog.Tag, error) {
			return a.store.CreateTag(ctx, d.ID, storage.NewTag{Name: in.Name, Ref: in.Ref, Description: in.Description}, r)
		},
		tell: func(t catalog.Tag) (calls.Answer, error) {
			// By the dataset's id: the URL stays right when the dataset is renamed.
			return say(http.StatusCreated, "/api/v1/datasets/"+d.ID+"/tags/"+url.PathEscape(t.Name), viewTag(t))
		},
	})
}

// tagList is all tags of a dataset.
type tagList struct {
	Tags []tagView `json:"tags"`
}

// listTags lists the tags of a dataset, by name.
func (a *API) listTags(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	list, err := a.store.Tags(c.UserContext(), d.ID)
	if err != nil {
		return err
	}
	return ok(c, tagList{views(list, viewTag)})
}

// oneTagIn identifies a tag.
type oneTagIn struct {
	datasetIn
	Tag string `path:"tag" required:"true" json:"-"`
}

// getTag describes one tag.
func (a *API) getTag(c *fiber.Ctx, d catalog.Dataset, in oneTagIn) error {
	t, err := a.store.FindTag(c.UserContext(), d.ID, in.Tag)
	if err != nil {
		return err
	}
	return ok(c, viewTag(t))
}

// editTagIn is the request to move or describe a tag. Fields that are left out keep their values.
type editTagIn struct {
	oneTagIn
	headIn
	Ref         *string `json:"ref" nullable:"false" description:"What the tag names from now on: ${refs}."`
	Description *string `json:"description" nullable:"false"`
}

// editTag moves a tag to the state at a ref, or describes it. A tag is not part of the history: this makes no commit.
func (a *API) editTag(c *fiber.Ctx, d catalog.Dataset, in editTagIn) error {
	return run(a, write[catalog.Tag]{
		c: c, header: in.header(), about: "Moving the tag",
		do: func(ctx context.Context, r storage.Request) (catalog.Tag, error) {
			return a.store.MoveTag(ctx, d.ID, in.Tag, storage.TagEdit{Ref: in.Ref, Description: in.Description}, r)
		},
		tell: func(t catalog.Tag) (calls.Answer, error) { return say(http.StatusOK, "", viewTag(t)) },
	})
}

// deleteTagIn is the request to remove a tag.
type deleteTagIn struct {
	oneTagIn
	headIn
}

// deleteTag removes a tag; the commit that it named stays.
func (a *API) deleteTag(c *fiber.Ctx, d catalog.Dataset, in deleteTagIn) error {
	return remove(a, c, in.header(), "Removing the tag", func(ctx context.Context, r storage.Request) error {
		return a.store.RemoveTag(ctx, d.ID, in.Tag, r)
	})
}
