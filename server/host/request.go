package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/trace"
)

// Keys of the values kept in a request's context.
const (
	requestIDKey = "request id"
	bodyKey      = "body"
	streamKey    = "stream"
	callerKey    = "caller"
	operationKey = "operation"
	heldKey      = "held"
	deadlineKey  = "deadline"
)

// observe assigns the request an id and a deadline, and logs and counts it once it is answered.
func (h *Host) observe(c *fiber.Ctx) error {
	start := time.Now()
	id := c.Get("X-Request-Id")
	// A client's or proxy's own id is kept, so that its log and ours can be joined.
	if id == "" || len(id) > 100 {
		b := make([]byte, 8)
		rand.Read(b)
		id = hex.EncodeToString(b)
	}
	c.Locals(requestIDKey, id)
	c.Set("X-Request-Id", id)
	subject := h.options.Audit.Begin("http", id)
	span := h.options.Traces.Request(c.Method(), c.Get("Traceparent"), c.Get("Tracestate"))
	c.SetUserContext(trace.With(audit.With(c.UserContext(), subject), span))
	mine := &held{all: &h.held}
	c.Locals(heldKey, mine)
	defer mine.release()
	h.renewDeadline(c)
	defer h.endDeadline(c)
	// Everything that answers runs inside it; a panic is one request's error.
	err := recovered(func() error { return h.admit(c) })
	if err == nil {
		err = h.stillLetIn(c, start)
	}
	refused := err
	if err != nil {
		err = h.sendError(c, err)
	}
	// Before the answer is sent: what a client knows to be done is recorded.
	h.record(c, subject, refused)
	err = errors.Join(err, h.encode(c))
	// A body that no one wanted would be read as the next request on the connection.
	if c.Locals(streamKey) != nil || c.Request().IsBodyStream() {
		if !bodyOf(c).drain(h.patience(c)) {
			c.Set("Connection", "close")
		}
	}
	took := time.Since(start)
	status := c.Response().StatusCode()
	h.metrics.observe(c.Method(), c.Route().Path, status, took)
	endSpan(c, span, id, status)
	// Without the query: it may have records' values in it. Of a token, its id, which does not open anything.
	caller := Caller(c)
	h.log.Info("request", "request_id", id, "method", c.Method(), "path", c.Path(), "status", status,
		"ms", float64(took.Microseconds())/1000, "user", caller.User, "token", caller.Token, "address", addressOf(c).Unmap())
	return err
}

// stillLetIn refuses the answer to a read that took long, if its caller may not see it any more. What a write has done
// is done, and asked about before; what is still to be sent is looked at meanwhile (Stream, SendFile).
func (h *Host) stillLetIn(c *fiber.Ctx, start time.Time) error {
	if !isRead(c) || c.Response().IsBodyStream() || time.Since(start) < permit.Every || h.IsOpen() { // asks the users last
		return nil
	}
	return permit.Still(Caller(c))
}

// endSpan ends the span of a request; nil: it has none.
func endSpan(c *fiber.Ctx, span trace.Span, id string, status int) {
	if span == nil {
		return
	}
	route := c.Route().Path
	span.Rename(c.Method() + " " + route)
	span.Set("http.request.method", c.Method())
	span.Set("http.route", route)
	span.Set("http.response.status_code", status)
	span.Set("client.address", addressOf(c).Unmap())
	span.Set("rowback.request_id", id)
	var err error
	if status >= http.StatusInternalServerError {
		err = errFailed
	}
	span.End(err)
}

// errFailed ends the span of a request that the server could not answer. The log says why.
var errFailed = errors.New("the request failed")

// admit has a request answered, if its client can take an answer.
func (h *Host) admit(c *fiber.Ctx) error {
	if asked := acceptedBy(c); !asked.identity() && asked.best() == "" {
		return errNoCoding
	}
	if err := h.inRate(c); err != nil {
		return err
	}
	if err := h.recordable(c); err != nil {
		return err
	}
	return h.admitPage(c)
}

// renewDeadline restarts a request's deadline. Work that has already begun keeps the deadline that it started with. It
// starts anew when the body has been read: a slow upload does not use up the time for the work.
func (h *Host) renewDeadline(c *fiber.Ctx) {
	ctx, cancel := context.WithTimeout(h.workOf(c), h.options.Limits.QueryTimeout)
	c.SetUserContext(ctx)
	// Contexts that were replaced are cancelled with the last one, and not before: work may still run under them.
	before, ok := c.Locals(deadlineKey).(context.CancelFunc)
	if !ok {
		before = func() {}
	}
	c.Locals(deadlineKey, context.CancelFunc(func() { before(); cancel() }))
}

// workOf returns the context of work for a request, which ends when the server has to stop.
func (h *Host) workOf(c *fiber.Ctx) context.Context { return calls.Carry(h.base, c.UserContext()) }

// endDeadline cancels the request's contexts. Fiber does not do that itself, not even when a client disconnects.
func (h *Host) endDeadline(c *fiber.Ctx) {
	if cancel, ok := c.Locals(deadlineKey).(context.CancelFunc); ok {
		cancel()
	}
}

// patience is how many bytes of an unwanted body are read, so that its sender gets to see the answer. An unknown user
// gets little. An HTTP/1.1 client often reads the answer only once it has sent everything.
func (h *Host) patience(c *fiber.Ctx) int64 {
	if User(c) == "" {
		return 1 << 20
	}
	return h.options.Limits.MaxUpload
}
