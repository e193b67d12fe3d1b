package api

import (
	"context"
	"errors"
	"io"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
)

// extensions are those of the files with a result in each format. .arrows is the registered extension of Arrow streams;
// .arrow would be the file format.
var extensions = map[intake.Format]string{
	intake.Parquet: ".parquet", intake.Arrow: ".arrows",
	intake.CSV: ".csv", intake.NDJSON: ".ndjson", intake.JSON: ".json",
}

// writer writes a result. The files that it needs for that begin with the path scratch.
type writer func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error)

// stream sends a result, within r's time limits; name is what a browser calls the file, without its extension.
func (a *API) stream(c *fiber.Ctx, name string, format intake.Format, r host.Result, write writer) error {
	r.Media = mediaTypes[format]
	r.Displayed = format == intake.JSON
	r.Name = name + extensions[format]
	r.Write = func(ctx context.Context, w io.Writer) (string, error) {
		// Parquet has its footer at the end and is written to a file first; the other formats ignore the path.
		cut, err := write(ctx, w, a.store.Scratch("result.parquet"))
		return string(cut), tooLarge(err)
	}
	return a.host.Stream(c, r)
}

// tooLarge explains a result that is too large for a format that can't be cut.
func tooLarge(err error) error {
	// Only Parquet: the other formats can end after any record, and say so in a header.
	if errors.Is(err, output.ErrTooLarge) {
		return &fault.Error{Kind: fault.Invalid, Code: "result_too_large",
			Detail: "The result is larger than the limit (--max-result). Ask for less, or use a format that can be cut."}
	}
	return err
}
