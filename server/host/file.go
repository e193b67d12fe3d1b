package host

import (
	"context"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// attachment returns the header that makes a browser save a file under a name (RFC 6266).
func attachment(name string) string {
	return disposition(name, false)
}

// disposition returns the header for a file that a browser saves or, displayed, shows. Names outside ASCII are encoded
// (RFC 2231).
func disposition(name string, displayed bool) string {
	kind := "attachment"
	if displayed {
		kind = "inline"
	}
	return mime.FormatMediaType(kind, map[string]string{"filename": name})
}

// File is a file to send, with what its headers need.
type File struct {
	io.ReadSeekCloser
	Checksum string // its ETag
	Media    string
	Name     string // under which a browser saves it
	Modified time.Time
}

// SendFile sends a file, or the part of it that the request asks for (RFC 9110, sections 13 and 14), and
// closes it. net/http decides which part. A client that reads nothing until the time limit is disconnected, and so is
// one who may not see the file any more.
func (h *Host) SendFile(c *fiber.Ctx, f File) error {
	if !acceptedBy(c).identity() {
		_ = f.Close() // it was only read
		return errOnlyIdentity
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		_ = f.Close() // it was only read
		return err
	}
	// net/http writes into the pipe, and fasthttp reads from it: neither can call the other.
	reader, writer := io.Pipe()
	// Each write that is taken restarts it (steps): a slow client is served as long as it reads.
	limit := time.AfterFunc(h.options.Limits.QueryTimeout, func() { writer.CloseWithError(context.DeadlineExceeded) })
	ctx, cancel := context.WithCancelCause(h.base)
	unlessStopped := context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
	h.whileLetIn(ctx, c, cancel)
	w := &fileAnswer{
		Writer: &steps{writer, limit, h.options.Limits.QueryTimeout, nil}, header: http.Header{}, started: make(chan int, 1),
	}
	w.header.Set("Content-Type", f.Media)
	w.header.Set("Content-Disposition", attachment(f.Name))
	w.header.Set("ETag", `"`+f.Checksum+`"`)
	// Copied before the handler returns: Fiber reuses the request's memory.
	request := partRequest(c)
	h.Background(func(context.Context) error {
		http.ServeContent(w, request, "", f.Modified, f)
		return nil
	}, func(err error) {
		limit.Stop()
		unlessStopped()
		cancel(nil)
		_ = f.Close() // it was only read
		writer.CloseWithError(err)
		close(w.started)
	})
	// The work has written the headers by now, or has ended; the body follows while it is sent.
	switch status := <-w.started; status {
	case http.StatusOK, http.StatusPartialContent:
		return w.send(c, status, reader)
	case http.StatusNotModified:
		reader.Close()
		return w.send(c, status, nil)
	case http.StatusPreconditionFailed:
		reader.Close()
		return fiber.NewError(status,
			"The file has changed (If-Match, If-Unmodified-Since): the ref names another commit now. "+
				"Read it again, or name a version or a commit.")
	case http.StatusRequestedRangeNotSatisfiable:
		reader.Close()
		c.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return fiber.NewError(status, "The range is outside the file. Content-Range has the file's size in bytes.")
	default:
		reader.Close()
		return fmt.Errorf("a file was answered with status %d", status)
	}
}

// partRequest returns a request for net/http, with the headers that select a part. Ranges in units other than bytes,
// and ranges on methods other than GET, are ignored.
func partRequest(c *fiber.Ctx) *http.Request {
	r := &http.Request{Method: c.Method(), Header: http.Header{}}
	for _, name := range []string{
		"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	} {
		if value := Header(c, name); value != "" {
			r.Header.Set(name, value)
		}
	}
	unit, ranges, _ := strings.Cut(r.Header.Get("Range"), "=")
	r.Header.Del("Range")
	if strings.EqualFold(unit, "bytes") && c.Method() == http.MethodGet {
		r.Header.Set("Range", "bytes="+noEmpty(ranges))
	}
	return r
}

// noEmpty replaces -0, the last zero bytes of a file, with a range that no file has: net/http would accept -0.
func noEmpty(ranges string) string {
	list := strings.Split(ranges, ",")
	for i, one := range list {
		if zeros, ok := strings.CutPrefix(strings.TrimSpace(one), "-"); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
			list[i] = fmt.Sprintf("%d-", math.MaxInt64)
		}
	}
	return strings.Join(list, ",")
}

// fileAnswer is a ResponseWriter for net/http whose body is a pipe.
type fileAnswer struct {
	io.Writer
	header  http.Header
	started chan int // receives the status once the headers are complete
}

// Header and WriteHeader implement http.ResponseWriter; Write goes to the pipe.
func (w *fileAnswer) Header() http.Header    { return w.header }
func (w *fileAnswer) WriteHeader(status int) { w.started <- status }

// send sends the headers, and what is read from body.
func (w *fileAnswer) send(c *fiber.Ctx, status int, body *io.PipeReader) error {
	for name := range w.header {
		c.Set(name, w.header.Get(name))
	}
	c.Status(status)
	var size int
	if _, err := fmt.Sscan(w.header.Get("Content-Length"), &size); err != nil || c.Method() == http.MethodHead ||
		body == nil {
		// HEAD has the length that the body would have.
		c.Response().SkipBody = true
		c.Response().Header.SetContentLength(size)
		if body != nil {
			body.Close()
		}
		return nil
	}
	c.Context().SetBodyStream(body, size)
	return nil
}
