package crunch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// variableID returns a column's id on the wire: its Parquet field id. Six digits, as in the clients' own ids; it never
// changes, unlike the alias.
func variableID(c schema.Column) string { return fmt.Sprintf("%06d", c.ID) }

// variablesPath returns the path of a dataset's catalog of variables.
func variablesPath(dataset string) string { return datasetPath(dataset) + "variables/" }

// variablePath returns the path of a variable's resource.
func variablePath(dataset string, c schema.Column) string {
	return variablesPath(dataset) + variableID(c) + "/"
}

// variableBody is a variable: in the catalog, as an entity, and in the metadata of a table.
type variableBody struct {
	ID          string            `json:"id"`
	Alias       string            `json:"alias"` // the column's name, in files and in SQL
	Name        string            `json:"name"`  // that people see
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Derived     bool              `json:"derived"`
	Derivation  json.RawMessage   `json:"derivation,omitempty"`
	Discarded   bool              `json:"discarded"`
	Notes       string            `json:"notes"`
	Categories  []schema.Category `json:"categories,omitempty"`
}

// viewVariable returns a column as a variable.
func viewVariable(s schema.Schema, c schema.Column) variableBody {
	v := variableBody{
		ID: variableID(c), Alias: c.Name, Name: c.Label(), Type: wireType(c), Description: c.Description,
		Derived: c.Derivation != "", Categories: c.Categories,
	}
	if v.Derived {
		v.Derivation = viewDerivation(s, c)
	}
	return v
}

// variable finds the variable that a request names, at the head of its dataset.
func (f *Face) variable(ctx context.Context, c *fiber.Ctx) (snapshot.State, schema.Column, error) {
	s, err := f.dataset(ctx, c)
	if err != nil {
		return s, schema.Column{}, err
	}
	id, err := strconv.Atoi(c.Params("variable"))
	column, ok := s.Schema.ByID(id)
	if err != nil || !ok {
		return s, column, notFound("variable_not_found",
			fmt.Sprintf("Variable '%.40s' not found in dataset '%s'", c.Params("variable"), s.Properties.Name))
	}
	return s, column, nil
}

// listVariables shows the variables of a dataset, in the order of its columns.
func (f *Face) listVariables(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	return show(c, document{Element: catalogElement, Self: site(c) + variablesPath(s.Dataset.ID), Index: variables(c, s)})
}

// variables returns the index of a dataset's variables.
func variables(c *fiber.Ctx, s snapshot.State) *index {
	out := &index{}
	for _, column := range s.Schema.Columns {
		out.add(site(c)+variablePath(s.Dataset.ID, column), viewVariable(s.Schema, column))
	}
	return out
}

// getVariable shows one variable.
func (f *Face) getVariable(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, column, err := f.variable(ctx, c)
	if err != nil {
		return err
	}
	at := site(c) + variablePath(s.Dataset.ID, column)
	return show(c, document{
		Element: entityElement, Self: at, Body: viewVariable(s.Schema, column),
		Catalogs: links{"parent": site(c) + variablesPath(s.Dataset.ID)},
		Views:    links{"values": at + "values/", "summary": at + "summary/", "cast": at + "cast/"},
		URLs:     links{"dataset_url": site(c) + datasetPath(s.Dataset.ID)},
	})
}

// createVariable adds a column. Its Location is known once it exists; until then, the Location is that of the result.
func (f *Face) createVariable(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in newVariable
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	wanted, err := in.wanted(s)
	if err != nil {
		return err
	}
	return finish(f, c, work[catalog.Commit]{
		about: "Creating the variable",
		tell:  func(result catalog.Commit) calls.Answer { return f.tellVariable(s.Dataset.ID, result) },
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			// The values are for the records that the client sees; the store wants one for each record.
			if s.Properties.Exclusion != nil && wanted.Values != nil {
				return f.makeSeen(ctx, s.Dataset.ID, wanted, r)
			}
			return f.makeVariable(ctx, s, wanted, r)
		},
	}, resultPath)
}

