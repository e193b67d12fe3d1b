package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"rowback/storage"
)

// Keys of the values kept in a request's context.
const (
	requestIDKey = "request id"
	bodyKey      = "body"
	streamKey    = "stream"
	callerKey    = "caller"
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
	mine := &held{all: &h.held}
	c.Locals(heldKey, mine)
	defer mine.release()
	h.renewDeadline(c)
	defer h.endDeadline(c)
	// Everything that answers runs inside it; a panic is one request's error.
	err := recovered(func() error { return h.admit(c) })
	if err != nil {
		err = h.sendError(c, err)
	}
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
	// Without the query: it may have records' values in it.
	h.log.Info("request", "request_id", id, "method", c.Method(), "path", c.Path(), "status", status,
		"ms", float64(took.Microseconds())/1000, "user", User(c))
	return err
}

// admit has a request answered, if its client can take an answer.
func (h *Host) admit(c *fiber.Ctx) error {
	if asked := acceptedBy(c); !asked.identity() && asked.best() == "" {
		return errNoCoding
	}
	return h.admitPage(c)
}

// renewDeadline restarts a request's deadline. Work that has already begun keeps the deadline that it started with. It
// starts anew when the body has been read: a slow upload does not use up the time for the work.
func (h *Host) renewDeadline(c *fiber.Ctx) {
	ctx, cancel := context.WithTimeout(storage.PermitFrom(h.base, c.UserContext()), h.options.Limits.QueryTimeout)
	c.SetUserContext(ctx)
	// Contexts that were replaced are cancelled with the last one, and not before: work may still run under them.
	before, ok := c.Locals(deadlineKey).(context.CancelFunc)
	if !ok {
		before = func() {}
	}
	c.Locals(deadlineKey, context.CancelFunc(func() { before(); cancel() }))
}

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
