package storage

import (
	"cmp"
	"context"
	"reflect"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// A variable is a column as people see it (design, section 2). Creating, changing and dropping one is a commit of mode
// schema: it goes by field id, so that no file is written anew, every earlier state reads with the schema it had, and a
// rollback undoes it.

// beginVariable begins a commit of variables.
func (s *Store) beginVariable(ctx context.Context, dataset string, r Request) (variableWork, error) {
	w, err := s.begin(ctx, dataset, r, catalog.Schema)
	return variableWork{w}, err
}

// CreateVariable adds a column, as a commit. It never takes over the id, nor the values, of one that was there before.
func (s *Store) CreateVariable(
	ctx context.Context, dataset string, n NewVariable, r Request,
) (catalog.Commit, schema.Column, error) {
	w, err := s.beginVariable(ctx, dataset, r)
	if err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	defer w.end()
	if err := w.checkName(n.Name, 0); err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	if err := checkCategories(n.Categories); err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	// Its type is found from the values, the derivation or what is declared; NULL until then.
	id, err := w.family.nextFieldID(ctx)
	if err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	c := schema.Column{
		ID: id, Name: n.Name, Description: n.Description, Categories: n.Categories,
		Type: schema.Of(schema.Null),
	}
	if c, err = titled(c, n.Title); err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	if n.Derivation != "" {
		c.Expression = n.Expression
		err = w.createDerived(ctx, c, n)
	} else {
		err = w.createStored(ctx, c, n)
	}
	if err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	if len(n.Values) > 0 && len(n.Values) <= shownValues {
		w.setParam("values", n.Values)
	}
	return w.publish(ctx, "Variable.create", c.ID)
}

// shownValues is up to how many values the log of a variable's creation has.
const shownValues = 100

// publish makes the commit stand, with what it did to a variable that is there.
func (w variableWork) publish(ctx context.Context, key string, id int) (catalog.Commit, schema.Column, error) {
	if err := w.deriveTypes(ctx); err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	c, _ := w.schema.ByID(id)
	w.tell(key, w.schema, c)
	commit, err := publish(ctx, w.work, asCommit)
	return commit, c, err
}

// VariableEdit is a change of a variable. Nil fields stay as they are.
type VariableEdit struct {
	Name        *string
	Title       *string // empty: none any more
	Description *string
	Type        *string
	Derivation  *string // of a derived variable
	Expression  string  // that the derivation was made of, if it was
	Categories  *[]schema.Category
}

// EditVariable renames, describes, retypes or derives a column anew, as a commit. variable is its field id. Where that
// changes nothing, there is no commit, and the one that is returned is zero.
func (s *Store) EditVariable(
	ctx context.Context, dataset string, variable int, e VariableEdit, r Request,
) (catalog.Commit, schema.Column, error) {
	w, err := s.beginVariable(ctx, dataset, r)
	if err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	defer w.end()
	before, err := w.variable(variable)
	if err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	if err := w.edit(ctx, before, e); err != nil {
		return catalog.Commit{}, schema.Column{}, err
	}
	// A commit that changes nothing would only block rollbacks.
	if reflect.DeepEqual(w.schema, w.head.Schema) {
		return catalog.Commit{}, before, nil
	}
	snapshot.FollowNames(w.head.Schema, w.schema, &w.properties)
	after, _ := w.schema.ByID(variable)
	return w.publish(ctx, editKey(before, after), variable)
}

// edit makes each change that is asked for, one after the other.
func (w variableWork) edit(ctx context.Context, c schema.Column, e VariableEdit) error {
	if e.Name != nil {
		if err := w.checkName(*e.Name, c.ID); err != nil {
			return err
		}
		c.Name = *e.Name
	}
	c, err := titled(c, *cmp.Or(e.Title, &c.Title))
	if err != nil {
		return err
	}
	if e.Description != nil {
		c.Description = *e.Description
	}
	if e.Categories != nil {
		if err := checkCategories(*e.Categories); err != nil {
			return err
		}
		c.Categories = *e.Categories
		if len(c.Categories) == 0 {
			c.Categories = nil
		}
	}
	w.schema = w.schema.With(c)
	switch {
	case e.Derivation != nil:
		c.Expression = e.Expression
		return w.rederive(ctx, c, *e.Derivation, e.Type)
	case e.Type != nil:
		return w.retype(ctx, c, *e.Type)
	}
	// The type stays, so only new categories may not fit it.
	return checkCategorical(c)
}

// editKey is what an edit is called as an action.
func editKey(before, after schema.Column) string {
	keys := []string{}
	for key, changed := range map[string]bool{
		"Variable.rename":   before.Name != after.Name || before.Title != after.Title,
		"Variable.describe": before.Description != after.Description,
		"Variable.retype":   !before.Derived() && !before.Type.Equal(after.Type),
		"Variable.derive":   before.Derivation != after.Derivation,
		"Variable.edit":     !reflect.DeepEqual(before.Categories, after.Categories),
	} {
		if changed {
			keys = append(keys, key)
		}
	}
	if len(keys) != 1 {
		return "Variable.edit"
	}
	return keys[0]
}

// DropVariable takes a column away, as a commit. Its values stay in the files.
func (s *Store) DropVariable(ctx context.Context, dataset string, variable int, r Request) (catalog.Commit, error) {
	w, err := s.beginVariable(ctx, dataset, r)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	c, err := w.variable(variable)
	if err != nil {
		return catalog.Commit{}, err
	}
	if w.schema.IsKey(c.ID) {
		return catalog.Commit{}, fault.Errorf(fault.Invalid, "key_variable",
			"Variable %q is in the key (%s) and can't be dropped.", c.Name, keyNames(w.schema.KeyColumns()))
	}
	if isRequired(w.properties, c.Name) {
		return catalog.Commit{}, fault.Errorf(fault.Invalid, "required_variable",
			"Variable %q is required and can't be dropped. Take it from the dataset's required columns first.", c.Name)
	}
	if users := w.schema.DerivedFrom(c.ID); len(users) > 0 {
		return catalog.Commit{}, fault.Errorf(fault.Conflict, "variable_used",
			"Variable %q can't be dropped: %s derived from it. Drop that first, or change its derivation.",
			c.Name, areNames(users)).
			With("variables", columnNamesOf(users))
	}
	// The id is remembered as dropped, so that records that bring a column of the name make a new one.
	w.schema = w.schema.Drop(c.ID)
	w.tell("Variable.drop", w.head.Schema, c)
	return publish(ctx, w.work, asCommit)
}
