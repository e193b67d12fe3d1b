package api

import (
	"fmt"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
	"rowback/storage/schema"
)

// variableView is a column as people describe it.
type variableView struct {
	ID          int               `json:"id" description:"The Parquet field id."`
	Name        string            `json:"name"`
	Type        string            `json:"type" description:"As DuckDB writes it; NULL where no value has been seen."`
	Description string            `json:"description"`
	Derivation  *string           `json:"derivation" description:"SQL over other columns that it is computed from; null where its values are stored."`
	Categories  []schema.Category `json:"categories" description:"What it was declared to hold; empty where nothing was."`
	Key         bool              `json:"key"`
}

func viewVariable(s schema.Schema, c schema.Column) variableView {
	v := variableView{ID: c.ID, Name: c.Name, Type: c.Type.String(), Description: c.Description, Categories: c.Categories, Key: s.IsKey(c.ID)}
	if text := storage.DerivationText(s, c); text != "" {
		v.Derivation = &text
	}
	if v.Categories == nil {
		v.Categories = []schema.Category{}
	}
	return v
}

type variableList struct {
	Ref       string         `json:"ref"`
	Commit    int64          `json:"commit"`
	Variables []variableView `json:"variables"`
}

func (a *API) listVariables(c *fiber.Ctx) error {
	var in refIn
	if err := bind(c, &in); err != nil {
		return err
	}
	d, err := a.dataset(a.base, in.datasetIn)
	if err != nil {
		return err
	}
	s, err := a.store.State(a.base, d.ID, in.ref())
	if err != nil {
		return err
	}
	out := variableList{Ref: in.ref(), Commit: s.Commit.ID, Variables: []variableView{}}
	for _, c := range s.Schema.Columns {
		out.Variables = append(out.Variables, viewVariable(s.Schema, c))
	}
	return ok(c, out)
}

type oneVariableIn struct {
	datasetIn
	Variable string `path:"variable" required:"true" description:"Field id, or name." json:"-"`
}

// variable finds the column that a request names, at the head: by its id, or by its name.
func (a *API) variable(in oneVariableIn) (s storage.State, found schema.Column, err error) {
	d, err := a.dataset(a.base, in.datasetIn)
	if err != nil {
		return s, found, err
	}
	if s, err = a.store.State(a.base, d.ID, "head"); err != nil {
		return s, found, err
	}
	known := false
	if id, err := strconv.Atoi(in.Variable); err == nil {
		found, known = s.Schema.ByID(id)
	}
	if !known {
		found, known = s.Schema.ByName(in.Variable)
	}
	if !known {
		err = &storage.Error{Kind: storage.NotFound, Code: "variable_not_found", Detail: fmt.Sprintf("Dataset '%s' has no variable with the id or the name %.100q.", s.Dataset.Name, in.Variable)}
	}
	return s, found, err
}

func (a *API) getVariable(c *fiber.Ctx) error {
	var in oneVariableIn
	if err := bind(c, &in); err != nil {
		return err
	}
	s, found, err := a.variable(in)
	if err != nil {
		return err
	}
	return ok(c, viewVariable(s.Schema, found))
}
