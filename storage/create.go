package storage

import (
	"cmp"
	"context"
	"errors"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// NewDataset is what a dataset is made with. Only Name is required. The key is fixed for the life of the dataset: what
// a record is follows from it.
type NewDataset struct {
	ID             string // empty: a new one
	ProjectID      int64
	Name           string
	Namesake       bool     // make it even where the name is taken: it is asked for by its id then
	Key            []string // column names; none: the server assigns _id
	Description    string
	Metadata       catalog.Metadata
	QualityColumn  string
	CategoryColumn string
	Required       []string // columns that have a value in every record
	Notes          string
	Archived       bool
	Unpublished    bool

	MergeGranularity catalog.Granularity // empty: by column
	Retention        *catalog.Retention  // nil: keep everything
}

// CreateDataset makes a dataset without records.
func (s *Store) CreateDataset(ctx context.Context, n NewDataset, r Request) (snapshot.State, error) {
	// The catalog would refuse the second of two anyway, but only after its label was written.
	unlock, err := s.catalog.Lock(ctx, nameLock(n.ProjectID, n.Name))
	if err != nil {
		return snapshot.State{}, err
	}
	defer unlock()
	// What can refuse the dataset comes before the transaction.
	made, err := s.newCreation(ctx, n, n.properties())
	if err != nil {
		return snapshot.State{}, err
	}
	err = s.label(ctx, r, func(tx catalog.Tx, l *labels) error {
		// The label is last: it stands with the transaction, or is undone with it.
		if made.answers, err = answer(s.Requests, tx, r, made.state()); err != nil {
			return err
		}
		if err := made.add(tx); err != nil {
			return err
		}
		return l.put(made.Dataset.ID, birthLabel, made)
	})
	if err != nil {
		return snapshot.State{}, err
	}
	return made.state(), nil
}

// CreateWithRecords makes a dataset with its first records: both stand, or neither. There are no records yet that other
// modes than append would change: each is an append here, but a delete, which is refused. The request's receipt gets a
// State.
func (s *Store) CreateWithRecords(ctx context.Context, n NewDataset, c Change) (snapshot.State, error) {
	if c.Mode == catalog.Delete {
		return snapshot.State{}, fault.Errorf(fault.NotFound, "dataset_not_found",
			"Dataset '%s' not found in project %d", fault.Clip(n.Name), n.ProjectID)
	}
	made, err := s.newCreation(ctx, n, n.properties())
	if err != nil {
		return snapshot.State{}, err
	}
	if c.Metadata, err = s.withLineage(ctx, "", n.ProjectID, c.Metadata); err != nil {
		return snapshot.State{}, err
	}
	w, err := s.beginNew(ctx, made, c.Request, catalog.Append)
	if err != nil {
		return snapshot.State{}, err
	}
	defer w.end()
	// The dataset is recorded by the commit's own transaction, so a refused upload leaves no empty dataset.
	if err = w.connect(ctx); err == nil {
		err = modeWork{work: w}.append(ctx, c.Upload)
	}
	if err != nil {
		return snapshot.State{}, err
	}
	if err := w.bookmarkImport(ctx); err != nil {
		return snapshot.State{}, err
	}
	return publish(ctx, w, asState)
}

// newCreation is a dataset that is to be made, with these properties.
func (s *Store) newCreation(ctx context.Context, n NewDataset, p catalog.Properties) (*birth, error) {
	if err := CheckName(n.Name); err != nil {
		return nil, err
	}
	if n.ProjectID < 1 {
		return nil, fault.Errorf(fault.Invalid, "invalid_project",
			"A project_id is 1 or greater; %d is not.", n.ProjectID)
	}
	if p := permitOf(ctx); p != nil {
		if err := p.Create(n.ProjectID); err != nil {
			return nil, err
		}
	}
	if err := checkRequiredNames(p.Required); err != nil {
		return nil, err
	}
	// The key columns have the field ids 1, 2, … in every dataset, and no type yet: the first records bring it.
	start, err := n.schema()
	if err != nil {
		return nil, err
	}
	namesake, err := s.isNamesake(ctx, n)
	if err != nil {
		return nil, err
	}
	// It is a family of its own until it is forked.
	d := catalog.Dataset{
		ID: cmp.Or(n.ID, s.newID()), IsNamesake: namesake, FamilyID: s.newID(),
		ProjectID: n.ProjectID, Name: n.Name, CreatedAt: s.now(),
	}
	if err := errors.Join(checkGranularity(p.MergeGranularity), checkRetention(n.Retention)); err != nil {
		return nil, err
	}
	if p.Metadata == nil {
		p.Metadata = catalog.Metadata{}
	}
	var errSchema, errProperties error
	d.SchemaID, errSchema = catalog.DocumentID(start)
	d.PropertiesID, errProperties = catalog.DocumentID(p)
	return &birth{Dataset: d, Schema: start, Properties: p}, errors.Join(errSchema, errProperties)
}

// isNamesake reports whether the name is taken, where that is no reason to refuse it. It is found by its id alone then:
// FindDataset by name returns the one that has the name.
func (h *History) isNamesake(ctx context.Context, n NewDataset) (taken bool, err error) {
	if !n.Namesake {
		return false, nil
	}
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		_, err := tx.DatasetByName(n.ProjectID, n.Name)
		taken = err == nil
		if errors.Is(err, catalog.ErrNotFound) {
			err = nil
		}
		return err
	})
	return taken, err
}

// schema is the schema before the first record: the key columns, whose types are not known yet.
func (n NewDataset) schema() (out schema.Schema, err error) {
	for i, name := range n.Key {
		if err := CheckColumnName(name); err != nil {
			return out, err
		}
		if _, twice := out.ByName(name); twice {
			return out, fault.Errorf(fault.Invalid, "invalid_key", "Column %q is in the key twice.", name)
		}
		out.Columns = append(out.Columns, schema.Column{ID: i + 1, Name: name, Type: schema.Of(schema.Null)})
		out.Key = append(out.Key, i+1)
	}
	return out, nil
}

// properties are what a new dataset starts with. It has no columns yet that an exclusion could read. By column is the
// default of new datasets; older ones without a granularity merge by row (catalog.Granularity).
func (n NewDataset) properties() catalog.Properties {
	return catalog.Properties{
		Name: n.Name, Description: n.Description, Metadata: n.Metadata,
		QualityColumn: n.QualityColumn, CategoryColumn: n.CategoryColumn, Required: n.Required,
		Notes: n.Notes, Archived: n.Archived, Unpublished: n.Unpublished,
		MergeGranularity: cmp.Or(n.MergeGranularity, catalog.ByColumn), Retention: limited(n.Retention),
	}
}
