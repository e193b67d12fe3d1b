package crunch

import (
	"context"
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
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// source is an uploaded file, which a batch appends.
type source struct {
	id, name string
	user     string
	upload   calls.Upload // of another server's, its format and size
	at       time.Time
	columns  []schema.Column // of another dataset: what is said of them there
}

// sources are the uploaded files, those of each user apart.
type sources interface {
	// put keeps a source, whose file it takes over. The oldest make room.
	put(ctx context.Context, one source) error
	// get finds a user's source. Those of other users are not found.
	get(ctx context.Context, user, id string) (source, error)
	// open returns the file of a source, to be read until done is called.
	open(ctx context.Context, one source) (u calls.Upload, done func(), err error)
	// delete drops a user's source.
	delete(ctx context.Context, user, id string) error
	// list returns the sources of a user, oldest first.
	list(ctx context.Context, user string) ([]source, error)
}

// noSource returns the refusal of a source that is not found, and other errors as they are.
func noSource(id string, err error) error {
	if !errors.Is(err, storage.ErrNoUpload) {
		return err
	}
	return notFound("source_not_found", fmt.Sprintf("Source '%.40s' not found. Uploaded sources are kept for a day, on a "+
		"server by itself until it restarts. Upload it again.", id))
}

// sourcePath returns the path of a source's resource.
func sourcePath(s source) string { return "/api/sources/" + s.id + "/" }

// viewSource returns a source as clients see it.
func viewSource(s source) map[string]any {
	return map[string]any{
		"id": s.id, "name": s.name, "type": string(s.upload.Format), "size": s.upload.Size, "creation_time": moment(s.at),
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
	one := source{id: f.store.NewID(), name: plain(part.FileName()), user: f.user(c), at: time.Now(), upload: upload}
	if err := f.sources.put(c.UserContext(), one); err != nil {
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
	list, err := f.sources.list(c.UserContext(), f.user(c))
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
	s, err := f.sources.get(c.UserContext(), f.user(c), c.Params("source"))
	if err != nil {
		return err
	}
	return show(c, document{Element: entityElement, Self: site(c) + sourcePath(s), Body: viewSource(s)})
}

// deleteSource removes a source. What a batch has appended from it stays.
func (f *Face) deleteSource(c *fiber.Ctx) error {
	if err := f.sources.delete(c.UserContext(), f.user(c), c.Params("source")); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}
