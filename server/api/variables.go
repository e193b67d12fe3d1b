package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// variableView is a column, with what users have declared about it. It is what columnView is for the schema, with the
// fields under which collaborators know a column (seed 001).
type variableView struct {
	ID          int               `json:"id" description:"The Parquet field id."`
	Name        string            `json:"name" description:"${variable.name}"`
	Title       string            `json:"title" description:"${variable.title}"`
	Type        string            `json:"type" description:"${variable.type}"`
	Description string            `json:"description"`
	Derivation  *string           `json:"derivation" description:"${variable.derivation}"`
	Categories  []schema.Category `json:"categories" description:"${variable.categories}"`
	Key         bool              `json:"key"`
}

// viewVariable returns a column as clients see it.
func viewVariable(s schema.Schema, c schema.Column) variableView {
	v := variableView{
		ID: c.ID, Name: c.Name, Title: c.Label(), Type: c.Type.String(), Description: c.Description, Categories: c.Categories,
		Key: s.IsKey(c.ID),
	}
	if text := s.DerivationText(c); text != "" {
		v.Derivation = &text
	}
	if v.Categories == nil {
		v.Categories = []schema.Category{}
	}
	return v
}

// variableList is all variables at a ref. Commit is what the ref stood for.
type variableList struct {
	Ref       string         `json:"ref"`
	Commit    int64          `json:"commit"`
	Variables []variableView `json:"variables"`
}

// listVariables lists the variables at a ref, without _id and _commit.
func (a *API) listVariables(c *fiber.Ctx, d catalog.Dataset, in refIn) error {
	s, err := a.store.State(c.UserContext(), d.ID, in.ref())
	if err != nil {
		return err
	}
	list := views(s.Schema.Columns, func(column schema.Column) variableView { return viewVariable(s.Schema, column) })
	return ok(c, variableList{in.ref(), s.Commit.ID, list})
}

// oneVariableIn identifies a variable at the head.
type oneVariableIn struct {
	datasetIn
	Variable string `path:"variable" required:"true" description:"Field id, or name." json:"-"`
}

// variable is a column at the head of its dataset.
type variable struct {
	schema.Column
	in snapshot.State
}

// variable finds the column that a request names, at the head, by id or name.
func (a *API) variable(ctx context.Context, in oneVariableIn) (variable, error) {
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return variable{}, err
	}
	s, err := a.store.State(ctx, d.ID, "head")
	if err != nil {
		return variable{}, err
	}
	id, err := strconv.Atoi(in.Variable)
	// The id first: a column may have the name "7", and is then found by its own id or by no other column's.
	i := slices.IndexFunc(s.Schema.Columns, func(c schema.Column) bool { return err == nil && c.ID == id })
	if i < 0 {
		i = slices.IndexFunc(s.Schema.Columns, func(c schema.Column) bool { return schema.SameName(c.Name, in.Variable) })
	}
	if i < 0 {
		return variable{}, &fault.Error{
			Kind: fault.NotFound, Code: "variable_not_found",
			Detail: fmt.Sprintf("Dataset '%s' has no variable with the id or the name %.100q.", s.Dataset.Name, in.Variable),
		}
	}
	return variable{s.Schema.Columns[i], s}, nil
}

// getVariable describes one variable as of the head.
func (a *API) getVariable(c *fiber.Ctx, v variable, _ oneVariableIn) error {
	return ok(c, viewVariable(v.in.Schema, v.Column))
}

// maxValues is the largest body of a new variable, in bytes. It may have a value for each record.
const maxValues = 256 << 20

// createVariableIn is the request to add a variable.
type createVariableIn struct {
	datasetIn
	headerIn
	Name        string                  `json:"name" required:"true" minLength:"1"`
	Title       string                  `json:"title" description:"To show in place of the name."`
	Type        string                  `json:"type" description:"${new_variable.type}"`
	Description string                  `json:"description"`
	Derivation  string                  `json:"derivation" description:"${new_variable.derivation}"`
	Categories  []storage.GivenCategory `json:"categories" description:"Of a VARCHAR: the strings that it may hold."`
	Values      []json.RawMessage       `json:"values" description:"${variable.values}"`
	Message     string                  `json:"message"`
}

// variableCommit is a variable, with the commit that made or changed it.
type variableCommit struct {
	variableView
	Commit *commitView `json:"commit" description:"null if nothing changed."`
}

