package crunch

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// How many uploaded sources are kept, and for how long. They do not survive a restart.
const (
	maxSources = 256
	sourceAge  = 24 * time.Hour
)

// source is an uploaded file, which a batch appends. It is a file in staging, which put, drop and delete remove.
type source struct {
	id, name string
	user     string
	upload   calls.Upload
	at       time.Time
	columns  []schema.Column // of another dataset: what is said of them there
}

// sources are the uploaded files.
type sources struct {
	mu   sync.Mutex
	byID map[string]source
}

// newSources returns an empty list.
func newSources() *sources { return &sources{byID: map[string]source{}} }

// put keeps a source, and drops expired ones, and the oldest if there are too many. There is no timer: what has expired
// stays until the next upload, and at most maxSources files are there in all.
func (s *sources) put(one source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[one.id] = one
	byAge := slices.SortedFunc(maps.Values(s.byID), func(a, b source) int { return a.at.Compare(b.at) })
	for i, old := range byAge {
		if len(byAge)-i > maxSources || time.Since(old.at) > sourceAge {
			s.drop(old.id)
		}
	}
}

// drop removes a source and its file. The caller holds the lock.
func (s *sources) drop(id string) {
	s.byID[id].upload.Remove()
	delete(s.byID, id)
}

// get finds a user's source. Those of other users are not found.
func (s *sources) get(user, id string) (source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byID[id]
	if !ok || one.user != user {
		return source{}, notFound("source_not_found",
			fmt.Sprintf("Source '%.40s' not found. Uploaded sources are kept for a day, or until the server restarts. "+
				"Upload it again.", id))
	}
	return one, nil
}

// delete drops a user's source.
func (s *sources) delete(user, id string) error {
	if _, err := s.get(user, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
	return nil
}

// list returns the sources of a user, oldest first.
func (s *sources) list(user string) (out []source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.byID {
		if one.user == user {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b source) int { return a.at.Compare(b.at) })
	return out
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
	one := source{id: f.store.NewID(), name: part.FileName(), user: f.user(c), at: time.Now(), upload: upload}
	f.sources.put(one)
	return created(c, sourcePath(one))
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
	for _, s := range f.sources.list(f.user(c)) {
		out.add(site(c)+sourcePath(s), viewSource(s))
	}
	return show(c, document{Element: catalogElement, Index: out})
}

// getSource shows one source.
func (f *Face) getSource(c *fiber.Ctx) error {
	s, err := f.sources.get(f.user(c), c.Params("source"))
	if err != nil {
		return err
	}
	return show(c, document{Element: entityElement, Self: site(c) + sourcePath(s), Body: viewSource(s)})
}

// deleteSource removes a source. What a batch has appended from it stays.
func (f *Face) deleteSource(c *fiber.Ctx) error {
	if err := f.sources.delete(f.user(c), c.Params("source")); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}
