package crunch

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Status of a batch: its rows are being appended, were appended, or were refused because of the dataset or of the file.
const (
	importingStatus = "importing"
	appendedStatus  = "appended"
	conflictStatus  = "conflict"
	errorStatus     = "error"
)

// batchPath returns the path of a batch's resource. A batch has the id of the job that appends it.
func batchPath(dataset, batch string) string { return datasetPath(dataset) + "batches/" + batch + "/" }

// newBatch is a request to append a source, or another dataset. Savepoint bookmarks the state before. A batch is one
// commit, so nothing of it remains if it fails, with or without autorollback. autorollback is accepted and makes no
// difference for that reason.
type newBatch struct {
	Body      batchBody `json:"body"`
	Savepoint bool      `json:"savepoint"`
}

// batchBody is what a batch appends.
type batchBody struct {
	Source string `json:"source"`
	otherDataset
}

// UnmarshalJSON refuses a body that asks for more.
func (in *batchBody) UnmarshalJSON(text []byte) error {
	type plain batchBody // without this method
	if err := checkEffects(text, (*plain)(in)); err != nil {
		return err
	}
	return json.Unmarshal(text, (*plain)(in))
}

// createBatch appends a source's rows. A batch that was refused is listed too, with its status.
func (f *Face) createBatch(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	var in newBatch
	if err := f.read(c, &in); err != nil {
		return err
	}
	name, do, err := f.batchWork(c, s, in)
	if err != nil {
		return err
	}
	var batch string
	a, err := try(f, c, work[catalog.Commit]{
		about: "Appending " + name,
		tell: func(catalog.Commit) calls.Answer {
			return calls.Answer{Status: http.StatusCreated, Location: batchPath(s.Dataset.ID, batch)}
		},
		do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			batch = r.Job()
			return do(ctx, batchOf(batch, name, r))
		},
	})
	// The batch was created even if its rows were refused: its status says so, and the clients look there.
	var refused *refusal
	switch {
	case a.late:
		return accepted(c, a.job, batchPath(s.Dataset.ID, a.job))
	// An error of the server is not the file's fault: it is answered as such, and the client may try again.
	case err != nil && !(errors.As(err, &refused) && refused.Status < http.StatusInternalServerError):
		return err
	}
	return created(c, batchPath(s.Dataset.ID, a.job))
}

// batchWork returns the name of what a batch appends, and how.
func (f *Face) batchWork(c *fiber.Ctx, to snapshot.State, in newBatch) (
	name string, do func(context.Context, storage.Request) (catalog.Commit, error), err error,
) {
	if in.Body.Dataset != "" {
		s, err := in.Body.state(c.UserContext(), f, to)
		if err != nil {
			return "", nil, err
		}
		return s.Properties.Name, func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			return f.onNewest(ctx, to.Dataset.ID, r,
				func(ctx context.Context, to snapshot.State, r storage.Request) (catalog.Commit, error) {
					return f.appendDataset(ctx, to, in.Body.otherDataset, in.Savepoint, r)
				})
		}, nil
	}
	id, err := idIn("source", in.Body.Source, "sources")
	if err != nil {
		return "", nil, err
	}
	from, err := f.sources.Get(c.UserContext(), f.user(c), id)
	if err != nil {
		return "", nil, err
	}
	return from.Name, func(ctx context.Context, r storage.Request) (k catalog.Commit, err error) {
		from := from
		var done func()
		if from.Upload, done, err = f.sources.Open(ctx, from); err != nil {
			return k, err
		}
		defer done()
		return f.append(ctx, to, from, in.Savepoint, r)
	}, nil
}

// batchOf returns a request whose commit records its batch.
func batchOf(job, source string, r storage.Request) storage.Request {
	r.Message = "Appended " + source
	r.Metadata, _ = json.Marshal(map[string]string{"batch": job, "source": source}) // strings can always be encoded
	return r
}

// append commits a source's rows. The savepoint and the commit are made under one lock, so that the savepoint is the
// state right before the rows.
func (f *Face) append(
	ctx context.Context, s snapshot.State, from sources.Source, savepoint bool, r storage.Request,
) (k catalog.Commit, err error) {
	if err := f.checkCategories(ctx, s.Schema, from.Upload.Upload); err != nil {
		return k, err
	}
	return k, f.store.Alone(ctx, s.Dataset.ID, r, func(r storage.Request) (err error) {
		if savepoint && s.Total() > 0 {
			before := r // with the head that it expects: none is made of a state that is not appended to
			// The receipt belongs to the commit: a request that is repeated must not find the savepoint's answer.
			before.Message, before.Metadata, before.Receipt = "", nil, nil
			if _, err := f.store.CreateSavepoint(ctx, s.Dataset.ID,
				storage.NewSavepoint{Description: "Before appending " + from.Name, Automatic: true}, before); err != nil {
				return err
			}
		}
		k, err = f.store.Commit(ctx, s.Dataset.ID,
			storage.Change{Request: r, Mode: catalog.Append, Upload: from.Upload.Upload, Columns: from.Columns})
		return err
	})
}

