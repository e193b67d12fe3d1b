package iceberg

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/fault"
)

// kinds are the types of errors by status, as clients know them. A table or a state that is gone is one that there is
// not.
var kinds = map[int]string{
	http.StatusBadRequest:         "BadRequestException",
	http.StatusUnauthorized:       "NotAuthorizedException",
	http.StatusForbidden:          "ForbiddenException",
	http.StatusNotFound:           "NoSuchTableException",
	http.StatusNotAcceptable:      "UnsupportedOperationException",
	http.StatusServiceUnavailable: "ServiceUnavailableException",
	http.StatusTooManyRequests:    "SlowDownException",
}

// noNamespaceCode is the code of the error for a project that there is not.
const noNamespaceCode = "project_not_found"

// noNamespace is the error for a project that there is not, or that the caller must not know of.
func noNamespace(name string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: noNamespaceCode,
		Detail: fmt.Sprintf("Project '%s' not found. A namespace is a project, by its name or its number.", fault.Clip(name)),
	}
}

// noTable is the error for a dataset that there is not in a project.
func noTable(name, project string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: "dataset_not_found",
		Detail: fmt.Sprintf("Dataset '%s' not found in project %s", fault.Clip(name), fault.Clip(project)),
	}
}

// SendError sends an error as clients of the catalog expect it. It implements host.ErrorSender for the paths that Owns
// accepts.
func (f *Face) SendError(c *fiber.Ctx, err error) error {
	var oauth *tokenError
	if errors.As(err, &oauth) {
		return oauth.send(c)
	}
	status, fields := f.host.Problem(err, c.GetRespHeader("X-Request-Id"))
	if status == http.StatusGone {
		status = http.StatusNotFound
	}
	kind := kinds[status]
	switch {
	case fields["code"] == noNamespaceCode:
		kind = "NoSuchNamespaceException"
	case kind == "" && status < http.StatusInternalServerError:
		kind = kinds[http.StatusBadRequest]
	case kind == "":
		kind = "InternalServerError"
	}
	switch status {
	case http.StatusUnauthorized:
		c.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		c.Set("Retry-After", "5")
	}
	text, err := json.Marshal(map[string]any{"error": map[string]any{
		"message": fields["detail"], "type": kind, "code": status,
	}})
	if err != nil {
		return err
	}
	c.Status(status).Set("Content-Type", "application/json")
	return c.Send(text)
}

// instead is what to do in place of a write.
const instead = "This catalog only reads. Write through the API (POST /api/v1/datasets/{dataset}/commits), the program " +
	"(rowback import) or Arrow Flight SQL: every commit is a snapshot here at once."

// nothingElse answers requests that match no route: writes are not supported, and of the rest there is nothing.
func (f *Face) nothingElse(c *fiber.Ctx) error {
	switch c.Method() {
	case http.MethodGet, http.MethodHead:
		return fiber.NewError(http.StatusNotFound, fmt.Sprintf("There is nothing at %s.", c.Path()))
	}
	return &host.Refusal{Status: http.StatusNotAcceptable, Code: "read_only", Detail: instead}
}
