package quartzbio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/fault"
)

// problem returns the answer to an error: its status as the client knows it, and fields. The client handles 400, 401,
// 403 and 404.
func (f *Face) problem(err error, requestID string) (status int, fields map[string]any) {
	status, all := f.host.Problem(err, requestID)
	switch status {
	case http.StatusConflict, http.StatusUnprocessableEntity:
		status = http.StatusBadRequest
	case http.StatusGone:
		status = http.StatusNotFound
	}
	fields = map[string]any{"detail": all["detail"], "code": all["code"]}
	var blocked *blockedError
	if errors.As(err, &blocked) {
		fields["is_blocked"], fields["blocking_commits"] = true, blocked.commits
	}
	return status, fields
}

// SendError sends an error as the client expects it: JSON whose members it prints. It implements host.ErrorSender for
// the paths that Owns accepts.
func (f *Face) SendError(c *fiber.Ctx, err error) error {
	status, fields := f.problem(err, c.GetRespHeader("X-Request-Id"))
	switch status {
	case http.StatusUnauthorized:
		c.Set("WWW-Authenticate", `Bearer realm="api"`)
	case http.StatusServiceUnavailable:
		c.Set("Retry-After", "5")
	}
	return show(c, status, fields)
}

// show answers with JSON.
func show(c *fiber.Ctx, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.Status(status).Set("Content-Type", "application/json")
	return c.Send(text)
}

// refused is the refusal of a field or a parameter, and why.
func refused(field, why string) *fault.Error {
	return fault.Errorf(fault.Invalid, "invalid", "%s %s.", field, why).With("field", field)
}

// unknownField is the refusal of a field or a parameter that this face does not have, so that nothing is ignored.
func unknownField(name string) *fault.Error {
	return fault.Errorf(fault.Invalid, "not_supported", "'%s' is not supported here. Leave it out.", fault.Clip(name)).
		With("field", name)
}

// notFound is the error for something that is not there.
func notFound(what, id string) *fault.Error {
	return fault.Errorf(fault.NotFound, what+"_not_found", "Not found: there is no %s '%s'.", what, fault.Clip(id))
}

// blockedError is the refusal of a rollback that later commits block.
type blockedError struct {
	error
	commits []commitView
}

// Unwrap returns the refusal.
func (e *blockedError) Unwrap() error { return e.error }

// required is the refusal of a request without a field.
func required(field string) error { return refused(field, "is required") }

// oneOf is the refusal of a value that is none of a field's.
func oneOf(field, given, values string) error {
	return refused(field, fmt.Sprintf("must be %s, not '%s'", values, fault.Clip(given)))
}
