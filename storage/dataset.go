package storage

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"regexp"
	"strings"
	"time"

	"rowback/storage/catalog"
	"rowback/storage/fault"
	"rowback/storage/schema"
	"rowback/storage/snapshot"
)

// NewDataset is what a dataset is made with. Only Name is required.
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
}

// Folders of a dataset that are not commits.
const (
	labelsFolder  = "labels"
	backupsFolder = "backups"
	birthLabel    = "dataset" // how the dataset was made, where it was made without a commit
	deletedLabel  = "deleted" // when the dataset was deleted
)

var looksLikeID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// CheckName refuses names of datasets that could not be written in a path, a ref or a query.
func CheckName(name string) error {
	switch {
	case strings.TrimSpace(name) == "", strings.TrimSpace(name) != name, len(name) > 255:
		return fault.Errorf(fault.Invalid, "invalid_name", "A dataset's name has 1 to 255 bytes and no spaces around it; %q is not one.", fault.Clip(name))
	case strings.ContainsFunc(name, isControl), strings.ContainsAny(name, `/\@`):
		return fault.Errorf(fault.Invalid, "invalid_name", "A dataset's name has no slashes, no @ and no control characters; %q has.", fault.Clip(name))
	case name == "." || name == ".." || name == "versions" || looksLikeID.MatchString(name):
		return fault.Errorf(fault.Invalid, "invalid_name", "%q can't be a dataset's name: it reads as something else.", name)
	}
	return nil
}

// CreateDataset makes a dataset without records.
func (s *Store) CreateDataset(ctx context.Context, n NewDataset, r Request) (snapshot.State, error) {
	made, err := s.newCreation(ctx, n)
	if err != nil {
		return snapshot.State{}, err
	}
	err = s.label(ctx, func(tx catalog.Tx, l *labels) error {
		if err := made.add(tx); err != nil {
			return err
		}
		a, err := s.answer(tx, r, made.state())
		if err != nil {
			return err
		}
		if err := a.record(tx); err != nil {
			return err
		}
		return l.put(made.Dataset.ID, birthLabel, made.with(a))
	})
	if err != nil {
		return snapshot.State{}, err
	}
	return made.state(), nil
}

// newCreation is a dataset that is to be made.
func (s *Store) newCreation(ctx context.Context, n NewDataset) (*birth, error) {
	if err := CheckName(n.Name); err != nil {
		return nil, err
	}
	if n.ProjectID < 1 {
		return nil, fault.Errorf(fault.Invalid, "invalid_project", "A project_id is 1 or greater; %d is not.", n.ProjectID)
	}
	start, err := n.schema()
	if err != nil {
		return nil, err
	}
	namesake, err := s.isNamesake(ctx, n)
	if err != nil {
		return nil, err
	}
	d := catalog.Dataset{ID: cmp.Or(n.ID, s.options.NewID()), IsNamesake: namesake, FamilyID: s.options.NewID(), ProjectID: n.ProjectID, Name: n.Name, CreatedAt: s.now()}
	p := catalog.Properties{Name: n.Name, Description: n.Description, Metadata: n.Metadata, QualityColumn: n.QualityColumn, CategoryColumn: n.CategoryColumn}
	if p.Metadata == nil {
		p.Metadata = catalog.Metadata{}
	}
	var errSchema, errProperties error
	d.SchemaID, errSchema = catalog.DocumentID(start)
	d.PropertiesID, errProperties = catalog.DocumentID(p)
	return &birth{Dataset: d, Schema: start, Properties: p}, errors.Join(errSchema, errProperties)
}

