package host

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage/fault"
)

// statuses maps the kinds of errors to HTTP. Corrupt is 409: the request conflicts with what is stored, and repeating
// it does not help.
var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Malformed:   http.StatusBadRequest,
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Gone:        http.StatusGone,
	fault.Exists:      http.StatusConflict,
	fault.Conflict:    http.StatusConflict,
	fault.Blocked:     http.StatusConflict,
	fault.Corrupt:     http.StatusConflict,
	fault.TooLarge:    http.StatusRequestEntityTooLarge,
	fault.Forbidden:   http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// codes has the codes of the errors that come from the router itself. Errors of the domain bring their own.
var codes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusRequestEntityTooLarge: "too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusPreconditionFailed:    "precondition_failed",
	http.StatusRequestTimeout:        "request_timeout",

	http.StatusRequestedRangeNotSatisfiable: "range_not_satisfiable",

	http.StatusRequestHeaderFieldsTooLarge: "header_too_large",
}

// Problem is an error answer (RFC 9457). Detail is a sentence that a person can act on; Code is stable. Errors may add
// fields of their own.
type Problem struct {
	Type      string `json:"type" required:"true"`
	Title     string `json:"title" required:"true"`
	Status    int    `json:"status" required:"true"`
	Detail    string `json:"detail" required:"true"`
	Code      string `json:"code" required:"true"`
	RequestID string `json:"request_id,omitempty"`
}

// Problem returns the answer to an error: its status and fields. What a client must not see is logged instead, under
// the request's id.
func (h *Host) Problem(err error, requestID string) (status int, fields map[string]any) {
	fields = map[string]any{"type": "about:blank"}
	if requestID != "" {
		fields["request_id"] = requestID
	}
	// A fiber.Error is also what handlers return where a status is all that matters.
	var router *fiber.Error
	var refused *Refusal
	if errors.As(err, &refused) {
		status, fields["detail"], fields["code"] = refused.Status, refused.Detail, refused.Code
	} else if errors.As(err, &router) {
		status, fields["detail"] = router.Code, router.Message
		fields["code"] = cmp.Or(codes[router.Code], codes[http.StatusBadRequest])
	} else {
		e := calls.Explain(h.log, err, requestID)
		status = statuses[e.Kind]
		for name, value := range e.Fields {
			// Before the standard members, which no field of an error may replace.
			fields[name] = h.options.Fact(value)
		}
		fields["detail"], fields["code"] = e.Detail, e.Code
	}
	fields["status"], fields["title"] = status, http.StatusText(status)
	return status, fields
}

// problem returns the answer to an error: its status and JSON.
func (h *Host) problem(err error, requestID string) (status int, body []byte) {
	status, fields := h.Problem(err, requestID)
	body, err = json.Marshal(fields)
	if err != nil {
		h.log.Error("an error could not be written as JSON", "request_id", requestID, "error", err)
	}
	return status, body
}

// sendProblem sends an error as problem+json.
func (h *Host) sendProblem(c *fiber.Ctx, err error) error {
	id, _ := c.Locals(requestIDKey).(string)
	status, body := h.problem(err, id)
	switch status {
	case http.StatusUnauthorized:
		c.Set("WWW-Authenticate", "Bearer")
	// Most reasons pass in seconds; one that does not says so in its sentence.
	case http.StatusServiceUnavailable:
		c.Set("Retry-After", "5")
	}
	c.Status(status).Set("Content-Type", "application/problem+json")
	return c.Send(body)
}