// checkCategories refuses strings that a categorical variable was not declared to hold.
func (f *Face) checkCategories(ctx context.Context, s schema.Schema, u intake.Upload) error {
	// The upload is read once more for this, so only where there are categories to check.
	if !slices.ContainsFunc(s.Columns, isCategorical) {
		return nil
	}
	records, conn, closeUpload, err := f.store.Readers.Open(ctx, u)
	if err != nil {
		return err
	}
	defer closeUpload()
	for i, offered := range records.Columns() {
		column, ok := s.ByName(offered.Name)
		if !ok || !isCategorical(column) {
			continue
		}
		if err := undeclared(ctx, conn, records, i, column); err != nil {
			return err
		}
	}
	return nil
}

// undeclared refuses the first value of an uploaded column that is not one of the variable's categories.
func undeclared(ctx context.Context, conn *duck.Conn, records intake.Records, i int, column schema.Column) error {
	rows, release, err := records.Relation(ctx, conn, intake.Want{Columns: []int{i}})
	if err != nil {
		return records.Explain(err)
	}
	defer release()
	names := make([]string, len(column.Categories))
	for k, category := range column.Categories {
		names[k] = category.Name
	}
	var row int64
	var text string
	query := duck.Fill(firstUndeclared, duck.Parts{"column": i, "records": rows, "categories": duck.Texts(names)})
	switch err := conn.Row(ctx, query, &row, &text); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return records.Explain(err)
	}
	return &fault.Error{
		Kind: fault.Invalid, Code: "undeclared_category",
		Detail: fmt.Sprintf("Row %d has %q in %q, which is not one of its categories. Declare it first, or correct the row.",
			row, text, column.Name),
	}
}

// firstUndeclared is the SQL of the first value of column o<column> that is not a category, with its row from 1.
const firstUndeclared = `SELECT _n + 1, v
	FROM (SELECT _n, CAST(o{column} AS VARCHAR) AS v FROM ({records}))
	WHERE v IS NOT NULL AND NOT list_contains(CAST({categories} AS VARCHAR[]), v)
	ORDER BY 1 LIMIT 1`

// listBatches lists the batches whose rows were appended: the others left nothing.
func (f *Face) listBatches(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	commits, err := f.store.Commits(ctx, s.Dataset.ID, math.MaxInt64, math.MaxInt32)
	if err != nil {
		return err
	}
	out := &index{}
	// Oldest first, as the clients list them.
	for _, k := range slices.Backward(commits) {
		var of struct{ Batch, Source string }
		if k.Mode == catalog.Append && json.Unmarshal(k.Metadata, &of) == nil && of.Batch != "" {
			out.add(site(c)+batchPath(s.Dataset.ID, of.Batch), map[string]any{
				"status": appendedStatus, "source": of.Source, "creation_time": moment(k.CreatedAt), "rows": k.Added,
			})
		}
	}
	return show(c, document{Element: catalogElement, Index: out})
}

// getBatch shows the status of a batch, which is in the job that appended it.
func (f *Face) getBatch(c *fiber.Ctx) error {
	ctx := c.UserContext()
	s, err := f.dataset(ctx, c)
	if err != nil {
		return err
	}
	j, err := f.store.Requests.Job(ctx, c.Params("batch"))
	if err != nil {
		return notFound("batch_not_found",
			fmt.Sprintf("Batch '%.40s' not found in dataset '%s'", c.Params("batch"), s.Properties.Name))
	}
	return show(c, document{
		Element: entityElement, Self: site(c) + batchPath(s.Dataset.ID, j.ID),
		Body: map[string]any{
			"id": j.ID, "status": batchStatus(j), "message": j.Message, "creation_time": moment(j.CreatedAt),
		},
		Views: links{"progress": site(c) + progressPath(j.ID)},
	})
}

// batchStatus returns the status of a batch from that of its job. conflict: something in the dataset is in the way,
// such as a key that exists. error: the file could not be appended to any dataset.
func batchStatus(j catalog.Job) string {
	switch {
	case j.Progress == catalog.JobDone:
		return appendedStatus
	case j.Progress != catalog.JobFailed:
		return importingStatus
	}
	_, err := outcome(j)
	var told *refusal
	if errors.Is(err, storage.ErrKeyExists) || errors.As(err, &told) && told.Status == http.StatusConflict {
		return conflictStatus
	}
	return errorStatus
}
