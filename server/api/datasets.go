package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// pageIn pages a list. Limits are the same for every list, so that a client has one loop for all.
type pageIn struct {
	Limit  *int   `query:"limit" default:"100" minimum:"1" maximum:"1000" json:"-"`
	Cursor string `query:"cursor" description:"next_cursor of the page before." json:"-"`
}

// limit returns the most entries of a page.
func (in pageIn) limit() (int, error) {
	switch {
	// A pointer, because 0 is refused and not the default.
	case in.Limit == nil:
		return 100, nil
	case *in.Limit < 1 || *in.Limit > 1000:
		return 0, invalid("limit", "must be from 1 to 1000")
	}
	return *in.Limit, nil
}

// after returns the last entry of the previous page; empty for the first page.
func (in pageIn) after() (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil {
		return "", invalid("cursor", "is not a cursor that this list returned")
	}
	return string(text), nil
}

// afterCommit is after for a list of commits: the id of the last one, or first for the first page.
func (in pageIn) afterCommit(first int64) (int64, error) {
	after, err := in.after()
	if err != nil || after == "" {
		return first, err
	}
	id, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return first, invalid("cursor", "is not a cursor that this list returned")
	}
	return id, nil
}

// cursor returns the cursor of the page after an entry. It is encoded so that clients do not build their own.
func cursor(last string) *string {
	text := base64.RawURLEncoding.EncodeToString([]byte(last))
	return &text
}

// createDatasetIn is the request to create a dataset. project_id is a pointer so that an explicit 0 is refused instead
// of being taken for project 1.
type createDatasetIn struct {
	headerIn
	Name           string           `json:"name" required:"true" minLength:"1" maxLength:"255"`
	ProjectID      *int64           `json:"project_id"`
	Key            []string         `json:"key" description:"Key columns; without any, the server assigns _id."`
	QualityColumn  string           `json:"quality_column"`
	CategoryColumn string           `json:"category_column"`
	Description    string           `json:"description"`
	Metadata       catalog.Metadata `json:"metadata"`
	Required       []string         `json:"required" description:"${required}"`

	MergeGranularity catalog.Granularity `json:"merge_granularity" default:"column" enum:"row,column" description:"${new.merge_granularity}"`
	Retention        *retention          `json:"retention" description:"${edit.retention}"`
}

// createDataset creates an empty dataset. Its state before the first commit is commit 0.
func (a *API) createDataset(c *fiber.Ctx) error {
	var in createDatasetIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	project := int64(1)
	if in.ProjectID != nil {
		project = *in.ProjectID
	}
	// Before a kept answer is sent again: its user may not be allowed to see it any more.
	if err := permit.Check(host.Caller(c), max(project, 1), access.Writer); err != nil {
		return err
	}
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Creating the dataset", tell: tellDataset(http.StatusCreated),
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			return a.store.CreateDataset(ctx, storage.NewDataset{
				ProjectID: project, Name: in.Name, Key: in.Key, Description: in.Description, Metadata: in.Metadata,
				QualityColumn: in.QualityColumn, CategoryColumn: in.CategoryColumn, Required: in.Required,
				MergeGranularity: in.MergeGranularity, Retention: in.Retention.policy(),
			}, r)
		},
	})
}

// tellDataset makes the answer of a dataset that was just created or restored.
func tellDataset(status int) func(made snapshot.State) (calls.Answer, error) {
	return func(made snapshot.State) (calls.Answer, error) {
		return say(status, "/api/v1/datasets/"+made.Dataset.ID, viewDataset(made))
	}
}

// getDataset describes a dataset as of its head.
func (a *API) getDataset(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	s, err := a.store.State(c.UserContext(), d.ID, "head")
	if err != nil {
		return err
	}
	return ok(c, viewDataset(s))
}

// editDatasetIn is the request to change a dataset's properties. Fields that are left out keep their values. Pointers
// tell "" and false from a field that was left out; null is refused (checkNulls).
type editDatasetIn struct {
	datasetIn
	headIn
	Message        string           `query:"message" json:"-"`
	Name           *string          `json:"name" nullable:"false"`
	Description    *string          `json:"description" nullable:"false"`
	Metadata       catalog.Metadata `json:"metadata" description:"Merged into the metadata; null removes a key."`
	QualityColumn  *string          `json:"quality_column" nullable:"false"`
	CategoryColumn *string          `json:"category_column" nullable:"false"`
	Required       *[]string        `json:"required" nullable:"false" description:"${edit.required}"`
	Archived       *bool            `json:"archived" nullable:"false" description:"${dataset.archived}"`

	MergeGranularity *catalog.Granularity `json:"merge_granularity" nullable:"false" enum:"row,column"`
	Retention        *retention           `json:"retention" nullable:"false" description:"${edit.retention}"`
}