// makeVariable adds a column. If the server assigns the keys and there are no records yet, it adds a record for each
// value: the clients fill a dataset variable by variable. The records and the column are two commits, since the store
// adds columns to records that are there; a failure of the second undoes the first.
func (f *Face) makeVariable(
	ctx context.Context, s snapshot.State, n storage.NewVariable, r storage.Request,
) (k catalog.Commit, err error) {
	if s.Total() > 0 || s.Schema.Keyed() || len(n.Values) == 0 {
		return calls.Repeat(ctx, f.store, func() (catalog.Commit, error) {
			k, _, err := f.store.CreateVariable(ctx, s.Dataset.ID, n, r)
			return k, err
		})
	}
	if r.ExpectedHead == nil {
		r.ExpectedHead = &s.Commit.ID
	}
	rows, err := f.emptyRecords(ctx, s.Dataset.ID, len(n.Values),
		storage.Request{User: r.User, ExpectedHead: r.ExpectedHead})
	if err != nil {
		return k, err
	}
	calls.Note(ctx, rows)
	r.ExpectedHead = &rows.ID
	if k, _, err = f.store.CreateVariable(ctx, s.Dataset.ID, n, r); err == nil {
		return k, nil
	}
	_, undo := f.store.Rollback(ctx, s.Dataset.ID, rows.ID, storage.Stack, storage.Request{User: r.User})
	return k, errors.Join(err, undo)
}

// emptyRecords appends records without values. The server assigns their _id, which is their only value.
func (f *Face) emptyRecords(ctx context.Context, dataset string, n int, r storage.Request) (catalog.Commit, error) {
	u, err := calls.Stage(f.store, intake.JSON, func(out io.Writer) (int64, error) {
		size, err := io.WriteString(out, "[{}"+strings.Repeat(",{}", n-1)+"]")
		return int64(size), err
	})
	if err != nil {
		return catalog.Commit{}, err
	}
	defer u.Remove()
	return f.store.Commit(ctx, dataset, storage.Change{Request: r, Mode: catalog.Append, Upload: u.Upload})
}

// tellVariable answers with the URL of the variable that a commit has created.
func (f *Face) tellVariable(dataset string, k catalog.Commit) calls.Answer {
	// From the commit and not from the head: the variable may have been dropped since.
	id := viewParams(k).Params["variable"]
	return calls.Answer{Status: http.StatusCreated, Location: variablesPath(dataset) + fmt.Sprint(id) + "/"}
}

// editVariable changes a variable, as a commit.
func (f *Face) editVariable(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, column, err := f.variable(ctx, c)
	if err != nil {
		return err
	}
	var in variableEdit
	if err := f.readBody(c, &in); err != nil {
		return err
	}
	edit, err := in.wanted(s, column)
	if err != nil {
		return err
	}
	return finish(f, c, f.change("Changing the variable", s, column, edit), func(string) string {
		return variablePath(s.Dataset.ID, column)
	})
}

// change returns the work of changing a variable. It is the work of an edit and of a cast.
func (f *Face) change(
	about string, s snapshot.State, column schema.Column, edit storage.VariableEdit,
) work[catalog.Commit] {
	return work[catalog.Commit]{
		about: about,
		tell: func(catalog.Commit) calls.Answer {
			return calls.Answer{Status: http.StatusNoContent, Location: variablePath(s.Dataset.ID, column)}
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			k, _, err := f.store.EditVariable(ctx, s.Dataset.ID, column.ID, edit, r)
			return k, err
		},
	}
}

// deleteVariable drops a variable, as a commit.
func (f *Face) deleteVariable(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, column, err := f.variable(ctx, c)
	if err != nil {
		return err
	}
	r, err := f.request(c)
	if err != nil {
		return err
	}
	k, err := calls.Repeat(ctx, f.store, func() (catalog.Commit, error) {
		return f.store.DropVariable(ctx, s.Dataset.ID, column.ID, r)
	})
	if err != nil {
		return err
	}
	calls.Note(ctx, k)
	return c.SendStatus(http.StatusNoContent)
}

// getFolders and getPublicFolder exist because scrunch asks for them before anything else: all variables are in
// one folder.
func (f *Face) getFolders(c *fiber.Ctx) error {
	if _, err := f.dataset(c.UserContext(), c); err != nil {
		return err
	}
	return show(c, document{Element: catalogElement, Index: &index{}, Catalogs: links{"public": self(c) + "public/"}})
}

// getPublicFolder shows all variables, as a catalog and in order.
func (f *Face) getPublicFolder(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	all := variables(c, s)
	return show(c,
		document{Element: catalogElement, Body: map[string]any{"name": "Variables"}, Index: all, Graph: all.urls()})
}
