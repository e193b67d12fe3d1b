package crunch

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"rowback/server/crunch/expression"
	"rowback/storage"
	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// getExclusion shows the expression of the records that clients do not see; {} where they see all.
func (f *Face) getExclusion(c *fiber.Ctx) error {
	s, err := f.dataset(c.UserContext(), c)
	if err != nil {
		return err
	}
	shown := json.RawMessage("{}")
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
		e = catalog.Exclusion{Expression: read.Text, Condition: read.SQL}
	}
	r, err := f.request(c)
	if err != nil {
		return err
	}
	if r.ExpectedHead == nil {
		r.ExpectedHead = &s.Commit.ID // that the expression was read for
	}
	if _, err := f.store.EditDataset(ctx, s.Dataset.ID, storage.Edit{Exclusion: &e}, r); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

// openSeen opens a connection on which some columns of the records that clients see can be read from from, by name.
func (f *Face) openSeen(
	ctx context.Context, snap *snapshot.Snapshot, columns []schema.Column,
) (conn *duck.Conn, from string, err error) {
	excluded, reads, err := storage.Excluded(snap.State)
	if err != nil {
		return nil, "", err
	}
	conn, from, err = f.store.OpenTable(ctx, snap, append(reads, columns...))
	if err == nil && excluded != "" {
		from = "(SELECT * FROM " + from + " WHERE NOT " + excluded + ")"
	}
	return conn, from, err
}

// count returns how many records clients see.
func (f *Face) count(ctx context.Context, s snapshot.State) (n int64, err error) {
	if s.Properties.Exclusion == nil {
		return s.Total(), nil
	}
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	if err != nil {
		return 0, err
	}
	conn, from, err := f.openSeen(ctx, snap, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	err = conn.Row(ctx, "SELECT count(*) FROM "+from, &n)
	return n, err
}