// isNamesake tells whether the name is taken, where that is no reason to refuse it.
func (s *Store) isNamesake(ctx context.Context, n NewDataset) (taken bool, err error) {
	if !n.Namesake {
		return false, nil
	}
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
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

func addDataset(tx catalog.Tx, d catalog.Dataset, start schema.Schema, p catalog.Properties) error {
	if _, err := tx.AddDocument(start); err != nil {
		return err
	}
	if _, err := tx.AddDocument(p); err != nil {
		return err
	}
	if err := tx.AddFamily(d.FamilyID); err != nil {
		return err
	}
	if err := tx.AdvanceFamily(d.FamilyID, 0, int64(len(start.Columns))); err != nil {
		return err
	}
	return tx.AddDataset(d)
}

// nameTaken puts a violated uniqueness of names into words.
func nameTaken(err error, name string) error {
	if catalog.IsDuplicate(err) {
		return taken(name)
	}
	if errors.Is(err, catalog.ErrMoved) {
		return fault.Errorf(fault.Conflict, "stale_head", "The dataset has changed meanwhile. Send the request again.")
	}
	return err
}

func taken(name string) error {
	return fault.Errorf(fault.Exists, "name_taken", "There is a dataset '%s' in this project already. Choose another name.", fault.Clip(name))
}

// dataset finds a dataset that is not deleted by its id.
func (s *Store) dataset(tx catalog.Tx, id string) (catalog.Dataset, error) {
	d, err := tx.Dataset(id)
	if err == nil && !d.DeletedAt.IsZero() {
		return d, fault.Errorf(fault.NotFound, "dataset_deleted", "Dataset '%s' was deleted at %s. Undelete it to use it.", d.Name, d.DeletedAt.Format(time.RFC3339))
	}
	return d, known(err, "dataset_not_found", "Dataset '%s' not found", fault.Clip(id))
}

// Dataset returns the dataset with that id, unless it is deleted.
func (s *Store) Dataset(ctx context.Context, id string) (d catalog.Dataset, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { d, err = s.dataset(tx, id); return err })
	return d, err
}

// Founder is who made a dataset's first commit; of a fork, the first that it does not share with its upstream. It is
// empty where there is none.
func (s *Store) Founder(ctx context.Context, d catalog.Dataset) (user string, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { user, err = tx.Founder(d.ID, d.ForkCommit); return err })
	return user, err
}

// FindDataset returns the dataset that a client names: by id, or by name in a project.
func (s *Store) FindDataset(ctx context.Context, project int64, ref string) (d catalog.Dataset, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if looksLikeID.MatchString(ref) {
			d, err = s.dataset(tx, ref)
			return err
		}
		d, err = tx.DatasetByName(project, ref)
		return known(err, "dataset_not_found", "Dataset '%s' not found in project %d", fault.Clip(ref), project)
	})
	return d, err
}

// Datasets lists datasets, as of their heads, by when they were made.
func (s *Store) Datasets(ctx context.Context, f catalog.DatasetFilter) (list []snapshot.State, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		datasets, err := tx.Datasets(f)
		if err != nil {
			return err
		}
		list, err = statesOf(tx, datasets)
		return err
	})
	return list, err
}

// statesOf returns the states of datasets at their heads.
func statesOf(tx catalog.Tx, datasets []catalog.Dataset) (list []snapshot.State, err error) {
	for _, d := range datasets {
		state, err := snapshot.At(tx, d, d.Head)
		if err != nil {
			return nil, err
		}
		list = append(list, state)
	}
	return list, nil
}

// DeleteDataset takes a dataset out of use. Its files stay, so that UndeleteDataset brings it back.
func (s *Store) DeleteDataset(ctx context.Context, id string, r Request) error {
	unlock, err := s.catalog.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return s.label(ctx, func(tx catalog.Tx, l *labels) error {
		d, err := s.dataset(tx, id)
		if err != nil {
			return err
		}
		if err := r.expects(d); err != nil {
			return err
		}
		now := s.now()
		if err := tx.SetDeleted(id, now); err != nil {
			return err
		}
		return l.put(id, deletedLabel, deletion{now, s.kept(id, deletedLabel)})
	})
}

// UndeleteDataset brings a deleted dataset back, as it was.
func (s *Store) UndeleteDataset(ctx context.Context, id string, r Request) (state snapshot.State, err error) {
	d, err := s.anyDataset(ctx, id)
	if err != nil {
		return state, err
	}
	unlock, err := s.catalog.Lock(ctx, nameLock(d.ProjectID, d.Name))
	if err != nil {
		return state, err
	}
	defer unlock()
	err = s.label(ctx, func(tx catalog.Tx, l *labels) error {
		d, err := tx.Dataset(id)
		if err != nil {
			return err
		}
		if err := tx.SetDeleted(id, time.Time{}); err != nil {
			return nameTaken(err, d.Name)
		}
		d.DeletedAt = time.Time{}
		if state, err = snapshot.At(tx, d, d.Head); err != nil {
			return err
		}
		a, err := s.answer(tx, r, state)
		if err != nil {
			return err
		}
		if err := a.record(tx); err != nil {
			return err
		}
		a.Receipts = append(s.kept(id, deletedLabel).Receipts, a.Receipts...)
		return l.put(id, deletedLabel, deletion{answers: a})
	})
	return state, err
}

