package api

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"rowback/server/conns"
	"rowback/storage/fault"
	"rowback/storage/intake"
	"rowback/storage/output"
)

// truncated is the header that tells whether an answer ends before its result does: no, limit or bytes. Answers that are
// done before their first byte is sent (those up to readAhead) have it in front, all others as a trailer; longer ones to
// clients that speak HTTP/1.0, which knows no trailers, don't have it.
const truncated = "X-Rowback-Truncated"

// readAhead is how much of an answer is made before its first byte is sent, bytes: what goes wrong in it is still told
// as a problem.
const readAhead = 64 << 10

// maxChunk is how large a chunk of an answer is at most, bytes.
const maxChunk = 256 << 10

// pace is how long a result may take. Where each is 0, first is for all of it; else first is for the first part of it
// and each for every other one.
type pace struct{ first, each time.Duration }

// stream answers with a result as write makes it; name is what a browser calls the file. What goes wrong before the first byte is a problem like any other;
// after it, the connection is cut, so that no one takes a part for the whole. A result that yields nothing, or a client
// that takes nothing, for longer than the pace allows, is stopped.
func (a *API) stream(c *fiber.Ctx, name string, format intake.Format, p pace, write func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error)) error {
	ctx, cancel := context.WithCancelCause(a.base)
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) }) // nothing waits on the pipe any more
	limit := time.AfterFunc(p.first, func() { cancel(context.DeadlineExceeded) })
	if conn, ok := c.Context().Conn().(*conns.Conn); ok {
		go whenGone(ctx, conn, func() { cancel(errLeft) })
	}
	body := &resultStream{pipe: reader, api: a, response: c.Response(), id: c.GetRespHeader("X-Request-Id")}
	a.background(func() (err error) {
		body.cut, err = write(ctx, &steps{writer, limit, p.each}, a.store.Scratch("result.parquet"))
		return err
	}, func(err error) {
		limit.Stop()
		writer.CloseWithError(tooLarge(err))
		cancel(nil)
	})
	body.Reader = bufio.NewReaderSize(reader, readAhead)
	_, err := body.Peek(readAhead)
	if err != nil && err != io.EOF {
		reader.Close()
		return err
	}
	c.Set("Content-Type", mediaTypes[format])
	if format != intake.JSON { // which a browser shows
		c.Set("Content-Disposition", attachment(name+"."+string(format)))
	}
	if c.Method() == http.MethodHead { // a stream would leave bytes after the headers
		c.Response().SkipBody = true
		return reader.Close()
	}
	if err == io.EOF {
		c.Set(truncated, body.told())
		return sendWhole(c, body)
	}
	if !c.Request().Header.IsHTTP11() {
		return sendUntilEnd(c, body)
	}
	if err := c.Response().Header.SetTrailer(truncated); err != nil {
		return err
	}
	c.Status(http.StatusOK).Context().SetBodyStream(body, -1)
	return nil
}

// sendWhole answers with a body that is done, so that its length is known.
func sendWhole(c *fiber.Ctx, body *resultStream) error {
	defer body.Close()
	whole, err := io.ReadAll(body.Reader)
	if err != nil {
		return err
	}
	return c.Status(http.StatusOK).Send(whole)
}

// resultStream is a body that is still being made. Closing it, as happens when the client has gone, stops the query.
type resultStream struct {
	*bufio.Reader
	pipe     *io.PipeReader
	cut      output.Cut // known at the end
	api      *API
	response *fasthttp.Response
	id       string
}

func (s *resultStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.note(err)
	return n, err
}

// SupportsBodyWriteTo has fasthttp use WriteTo: what it reads itself becomes chunks of 4 KiB, too small for clients to be
// fast.
func (s *resultStream) SupportsBodyWriteTo() bool { return true }

// WriteTo writes the rest in chunks of up to maxChunk. It runs outside the handler, where no one else recovers.
func (s *resultStream) WriteTo(w io.Writer) (n int64, err error) {
	err = recovered(func() error {
		n, err = s.writeTo(w)
		return err
	})
	return n, err
}

func (s *resultStream) writeTo(w io.Writer) (n int64, err error) {
	part := make([]byte, maxChunk)
	for {
		got, err := s.Reader.Read(part) // past what was read ahead, straight from the pipe
		if err != nil {
			s.note(err)
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		written, err := w.Write(part[:got])
		n += int64(written)
		if err != nil {
			return n, err // the client has gone
		}
	}
}

// note takes note of the end: the trailer tells how the body was cut.
func (s *resultStream) note(err error) {
	switch {
	case err == io.EOF:
		s.response.Header.Set(truncated, s.told())
	case err != nil:
		s.api.log.Error("an answer was cut", "request_id", s.id, "error", err)
	}
}

// told is the cut as the header tells it.
func (s *resultStream) told() string { return cmp.Or(string(s.cut), "no") }

func (s *resultStream) Close() error { return s.pipe.Close() }

// errLeft ends the work for a client that has closed its connection. No one is there to read it.
var errLeft = &fault.Error{Kind: fault.Unavailable, Code: "client_gone", Detail: "The client has closed its connection."}

// whenGone calls left when the client has closed its connection, unless ctx ends before. Fiber does not tell.
func whenGone(ctx context.Context, conn *conns.Conn, left func()) {
	look := time.NewTicker(250 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if conn.Left() {
				left()
				return
			}
		}
	}
}

// tooLarge says what to do about a result that is too large for its format.
func tooLarge(err error) error {
	if errors.Is(err, output.ErrTooLarge) {
		return &fault.Error{Kind: fault.Invalid, Code: "result_too_large", Detail: "The result is larger than an answer may be (--max-result). Ask for less, or for another format, which is cut."}
	}
	return err
}

// steps is a writer that gives every write its own time, unless each is 0.
type steps struct {
	io.Writer
	limit *time.Timer
	each  time.Duration
}

func (s *steps) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if s.each > 0 {
		s.limit.Reset(s.each)
	}
	return n, err
}
