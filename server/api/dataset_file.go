package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// datasetFileIn is the request to create a dataset with the records of a file, which is the body.
type datasetFileIn struct {
	headerIn
	optionsIn
	sourceIn
	Format         string   `query:"format" required:"true" enum:"arrow,parquet,csv,ndjson,json,xlsx" description:"Of the file." json:"-"`
	Name           string   `query:"name" required:"true" minLength:"1" maxLength:"255" json:"-"`
	ProjectID      *int64   `query:"project_id" minimum:"1" default:"1" json:"-"`
	Key            []string `query:"key" collectionFormat:"csv" description:"${new.file_key}" json:"-"`
	QualityColumn  string   `query:"quality_column" json:"-"`
	CategoryColumn string   `query:"category_column" json:"-"`
	Description    string   `query:"description" json:"-"`
	Message        string   `query:"message" description:"Of the first commit." json:"-"`
	Packed         string   `header:"Content-Encoding" enum:"gzip,zstd" json:"-"`
}

// project returns the project that the dataset is made in.
func (in datasetFileIn) project() int64 {
	if in.ProjectID == nil {
		return 1
	}
	return *in.ProjectID
}

// dataset returns the dataset that the request describes.
func (in datasetFileIn) dataset() storage.NewDataset {
	return storage.NewDataset{
		ProjectID: in.project(), Name: in.Name, Key: in.Key, Description: in.Description,
		QualityColumn: in.QualityColumn, CategoryColumn: in.CategoryColumn,
	}
}

// createDatasetFromFile creates a dataset with its first records: both stand, or neither.
func (a *API) createDatasetFromFile(c *fiber.Ctx) error {
	var in datasetFileIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	format, err := formatNamed(in.Format)
	if err != nil {
		return err
	}
	// Before the file is read: whoever may not create the dataset sends it in vain.
	if in.project() < 1 {
		return invalid(projectField, "must be 1 or greater")
	}
	if err := permit.Check(host.Caller(c), in.project(), access.Writer); err != nil {
		return err
	}
	upload, sent, err := a.stageAs(c, format, calls.Receive)
	if err != nil {
		return err
	}
	metadata, err := in.lineageOf(nil, mediaOf(format), sent)
	if err = cmp.Or(err, in.apply(&upload.Upload)); err != nil {
		upload.Remove()
		return err
	}
	return run(a, write[snapshot.State]{
		c: c, header: in.header(), about: "Creating the dataset", fingerprint: sent.SHA256,
		tell:  tellDataset(http.StatusCreated),
		after: upload.Remove, leaves: true,
		do: func(ctx context.Context, r storage.Request) (snapshot.State, error) {
			r.Message, r.Metadata = in.Message, metadata
			change := storage.Change{Request: r, Mode: catalog.Append, Upload: upload.Upload}
			return a.store.CreateWithRecords(ctx, in.dataset(), change)
		},
	})
}