// createVariable adds a variable, as a commit: with a value for each record, with a derivation, or empty.
func (a *API) createVariable(c *fiber.Ctx) error {
	// Read here under the larger limit; bind then gets the same bytes and does not apply its own.
	if _, err := a.host.ReadBody(c, maxValues); err != nil {
		return err
	}
	var in createVariableIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(c.UserContext(), in.datasetIn)
	if err != nil {
		return err
	}
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: "Creating variable " + in.Name, tell: tellVariable,
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			r.Message = in.Message
			k, _, err := a.store.CreateVariable(ctx, d.ID, storage.NewVariable{
				Name: in.Name, Title: in.Title, Type: in.Type, Description: in.Description, Derivation: in.Derivation,
				Categories: storage.Numbered(in.Categories, nil), Values: in.Values,
			}, r)
			return k, err
		},
	})
}

// tellVariable makes the answer of a variable that was just created, from the description in its commit.
func tellVariable(k catalog.Commit) (calls.Answer, error) {
	// From the commit and not from the head: a repeated request may be answered after the variable has changed again.
	var params struct {
		Definition variableView `json:"definition"`
	}
	if err := json.Unmarshal(k.Params, &params); err != nil {
		return calls.Answer{}, err
	}
	v, commit := params.Definition, viewCommit(k)
	v.Title = cmp.Or(v.Title, v.Name)
	if v.Categories == nil {
		v.Categories = []schema.Category{}
	}
	return say(http.StatusCreated, fmt.Sprintf("/api/v1/datasets/%s/variables/%d", k.DatasetID, v.ID),
		variableCommit{v, &commit})
}

// editVariableIn is the request to change a variable. Fields that are left out keep their values.
type editVariableIn struct {
	oneVariableIn
	headIn
	Message     string                   `query:"message" json:"-"`
	Name        *string                  `json:"name" nullable:"false"`
	Title       *string                  `json:"title" nullable:"false" description:"Empty: the name is shown again."`
	Type        *string                  `json:"type" nullable:"false"`
	Description *string                  `json:"description" nullable:"false"`
	Derivation  *string                  `json:"derivation" nullable:"false"`
	Categories  *[]storage.GivenCategory `json:"categories" nullable:"false"`
}

// editVariable changes a variable, as a commit. No file is rewritten: values are cast when they are read.
func (a *API) editVariable(c *fiber.Ctx, found variable, in editVariableIn) error {
	// do knows whether there was a commit, and tell has to say so: they run one after the other.
	made := true
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Changing variable " + found.Name,
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			r.Message = in.Message
			edit := storage.VariableEdit{
				Name: in.Name, Title: in.Title, Type: in.Type, Description: in.Description, Derivation: in.Derivation,
			}
			if in.Categories != nil {
				numbered := storage.Numbered(*in.Categories, found.Categories)
				edit.Categories = &numbered
			}
			k, _, err := a.store.EditVariable(ctx, found.in.Dataset.ID, found.ID, edit, r)
			if err != nil {
				return snapshot.State{}, err
			}
			if made = k.ID != 0; !made {
				return a.store.State(ctx, found.in.Dataset.ID, "head")
			}
			return a.leftBy(ctx, k, r)
		},
		tell: func(now snapshot.State) (calls.Answer, error) {
			changed, _ := now.Schema.ByID(found.ID)
			v := variableCommit{variableView: viewVariable(now.Schema, changed)}
			if commit := viewCommit(now.Commit); made { // otherwise nothing changed, and it is an earlier one
				v.Commit = &commit
			}
			return say(http.StatusOK, "", v)
		},
	})
}

// deleteVariableIn is the request to drop a variable.
type deleteVariableIn struct {
	oneVariableIn
	headIn
	Message string `query:"message" json:"-"`
}

// deleteVariable drops a variable, as a commit, which can be rolled back. Its values stay in the files.
func (a *API) deleteVariable(c *fiber.Ctx, found variable, in deleteVariableIn) error {
	return run(a, write[catalog.Commit]{
		c: c, header: in.header(), about: "Dropping variable " + found.Name,
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			r.Message = in.Message
			return a.store.DropVariable(ctx, found.in.Dataset.ID, found.ID, r)
		},
		tell: func(result catalog.Commit) (calls.Answer, error) {
			return say(http.StatusOK, "", viewCommit(result))
		},
	})
}
