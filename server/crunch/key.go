package crunch

import (
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/fault"
)

// getKey shows the variables of a dataset's key, as clients know it: its pk.
func (f *Face) getKey(c *fiber.Ctx) error {
	s, err := f.dataset(c.UserContext(), c)
	if err != nil {
		return err
	}
	key := []string{}
	if s.Schema.Keyed() {
		for _, column := range s.Schema.KeyColumns() {
			key = append(key, site(c)+variablePath(s.Dataset.ID, column))
		}
	}
	return show(c, document{Element: entityElement, Body: map[string]any{"pk": key}})
}

// deleteKey succeeds on a dataset without a key. A declared key cannot be removed, so otherwise it refuses. scrunch
// deletes the key before it appends, whether there is one or not.
func (f *Face) deleteKey(c *fiber.Ctx) error {
	s, err := f.dataset(c.UserContext(), c)
	if err != nil {
		return err
	}
	if s.Schema.Keyed() {
		return &fault.Error{
			Kind: fault.Conflict, Code: "key_kept",
			Detail: fmt.Sprintf("Dataset '%s' was created with a key, and keeps it. "+
				"Append without deleting it: delete_pk=False in scrunch.", s.Properties.Name),
		}
	}
	return c.SendStatus(http.StatusNoContent)
}
