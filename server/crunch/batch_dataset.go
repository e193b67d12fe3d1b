package crunch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/crunch/expression"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// otherDataset is what a batch appends of another dataset: some variables, or all where none are named, of the records
// that clients see there and that the filter selects.
type otherDataset struct {
	Dataset   string          `json:"dataset"`
	Variables []string        `json:"variables"`
	Where     json.RawMessage `json:"where"` // the variables as a frame
	Filter    json.RawMessage `json:"filter"`
}

// state returns the head of the dataset that is appended to another.
func (in otherDataset) state(ctx context.Context, f *Face, to snapshot.State) (s snapshot.State, err error) {
	id, err := idIn("dataset", in.Dataset, "datasets")
	if err != nil {
		return s, err
	}
	// Every record would conflict with itself where there is a key, and be doubled where there is none.
	if id == to.Dataset.ID {
		return s, invalid("dataset", "must be another one: a dataset is not appended to itself")
	}
	if s, err = f.store.State(storage.Reading(ctx), id, "head"); err != nil {
		return s, err
	}
	// Both are read again when the batch runs; here they are only checked, so that a mistake is refused at once.
	if _, err = in.columns(s); err == nil {
		_, err = selectSeen(s, in.Filter)
	}
	return s, err
}

// columns returns those that are appended.
func (in otherDataset) columns(s snapshot.State) (out []schema.Column, err error) {
	// An empty list is not the same: it names no variables, and is refused.
	if in.Variables == nil && expression.IsEmpty(in.Where) {
		return s.Schema.Columns, nil
	}
	named := slices.Clone(in.Variables)
	if !expression.IsEmpty(in.Where) {
		frame, err := frameOf(in.Where)
		if err != nil {
			return nil, err
		}
		named = append(named, frame...)
	}
	for _, name := range named {
		c, err := expression.Find(s.Schema, s.Dataset.ID, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o schema.Column) bool { return o.ID == c.ID }) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, invalid("where", "names no variables")
	}
	return out, nil
}

// frameOf returns the variables of a frame: frame_subset names them in a list, select in a map.
func frameOf(text json.RawMessage) (named []string, err error) {
	var frame struct {
		Function string `json:"function"`
		Args     []struct {
			Value []string `json:"value"`
			Map   ordered[struct {
				Var      string `json:"var"`
				Variable string `json:"variable"`
			}] `json:"map"`
		} `json:"args"`
	}
	if err := decode(text, &frame, "where"); err != nil {
		return nil, err
	}
	switch frame.Function {
	case "frame_subset", "select", "make_frame":
	default:
		return nil, invalid("where", fmt.Sprintf("must be frame_subset, select or make_frame, not %q", frame.Function))
	}
	for _, a := range frame.Args {
		named = append(named, a.Value...)
		for _, v := range a.Map {
			named = append(named, v.Value.Var+v.Value.Variable)
		}
	}
	return named, nil
}

// appendDataset appends records of another dataset, which match by alias.
func (f *Face) appendDataset(
	ctx context.Context, to snapshot.State, in otherDataset, savepoint bool, r storage.Request,
) (k catalog.Commit, err error) {
	s, err := in.state(ctx, f, to)
	if err != nil {
		return k, err
	}
	all, err := in.columns(s)
	if err != nil {
		return k, err
	}
	// A column that is derived here has no stored values to append to.
	columns := slices.DeleteFunc(slices.Clone(all), func(c schema.Column) bool {
		own, ok := to.Schema.ByName(c.Name)
		return ok && own.Derived()
	})
	from := sources.Source{Name: s.Properties.Name}
	from.Upload, err = f.extract(ctx, s, columns, in.Filter)
	defer from.Upload.Remove()
	if err != nil {
		return k, err
	}
	to.Schema, from.Columns = withCategories(to.Schema, columns)
	return f.append(ctx, to, from, savepoint, r)
}

// extract writes columns of the selected records to a file, in the order of the key. The file is then appended like any
// upload. The order of the key makes the numbering of new rows repeatable.
func (f *Face) extract(
	ctx context.Context, s snapshot.State, columns []schema.Column, filter json.RawMessage,
) (u calls.Upload, err error) {
	selected, err := selectSeen(s, filter)
	if err != nil {
		return u, err
	}
	snap, err := f.store.Snapshot(storage.Reading(ctx), s.Dataset.ID, commitRef(s))
	if err != nil {
		return u, err
	}
	types := map[string]schema.Type{}
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i], types[c.Name] = duck.Ident(c.Name), c.Type
	}
	u.Upload, _, err = f.store.Extract(ctx, snap, append(selected.reads, columns...), types, func(from string) string {
		return "SELECT " + strings.Join(list, ", ") + " FROM " + selected.of(from) + snap.Order()
	})
	return u, err
}

// withCategories returns the schema of a dataset with the categories that columns of another bring, and those columns
// as they are in it.
func withCategories(s schema.Schema, columns []schema.Column) (schema.Schema, []schema.Column) {
	brought := slices.Clone(columns)
	for i, c := range brought {
		own, ok := s.ByName(c.Name)
		if !ok {
			continue
		}
		if isCategorical(own) {
			own.Categories = union(own.Categories, c.Categories)
		}
		brought[i] = own
		s = s.With(own)
	}
	return s, brought
}

// union returns categories, and those of others that have other names, which keep their ids where those are free.
func union(own, others []schema.Category) []schema.Category {
	given := make([]storage.GivenCategory, 0, len(own)+len(others))
	ids, names := map[int64]bool{}, map[string]bool{}
	for _, k := range slices.Concat(own, others) {
		if names[k.Name] {
			continue
		}
		g := storage.GivenCategory{
			ID: &k.ID, Name: k.Name, NumericValue: k.NumericValue, Missing: k.Missing, Selected: k.Selected,
		}
		// Taken by another name here: the category gets a free id, and its records keep its name.
		if ids[k.ID] {
			g.ID = nil
		}
		ids[k.ID], names[k.Name] = true, true
		given = append(given, g)
	}
	return storage.Numbered(given, nil)
}
