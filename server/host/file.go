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

// attachment is the header that has a browser save a file under a name (RFC 6266).
func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// File is a file as clients are told of it.
type File struct {
	io.ReadSeekCloser
	Checksum string // its ETag
	Media    string
	Name     string // that a browser saves it as
	Modified time.Time
}

// SendFile answers with a file, or with the part of it that the request asks for (RFC 9110, sections 13 and 14), and
// closes it. net/http decides what that is. A client that takes nothing for the time limit is cut off.
func (h *Host) SendFile(c *fiber.Ctx, f File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return err
	}
	reader, writer := io.Pipe()
	limit := time.AfterFunc(h.options.QueryTimeout, func() { writer.CloseWithError(context.DeadlineExceeded) })
	unlessStopped := context.AfterFunc(h.base, func() { writer.CloseWithError(context.Canceled) })
	w := &fileAnswer{Writer: &steps{writer, limit, h.options.QueryTimeout}, header: http.Header{}, started: make(chan int, 1)}
	w.header.Set("Content-Type", f.Media)
	w.header.Set("Content-Disposition", attachment(f.Name))
	w.header.Set("ETag", `"`+f.Checksum+`"`)
	request := partRequest(c)
	h.Background(func(context.Context) error {
		http.ServeContent(w, request, "", f.Modified, f)
		return nil
	}, func(err error) {
		limit.Stop()
		unlessStopped()
		f.Close()
		writer.CloseWithError(err)
		close(w.started)
	})
	switch status := <-w.started; status {
	case http.StatusOK, http.StatusPartialContent:
		return w.send(c, status, reader)
	case http.StatusNotModified:
		reader.Close()
		return w.send(c, status, nil)
	case http.StatusPreconditionFailed:
		reader.Close()
		return fiber.NewError(status, "The file is not the one that the request means (If-Match, If-Unmodified-Since): the ref is another commit by now. Read it anew, or name a version or a commit.")
	case http.StatusRequestedRangeNotSatisfiable:
		reader.Close()
		c.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return fiber.NewError(status, "The file has no such range. Content-Range tells how many bytes it has.")
	default:
		reader.Close()
		return fmt.Errorf("a file was answered with status %d", status)
	}
}

// partRequest is a request as net/http sees it, with the headers that ask for a part. Ranges of other units than bytes,
// and those that do not come with GET, mean nothing.
func partRequest(c *fiber.Ctx) *http.Request {
	r := &http.Request{Method: c.Method(), Header: http.Header{}}
	for _, name := range []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		var lines []string
		for _, line := range c.Request().Header.PeekAll(name) {
			lines = append(lines, string(line))
		}
		if len(lines) > 0 {
			r.Header.Set(name, strings.Join(lines, ", "))
		}
	}
	unit, ranges, _ := strings.Cut(r.Header.Get("Range"), "=")
	r.Header.Del("Range")
	if strings.EqualFold(unit, "bytes") && c.Method() == http.MethodGet {
		r.Header.Set("Range", "bytes="+noEmpty(ranges))
	}
	return r
}

// noEmpty puts a range that is in no file in place of -0, the last nothing of a file: net/http would send that.
func noEmpty(ranges string) string {
	list := strings.Split(ranges, ",")
	for i, one := range list {
		if zeros, ok := strings.CutPrefix(strings.TrimSpace(one), "-"); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
			list[i] = fmt.Sprintf("%d-", math.MaxInt64)
		}
	}
	return strings.Join(list, ",")
}

// fileAnswer is an answer of net/http's whose body is a pipe.
type fileAnswer struct {
	io.Writer
	header  http.Header
	started chan int // has the status as soon as the headers stand
}

func (w *fileAnswer) Header() http.Header    { return w.header }
func (w *fileAnswer) WriteHeader(status int) { w.started <- status }

// send answers with the headers, and with what is read from body.
func (w *fileAnswer) send(c *fiber.Ctx, status int, body *io.PipeReader) error {
	for name := range w.header {
		c.Set(name, w.header.Get(name))
	}
	c.Status(status)
	var size int
	if _, err := fmt.Sscan(w.header.Get("Content-Length"), &size); err != nil || c.Method() == http.MethodHead || body == nil {
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