// anyDataset returns the dataset with that id, deleted or not.
func (s *Store) anyDataset(ctx context.Context, id string) (d catalog.Dataset, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err = tx.Dataset(id)
		return known(err, "dataset_not_found", "Dataset '%s' not found", fault.Clip(id))
	})
	return d, err
}

// Edit is a change of what is said of a dataset. Nil fields stay as they are; in Metadata, a nil value removes a key.
type Edit struct {
	Name           *string
	Description    *string
	Metadata       catalog.Metadata
	QualityColumn  *string
	CategoryColumn *string
}

// EditDataset applies an edit, as a commit.
func (s *Store) EditDataset(ctx context.Context, dataset string, e Edit, r Request) (catalog.Commit, error) {
	if e.Name != nil {
		if err := CheckName(*e.Name); err != nil {
			return catalog.Commit{}, err
		}
	}
	w, err := s.begin(ctx, dataset, r, catalog.Edit)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	e.apply(&w.properties)
	if reflect.DeepEqual(w.properties, w.head.Properties) {
		return w.head.Commit, nil
	}
	w.tellEdit(w.head.Properties)
	return publish(ctx, w, asCommit)
}

// tellEdit records which properties the commit changed, as they are after it.
func (w *work) tellEdit(before catalog.Properties) {
	after := w.properties
	for _, p := range []struct{ name, before, after string }{
		{"name", before.Name, after.Name}, {"description", before.Description, after.Description},
		{"quality_column", before.QualityColumn, after.QualityColumn}, {"category_column", before.CategoryColumn, after.CategoryColumn},
	} {
		if p.before != p.after {
			w.setParam(p.name, p.after)
		}
	}
	if !reflect.DeepEqual(before.Metadata, after.Metadata) {
		w.setParam("metadata", after.Metadata)
	}
}

func (e Edit) apply(p *catalog.Properties) {
	for field, value := range map[*string]*string{
		&p.Name: e.Name, &p.Description: e.Description, &p.QualityColumn: e.QualityColumn, &p.CategoryColumn: e.CategoryColumn,
	} {
		if value != nil {
			*field = *value
		}
	}
	p.Metadata = maps.Clone(p.Metadata)
	for k, v := range e.Metadata {
		if v == nil {
			delete(p.Metadata, k)
			continue
		}
		p.Metadata[k] = v
	}
}

// Commits lists up to limit commits, newest first, with ids below before.
func (s *Store) Commits(ctx context.Context, dataset string, before int64, limit int) (list []catalog.Commit, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Commits(dataset, before, limit); return err })
	return list, err
}

// CommitByID returns one commit of a dataset.
func (s *Store) CommitByID(ctx context.Context, dataset string, id int64) (c catalog.Commit, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := s.dataset(tx, dataset)
		if err != nil {
			return err
		}
		c, err = tx.Commit(dataset, id)
		return known(err, "commit_not_found", "Commit %d not found in dataset '%s'", id, d.Name)
	})
	return c, err
}

// CommitFile returns the file of a kind that a commit wrote.
func (s *Store) CommitFile(ctx context.Context, c catalog.Commit, kind schema.Kind) (f *catalog.File, err error) {
	err = s.catalog.Read(ctx, func(tx catalog.Tx) error {
		files, err := tx.Opened(c.DatasetID, c.ID, c.ID)
		for _, g := range files {
			if g.Kind == kind && (g.CommitID == c.ID || g.CommitID == c.Tag) {
				f = g
			}
		}
		return err
	})
	if err == nil && f == nil {
		err = fault.Errorf(fault.NotFound, "file_not_found", "Commit %d wrote no %s file.", c.ID, kind)
	}
	return f, err
}
