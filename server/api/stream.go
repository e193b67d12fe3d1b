package api

import (
	"context"
	"errors"
	"io"

	"github.com/gofiber/fiber/v2"

	"rowback/server/host"
	"rowback/storage/fault"
	"rowback/storage/intake"
	"rowback/storage/output"
)

// writer makes a result. Files that it needs for that begin with the path scratch.
type writer func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error)

// stream answers with a result, in the time that r says; name is what a browser calls the file, without its ending.
func (a *API) stream(c *fiber.Ctx, name string, format intake.Format, r host.Result, write writer) error {
	r.Media = mediaTypes[format]
	if format != intake.JSON { // which a browser shows
		r.Name = name + "." + string(format)
	}
	r.Write = func(ctx context.Context, w io.Writer) (string, error) {
		cut, err := write(ctx, w, a.store.Scratch("result.parquet"))
		return string(cut), tooLarge(err)
	}
	return a.host.Stream(c, r)
}

// tooLarge says what to do about a result that is too large for its format.
func tooLarge(err error) error {
	if errors.Is(err, output.ErrTooLarge) {
		return &fault.Error{Kind: fault.Invalid, Code: "result_too_large",
			Detail: "The result is larger than an answer may be (--max-result). Ask for less, or for another format, which is cut."}
	}
	return err
}
