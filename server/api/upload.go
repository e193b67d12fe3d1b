package api

import (
	"errors"
	"fmt"
	"mime"
	"os"

	"github.com/gofiber/fiber/v2"

	"rowback/storage/intake"
)

// formats are the media types of records.
var formats = map[string]intake.Format{
	"application/vnd.apache.parquet":      intake.Parquet,
	"application/vnd.apache.arrow.stream": intake.Arrow,
	"text/csv":                            intake.CSV,
	"application/x-ndjson":                intake.NDJSON,
	"application/json":                    intake.JSON,
}

// otherTypes are further media types of uploads, of files whose content says what exactly they are.
var otherTypes = map[string]intake.Format{
	"application/vnd.apache.arrow.file": intake.Arrow,
	"text/tab-separated-values":         intake.CSV,
	"application/jsonl":                 intake.NDJSON,
}

// mediaTypes names the media type of each format.
var mediaTypes = map[intake.Format]string{
	intake.Parquet: "application/vnd.apache.parquet",
	intake.Arrow:   "application/vnd.apache.arrow.stream",
	intake.CSV:     "text/csv; charset=utf-8",
	intake.NDJSON:  "application/x-ndjson",
	intake.JSON:    "application/json",
}

// stage writes a body of records to a file, decompressed, and returns it with the SHA-256 of the body as sent.
func (a *API) stage(c *fiber.Ctx) (u intake.Upload, fingerprint string, err error) {
	media, _, err := mime.ParseMediaType(c.Get("Content-Type"))
	format, ok := formats[media]
	if !ok {
		format, ok = otherTypes[media]
	}
	if err != nil || !ok {
		return u, "", fiber.NewError(fiber.StatusUnsupportedMediaType, fmt.Sprintf(
			"Content-Type %q is not a supported format of records. Use one of application/vnd.apache.parquet, "+
				"application/vnd.apache.arrow.stream, text/csv, application/x-ndjson, application/json.", c.Get("Content-Type")))
	}
	u = intake.Upload{Format: format, Path: a.store.Scratch("upload")}
	u.Size, fingerprint, err = a.stageTo(c, u.Path)
	return u, fingerprint, err
}

// stageTo writes a body to a file, decompressed, and returns its size and the SHA-256 of the body as sent.
func (a *API) stageTo(c *fiber.Ctx, path string) (size int64, fingerprint string, err error) {
	out, err := a.store.CreateStaged(path)
	if err != nil {
		return 0, "", err
	}
	size, fingerprint, err = a.host.CopyBody(c, out)
	if err = errors.Join(err, out.Close()); err != nil {
		os.Remove(path)
	}
	return size, fingerprint, err
}
