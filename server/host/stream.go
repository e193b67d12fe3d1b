package host

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fair"
	"github.com/rowback/rowback/storage/fault"
)

// truncated is the header that says whether an answer ends before its result does: no, limit or bytes. Answers that are
// complete before their first byte is sent (those up to readAhead) have it as a header, all others as a trailer; longer
// ones to HTTP/1.0 clients don't have it, as HTTP/1.0 has no trailers.
const truncated = "X-Rowback-Truncated"

// readAhead is how many bytes of an answer are produced before its first byte is sent: an error in them is still
// answered with a problem.
const readAhead = 64 << 10

// maxChunk is the largest chunk of an answer, in bytes.
const maxChunk = 256 << 10

// unknown is the size of a body that is still being produced.
const unknown = -1

// Result is an answer that is produced while it is sent. A result is written once; what it needs is opened in Write and
// closed there.
type Result struct {
	Name      string // of the file when a browser saves it
	Displayed bool   // by a browser, instead of saved
	Media     string
	// How long it may take. If Each is 0, First is for all of it; otherwise First is for the first part and Each for
	// every further one.
	First, Each time.Duration
	// Write produces it, and returns why it was cut: limit or bytes; empty: it is complete. Where w is told the size
	// and that before the first byte (Announce), the answer has them in its headers.
	Write func(ctx context.Context, w io.Writer) (cut string, err error)
}

// Stream sends a result. An error before the first byte is a problem like any other; after it, the
// connection is cut, so that no one mistakes a part for the whole. A result that yields nothing, or a client that reads
// nothing, for longer than allowed, is stopped; and so is one whose caller may not see it any more.
func (h *Host) Stream(c *fiber.Ctx, r Result) error {
	ctx, cancel := context.WithCancelCause(h.workOf(c)) // it outlives the handler
	ctx, sending := fair.WithStream(ctx, cancel)
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) }) // so that nothing waits on the pipe
	limit := time.AfterFunc(r.First, func() { cancel(context.DeadlineExceeded) })
	whenGone(ctx, c, 0, cancel)
	h.whileLetIn(ctx, c, cancel)
	body := &resultStream{
		pipe: reader, host: h, response: c.Response(), id: c.GetRespHeader("X-Request-Id"), size: unknown,
	}
	h.Background(func(context.Context) (err error) {
		body.cut, err = r.Write(ctx, &resultWriter{steps{writer, limit, r.Each, sending}, body})
		return err
	}, func(err error) {
		limit.Stop()
		writer.CloseWithError(err)
		cancel(nil)
	})
	// The first part waits here: a statement that fails at once is answered with a status, as most do.
	body.Reader = bufio.NewReaderSize(reader, readAhead)
	_, err := body.Peek(readAhead)
	if err != nil && err != io.EOF {
		reader.Close()
		return err
	}
	c.Set("Content-Type", r.Media)
	if r.Name != "" {
		c.Set("Content-Disposition", disposition(r.Name, r.Displayed))
	}
	if err == io.EOF { // all of it was read ahead
		c.Set(truncated, body.truncation())
		return sendWhole(c, body)
	}
	return body.send(c)
}

// send sends the stream.
func (s *resultStream) send(c *fiber.Ctx) error {
	if s.coding, _ = coding(c); s.coding != "" {
		c.Set("Content-Encoding", s.coding)
		s.size = unknown
	}
	if s.size != unknown {
		c.Set(truncated, s.truncation())
	}
	if c.Method() == http.MethodHead { // a stream would leave bytes after the headers
		c.Response().SkipBody = true
		if s.size != unknown {
			c.Response().Header.SetContentLength(s.size)
		}
		return s.Close()
	}
	if s.size == unknown {
		if !c.Request().Header.IsHTTP11() {
			return sendUntilEnd(c, s)
		}
		// The header announces the trailer, whose value is known at the end.
		if err := c.Response().Header.SetTrailer(truncated); err != nil {
			return err
		}
	}
	c.Status(http.StatusOK).Context().SetBodyStream(s, s.size)
	return nil
}

// sendWhole sends a body that is complete, so that its length is known. It may still be compressed: see encode.
func sendWhole(c *fiber.Ctx, body *resultStream) error {
	defer body.Close()
	whole, err := io.ReadAll(body.Reader)
	if err != nil {
		return err
	}
	return c.Status(http.StatusOK).Send(whole)
}

// resultStream is a body that is still being produced. Closing it, as happens when the client disconnects, stops the
// query.
type resultStream struct {
	*bufio.Reader
	pipe     *io.PipeReader
	size     int    // in bytes; known before the first of them, or never
	cut      string // known with the size, or at the end
	coding   string // as which it is sent; empty: as it is
	host     *Host
	response *fasthttp.Response
	id       string
}

// Read reads the body. fasthttp uses WriteTo instead, where it can.
func (s *resultStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.note(err)
	return n, err
}

// SupportsBodyWriteTo makes fasthttp use WriteTo: what it reads itself becomes chunks of 4 KiB, which are too small to
// be fast.
func (s *resultStream) SupportsBodyWriteTo() bool { return true }

// WriteTo writes the rest in chunks of up to maxChunk. It runs outside the handler, so it has to recover from panics
// itself.
func (s *resultStream) WriteTo(w io.Writer) (n int64, err error) {
	err = recovered(func() error {
		n, err = s.writeTo(w)
		return err
	})
	return n, err
}

