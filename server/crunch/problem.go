package crunch

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/fault"
)

// problem returns the answer to an error: the problem's fields, and message and description, which the clients show.
func (f *Face) problem(err error, requestID string) (status int, fields map[string]any) {
	status, fields = f.host.Problem(err, requestID)
	fields["message"], fields["description"] = fields["detail"], fields["detail"]
	return status, fields
}

// SendError sends an error. A 401 has the URL for logging in. It implements host.ErrorSender for the paths that Owns
// accepts.
func (f *Face) SendError(c *fiber.Ctx, err error) error {
	var told *refusal
	// Kept as this face wrote it, so it is sent as it is.
	if errors.As(err, &told) {
		c.Status(told.Status).Set("Content-Type", "application/json")
		return c.Send(told.Body)
	}
	status, fields := f.problem(err, c.GetRespHeader("X-Request-Id"))
	switch status {
	case http.StatusUnauthorized:
		fields["urls"] = links{"login_url": site(c) + "/api/login/"}
		c.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		c.Set("Retry-After", "5")
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	c.Status(status).Set("Content-Type", "application/json")
	return c.Send(text)
}

// invalid returns the error of a request's field, by name.
func invalid(field, why string) error {
	e := &fault.Error{Kind: fault.Invalid, Code: "invalid_field", Detail: field + ": " + why}
	return e.With("field", field)
}

// notFound returns the error of something that does not exist.
func notFound(code, sentence string) error {
	return &fault.Error{Kind: fault.NotFound, Code: code, Detail: sentence}
}
