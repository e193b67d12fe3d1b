package crunch

import (
	"encoding/json"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// getExclusion shows the expression of the records that clients do not see; {} where they see all.
func (f *Face) getExclusion(c *fiber.Ctx) error {
	s, err := f.dataset(c.UserContext(), c)
	if err != nil {
		return err
	}
	shown := json.RawMessage("{}")
	// Kept with the columns' ids, and shown with the aliases that they have now.
	if e := s.Properties.Exclusion; e != nil {
		if shown, err = expression.Show(s.Schema, e.Expression); err != nil {
			return err
		}
	}
	return show(c, document{Element: entityElement, Body: map[string]any{"expression": shown}})
}

// editExclusion hides the records that an expression selects; {} shows all again. The records stay as they are.
func (f *Face) editExclusion(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in struct {
		Expression json.RawMessage `json:"expression"`
	}
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	if in.Expression == nil {
		return invalid("expression", "is required; {} removes the exclusion")
	}
	var e catalog.Exclusion
	if !expression.IsEmpty(in.Expression) {
		read, err := expression.Read(s.Schema, s.Dataset.ID, in.Expression)
		if err != nil {
			return err
		}
		e.Expression = read.Text
		if e.Condition, err = read.Condition(); err != nil {
			return err
		}
	}
	r, err := f.request(c)
	if err != nil {
		return err
	}
	if r.ExpectedHead == nil {
		r.ExpectedHead = &s.Commit.ID // that the expression was read for
	}
	k, err := calls.Repeat(ctx, f.store, func() (catalog.Commit, error) {
		return f.store.EditDataset(ctx, s.Dataset.ID, storage.Edit{Exclusion: &e}, r)
	})
	if err != nil {
		return err
	}
	calls.Note(ctx, k)
	return c.SendStatus(http.StatusNoContent)
}
