package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/intake"
)

// fileIn is the request to commit a file.
type fileIn struct {
	recordsIn
	Format string `query:"format" required:"true" enum:"arrow,parquet,csv,ndjson,json,xlsx" description:"Of the file." json:"-"`
}

// createCommitFromFile commits a file, in a format that the URL names instead of the Content-Type. It is the same as
// createCommit, for clients that were generated from the document: they send one media type for each route.
func (a *API) createCommitFromFile(c *fiber.Ctx) error {
	var in fileIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	if _, err := formatNamed(in.Format); err != nil {
		return err
	}
	media := workbookType
	if in.Format != string(intake.XLSX) {
		media = mediaTypes[intake.Format(in.Format)]
	}
	c.Request().Header.SetContentType(media)
	return a.commitRecords(c, commitIn{recordsIn: in.recordsIn})
}

// formatNamed returns the format that a URL names.
func formatNamed(name string) (intake.Format, error) {
	f := intake.Format(name)
	if _, ok := mediaTypes[f]; !ok && f != intake.XLSX {
		return "", invalid("format", "must be arrow, parquet, csv, ndjson, json or xlsx")
	}
	return f, nil
}
