package crunch

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// sourcePath returns the path of a source's resource.
func sourcePath(s sources.Source) string { return "/api/sources/" + s.ID + "/" }

// viewSource returns a source as clients see it.
func viewSource(s sources.Source) map[string]any {
	return map[string]any{
		"id": s.ID, "name": s.Name, "type": string(s.Upload.Format), "size": s.Upload.Size, "creation_time": moment(s.At),
	}
}

// createSource accepts a file, in the multipart field uploaded_file.
func (f *Face) createSource(c *fiber.Ctx) error {
	if err := permit.CheckSomewhere(host.Caller(c), access.Writer); err != nil {
		return err
	}
	_, parameters, err := mime.ParseMediaType(c.Get("Content-Type"))
	if err != nil || parameters["boundary"] == "" {
		return fiber.NewError(http.StatusUnsupportedMediaType,
			"Send the file as multipart/form-data, in the field uploaded_file.")
	}
	// Streamed: Fiber's own form parsing would hold the file in memory.
	form := multipart.NewReader(f.host.Body(c), parameters["boundary"])
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return invalid("uploaded_file", "is required")
		case err != nil:
			return malformed(err)
		case part.FormName() == "uploaded_file":
			return f.takeSource(c, part)
		}
	}
}

// malformed is the error for a body that is not a valid multipart form.
func malformed(err error) error {
	// The body's own error is more exact: the client has gone, or is too slow.
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return &fault.Error{
		Kind: fault.Malformed, Code: "malformed_body", Detail: "The multipart/form-data body is incomplete or malformed.",
	}
}

// takeSource stores an uploaded file.
func (f *Face) takeSource(c *fiber.Ctx, part *multipart.Part) error {
	upload, err := calls.Stage(f.store, formatOf(part), func(out io.Writer) (int64, error) { return f.save(part, out) })
	if err != nil {
		return err
	}
	one := sources.Source{
		ID: f.store.NewID(), Name: plain(part.FileName()), User: f.user(c), At: time.Now(), Upload: upload,
	}
	if err := f.sources.Put(c.UserContext(), one); err != nil {
		return err
	}
	return created(c, sourcePath(one))
}

// plain returns a file's name as text that a database takes.
func plain(name string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "\uFFFD")
}

// formatOf returns the format of an uploaded file: CSV, unless its name or media type says otherwise.
func formatOf(part *multipart.Part) intake.Format {
	if strings.HasSuffix(strings.ToLower(part.FileName()), ".parquet") ||
		part.Header.Get("Content-Type") == "application/vnd.apache.parquet" {
		return intake.Parquet
	}
	return intake.CSV
}

// save copies an uploaded file.
func (f *Face) save(part io.Reader, out io.Writer) (size int64, err error) {
	size, err = io.Copy(out, io.LimitReader(part, f.host.Limits().MaxUpload+1))
	switch {
	case size > f.host.Limits().MaxUpload:
		return size, fiber.NewError(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The file is larger than %d bytes (--max-upload). Send it in parts.", f.host.Limits().MaxUpload))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return size, malformed(err)
	}
	return size, err
}

// listSources shows the sources of the user.
func (f *Face) listSources(c *fiber.Ctx) error {
	out := &index{}
	list, err := f.sources.List(c.UserContext(), f.user(c))
	if err != nil {
		return err
	}
	for _, s := range list {
		out.add(site(c)+sourcePath(s), viewSource(s))
	}
	return show(c, document{Element: catalogElement, Index: out})
}

// getSource shows one source.
func (f *Face) getSource(c *fiber.Ctx) error {
	s, err := f.sources.Get(c.UserContext(), f.user(c), c.Params("source"))
	if err != nil {
		return err
	}
	return show(c, document{Element: entityElement, Self: site(c) + sourcePath(s), Body: viewSource(s)})
}

// deleteSource removes a source. What a batch has appended from it stays.
func (f *Face) deleteSource(c *fiber.Ctx) error {
	if err := f.sources.Delete(c.UserContext(), f.user(c), c.Params("source")); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}