// editDataset changes the properties of a dataset, as a commit. It makes no commit if nothing changes.
func (a *API) editDataset(c *fiber.Ctx, d catalog.Dataset, in editDatasetIn) error {
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Editing the dataset",
		// 200 and not 201: an edit that changes nothing makes no commit, and answers with the dataset as it is.
		tell: func(s snapshot.State) (calls.Answer, error) { return say(http.StatusOK, "", viewDataset(s)) },
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			r.Message = in.Message
			k, err := a.store.EditDataset(ctx, d.ID, storage.Edit{
				Name: in.Name, Description: in.Description, Metadata: in.Metadata, QualityColumn: in.QualityColumn,
				CategoryColumn: in.CategoryColumn, Required: in.Required, Archived: in.Archived,
				MergeGranularity: in.MergeGranularity, Retention: in.Retention.policy(),
			}, r)
			if err != nil {
				return snapshot.State{}, err
			}
			return a.leftBy(ctx, k, r)
		},
	})
}

// leftBy returns the state after a commit. It ignores the request's deadline, because the commit has been made. On a
// dry run there is no such commit to read, so the state comes from the preview.
func (a *API) leftBy(ctx context.Context, k catalog.Commit, r storage.Request) (snapshot.State, error) {
	if r.Preview != nil && r.Preview.Left != nil {
		return *r.Preview.Left, nil
	}
	return a.store.State(context.WithoutCancel(ctx), k.DatasetID, fmt.Sprint(k.ID))
}

// deleteDatasetIn is the request to delete a dataset.
type deleteDatasetIn struct {
	datasetIn
	headIn
}

// deleteDataset marks a dataset as deleted, and thereby frees its name. Its forks are not affected.
func (a *API) deleteDataset(c *fiber.Ctx, d catalog.Dataset, in deleteDatasetIn) error {
	return remove(a, c, in.header(), "Deleting the dataset", func(ctx context.Context, r storage.Request) error {
		return a.store.DeleteDataset(ctx, d.ID, r)
	})
}

// undeleteDatasetIn is the request to restore a deleted dataset. By id only: the name may belong to another dataset by
// now.
type undeleteDatasetIn struct {
	datasetIn
	headerIn
}

// undeleteDataset restores a deleted dataset by its id, unless its name has been taken.
func (a *API) undeleteDataset(c *fiber.Ctx) error {
	var in undeleteDatasetIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Restoring the dataset", tell: tellDataset(http.StatusOK),
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			return a.store.UndeleteDataset(ctx, in.Dataset, r)
		},
	})
}

// refIn names a state of a dataset.
type refIn struct {
	datasetIn
	Ref string `query:"ref" default:"head" description:"${refs}." json:"-"`
}

// ref returns the ref; head by default.
func (in refIn) ref() string {
	if in.Ref == "" {
		return "head"
	}
	return in.Ref
}

// getSchema returns the columns at a ref.
func (a *API) getSchema(c *fiber.Ctx, d catalog.Dataset, in refIn) error {
	s, err := a.store.State(c.UserContext(), d.ID, in.ref())
	if err != nil {
		return err
	}
	return ok(c, viewSchema(in.ref(), s))
}

// refsView lists the names of a dataset's states.
type refsView struct {
	Head       int64           `json:"head"`
	Versions   []versionView   `json:"versions"`
	Savepoints []savepointView `json:"savepoints"`
	Tags       []tagView       `json:"tags"`
}

// getRefs lists the names of a dataset's states.
func (a *API) getRefs(c *fiber.Ctx, d catalog.Dataset, _ datasetIn) error {
	ctx := c.UserContext()
	versions, err := a.store.Versions(ctx, d.ID)
	if err != nil {
		return err
	}
	savepoints, err := a.store.Savepoints(ctx, d.ID)
	if err != nil {
		return err
	}
	tags, err := a.store.Tags(ctx, d.ID)
	if err != nil {
		return err
	}
	named := views(versions, viewVersion)
	if err := addDigests(ctx, a, named, digestOfVersion); err != nil {
		return err
	}
	return ok(c, refsView{d.Head, named, views(savepoints, viewSavepoint), views(tags, viewTag)})
}

// validation reports whether the files of a state still have the bytes that were written.
type validation struct {
	Ref    string `json:"ref"`
	Commit int64  `json:"commit"`
	Valid  bool   `json:"valid"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
	Detail string `json:"detail"`
}

// validate reads every byte of the files of a state, and reports whether they are what was written.
func (a *API) validate(c *fiber.Ctx, d catalog.Dataset, in refIn) error {
	ctx := c.UserContext()
	snap, err := a.store.Snapshot(ctx, d.ID, in.ref())
	if err != nil {
		return err
	}
	out := validation{
		Ref: in.ref(), Commit: snap.Commit.ID, Valid: true, Files: len(snap.Files()),
		Detail: "Every file matches its checksum.",
	}
	for _, f := range snap.Files() {
		out.Bytes += f.Bytes
	}
	// Damage is the result here and not a failure of the request: 200 with valid: false.
	if err := a.store.Verify(ctx, snap); fault.KindOf(err) == fault.Corrupt {
		out.Valid, out.Detail = false, "A file is missing or does not match its checksum, so this state can't be "+
			"restored. The server's log names the file."
	} else if err != nil {
		return err
	}
	return ok(c, out)
}