// Each chunk is sent when it is there, so that the client sees the first rows early.
func (s *resultStream) writeTo(w io.Writer) (n int64, err error) {
	if s.coding != "" {
		return s.encodeTo(w)
	}
	err = s.eachPart(func(part []byte) error {
		written, err := w.Write(part)
		n += int64(written)
		return err // the client has disconnected
	})
	return n, err
}

// encodeTo writes the rest compressed. A body that is cut does not get the end that makes it complete.
func (s *resultStream) encodeTo(w io.Writer) (n int64, err error) {
	chunk := bufio.NewWriterSize(w, heldBack)
	to := s.host.encoders.get(s.coding, chunk)
	defer s.host.encoders.put(s.coding, to)
	out := &encodedResult{encoder: to, chunk: chunk}
	err = s.eachPart(func(part []byte) error {
		n += int64(len(part))
		_, err := out.Write(part)
		return err
	})
	if err == nil {
		err = out.Close()
	}
	return n, err
}

// eachPart reads the rest: straight from the pipe, past what was read ahead.
func (s *resultStream) eachPart(send func(part []byte) error) error {
	part := make([]byte, maxChunk)
	for {
		got, err := s.Reader.Read(part)
		if err == nil {
			err = send(part[:got])
		} else {
			s.note(err)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// note records the end: the trailer says how the body was cut.
func (s *resultStream) note(err error) {
	switch {
	case err == io.EOF:
		s.response.Header.Set(truncated, s.truncation()) // the trailer
	case err != nil:
		s.host.log.Error("an answer was cut", "request_id", s.id, "error", err)
	}
}

// truncation returns the value of the header.
func (s *resultStream) truncation() string { return cmp.Or(s.cut, "no") }

// Close makes the next write of the work fail, which ends it.
func (s *resultStream) Close() error { return s.pipe.Close() }

// errLeft ends the work for a client that has closed its connection. No one will read it.
var errLeft = &fault.Error{
	Kind: fault.Unavailable, Code: "client_gone", Detail: "The client has closed its connection.",
}

// WhileConnected returns the context of a request's work, which also ends when the client closes its connection.
func (h *Host) WhileConnected(c *fiber.Ctx) (context.Context, context.CancelFunc) {
	return h.whileConnected(c, 0)
}

// whileLetIn cancels what is being sent once its caller may not see it any more, unless ctx ends first. On a server
// without tokens everyone may, whatever becomes of a session; and what someone unknown is sent needs no token.
func (h *Host) whileLetIn(ctx context.Context, c *fiber.Ctx, cancel context.CancelCauseFunc) {
	if !h.IsOpen() && Caller(c).IsKnown() {
		go permit.While(ctx, Caller(c), cancel)
	}
}

// halfClosed is how long a client's work goes on after it closed the connection, or its sending half: the two look the
// same, and whoever closes only that half still reads the answer.
const halfClosed = 10 * time.Second

// WhileAwaited is WhileConnected for a request whose client may have closed its half of the connection after the body.
func (h *Host) WhileAwaited(c *fiber.Ctx) (context.Context, context.CancelFunc) {
	return h.whileConnected(c, halfClosed)
}

func (h *Host) whileConnected(c *fiber.Ctx, patience time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(c.UserContext())
	whenGone(ctx, c, patience, cancel)
	return ctx, func() { cancel(nil) }
}

// whenGone cancels work some time after its client closed the connection, unless ctx ends first. Fiber does not report
// that.
func whenGone(ctx context.Context, c *fiber.Ctx, patience time.Duration, cancel context.CancelCauseFunc) {
	if conn := conns.Of(c.Context().Conn()); conn != nil {
		// Asking the connection costs a system call.
		go whenLeft(ctx, conn.Left, 250*time.Millisecond, patience, func() { cancel(errLeft) })
	}
}

// whenLeft calls then once left has been true for so long, asking it every now and then, unless ctx ends first.
func whenLeft(ctx context.Context, left func() bool, every, patience time.Duration, then func()) {
	look := time.NewTicker(every)
	defer look.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-look.C:
			if since.IsZero() && left() {
				since = now
			}
			if !since.IsZero() && now.Sub(since) >= patience {
				then()
				return
			}
		}
	}
}

// steps is a writer that gives every write its own time limit, unless each is 0.
type steps struct {
	io.Writer
	limit   *time.Timer
	each    time.Duration
	sending *fair.Stream
}

// Write passes the part on, in chunks: a client that takes one is reading, however large the part is. The time that it
// takes for all of it counts as part of the limit.
func (s *steps) Write(p []byte) (written int, err error) {
	for first := true; err == nil && (first || written < len(p)); first = false {
		err = s.sending.Send(func() error {
			n, err := s.Writer.Write(p[written:min(len(p), written+maxChunk)])
			written += n
			return err
		})
	}
	if s.each > 0 {
		s.limit.Reset(s.each)
	}
	return written, err
}

// resultWriter is what a result is written to.
type resultWriter struct {
	steps
	body *resultStream
}

// Announce says before the first byte how many there are, and why the result is cut. The pipe orders this before the
// body is sent.
func (w *resultWriter) Announce(size int64, cut string) { w.body.size, w.body.cut = int(size), cut }
