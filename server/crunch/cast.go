package crunch

import (
	"context"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// maxCategories is how many different values a variable may have to become categorical. More values than that are text:
// the answers of the clients' resources have all categories of a variable.
const maxCategories = 1000

// askCast reports whether a variable could be cast, and changes nothing.
func (f *Face) askCast(c *fiber.Ctx) error {
	to := c.Query("cast_as")
	s, column, edit, err := f.castEdit(c, to)
	if err != nil {
		return err
	}
	// A dry run of the change itself, so that the answer is what the change would find.
	ask := storage.Request{User: f.user(c), Preview: &storage.Preview{}}
	if _, _, err := f.store.EditVariable(c.UserContext(), s.Dataset.ID, column.ID, edit, ask); err != nil {
		return err
	}
	return showView(c, map[string]any{"cast_as": to, "type": wireType(column)})
}

// cast changes the type of a variable, with its values.
func (f *Face) cast(c *fiber.Ctx) error {
	var in struct {
		CastAs string `json:"cast_as"`
	}
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	s, column, edit, err := f.castEdit(c, in.CastAs)
	if err != nil {
		return err
	}
	w := f.change("Casting the variable", s, column, edit)
	change := w.do
	w.do = func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
		if r.ExpectedHead == nil {
			r.ExpectedHead = &s.Commit.ID // that the categories are of
		}
		return change(ctx, r)
	}
	return finish(f, c, w, func(string) string { return variablePath(s.Dataset.ID, column) })
}

// castEdit returns the change that casts the variable which a request names.
func (f *Face) castEdit(
	c *fiber.Ctx, to string,
) (s snapshot.State, column schema.Column, edit storage.VariableEdit, err error) {
	if s, column, err = f.variable(c.UserContext(), c); err != nil {
		return s, column, edit, err
	}
	switch to {
	case numericType, textType, datetimeType, categoricalType:
	default:
		return s, column, edit, invalid("cast_as", fmt.Sprintf("must be text, numeric, datetime or categorical, not %q", to))
	}
	if wireType(column) == to {
		return s, column, edit, nil
	}
	typ, err := columnType(to, storage.NewVariable{})
	if err != nil {
		return s, column, edit, err
	}
	// Without categories, unless it becomes categorical: text with categories would still be categorical.
	edit = storage.VariableEdit{Type: &typ, Categories: &[]schema.Category{}}
	if to == categoricalType {
		found, err := f.valuesAsCategories(c.UserContext(), s, column)
		if err != nil {
			return s, column, edit, err
		}
		edit.Categories = &found
	}
	return s, column, edit, nil
}

// valuesAsCategories returns a category for each different value that a variable has, in order.
func (f *Face) valuesAsCategories(
	ctx context.Context, s snapshot.State, column schema.Column,
) (out []schema.Category, err error) {
	snap, err := f.store.Snapshot(ctx, s.Dataset.ID, commitRef(s))
	if err != nil {
		return nil, err
	}
	conn, from, err := f.store.OpenTable(ctx, snap, []schema.Column{column})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	value := duck.Ident(column.Name)
	// One more than allowed shows that there are too many, without reading them all.
	query := fmt.Sprintf(`SELECT CAST(v AS VARCHAR) FROM (SELECT DISTINCT %s AS v FROM %s)
		WHERE v IS NOT NULL ORDER BY v LIMIT %d`, value, from, maxCategories+1)
	err = conn.Rows(ctx, query, func(scan duck.Scan) error {
		c := schema.Category{ID: int64(len(out) + 1)}
		err := scan(&c.Name)
		out = append(out, c)
		return err
	})
	if len(out) > maxCategories {
		return nil, invalid("cast_as", fmt.Sprintf("a variable with more than %d different values can't become categorical",
			maxCategories))
	}
	return out, err
}
