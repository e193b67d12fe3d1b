package host

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/storage"
)

// auditedAs are the kinds of the requests that are recorded other than as what their methods say: GET is not recorded
// unless it is refused, everything else is a write.
var auditedAs = map[string]string{
	"createQuery": audit.Query, "getQuery": audit.Query,
	"getData": audit.Export, "getParquet": audit.Export, "getDataFile": audit.Export, "getRollbackFile": audit.Export,
	"getArchive": audit.Export, "getRecordHistory": audit.Export, "diff": audit.Export, "listAudit": audit.Export,
	"GET /api/datasets/:dataset/table": audit.Export, "GET /api/datasets/:dataset/variables/:variable/values": audit.Export,
	"compareVersions": audit.Read, "reportGates": audit.Read,
	"GET /iceberg/v1/namespaces/:namespace/tables/:table": audit.Export,
	"POST /v2/datasets/:dataset/data":                     audit.Query, "GET /v2/datasets/:dataset/data/:ids": audit.Query,
	"POST /v2/batch_query": audit.Query, "GET /v2/downloads/:of": audit.Export,
	"completeLogin": audit.Login, "POST /api/login": audit.Login, "POST /iceberg/v1/oauth/tokens": audit.Login,
	"POST /api/logout": audit.Logout, "GET /api/logout": audit.Logout,
}

// unrecorded are the paths of requests that change nothing although their method may: they are answered even where the
// audit log can't be written.
var unrecorded = map[string]bool{
	"/api/v1/query": true, "/api/v1/datasets/versions/compare": true, "/api/login": true, "/api/login/": true,
	"/api/logout": true, "/api/logout/": true, "/iceberg/v1/oauth/tokens": true, "/v2/batch_query": true,
}

// Operation returns a handler that names what the routes behind it do, for the audit log.
func Operation(name string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Locals(operationKey, name)
		return c.Next()
	}
}

// isRead reports whether a request's method changes nothing.
func isRead(c *fiber.Ctx) bool {
	return c.Method() == http.MethodGet || c.Method() == http.MethodHead || c.Method() == http.MethodOptions
}

// recordable refuses a write that could not be recorded.
func (h *Host) recordable(c *fiber.Ctx) error {
	if isRead(c) || unrecorded[c.Path()] {
		return nil
	}
	// A report of gates is asked for by POST, under the path of any dataset, and changes nothing either; and so is a
	// query of the QuartzBio face.
	if strings.HasSuffix(c.Path(), "/gates/report") ||
		strings.HasPrefix(c.Path(), "/v2/datasets/") && strings.HasSuffix(c.Path(), "/data") {
		return nil
	}
	return h.options.Audit.Ready()
}

// record adds a request to the audit log, if it belongs there. err is what it was refused with.
func (h *Host) record(c *fiber.Ctx, of *audit.Subject, err error) {
	operation, _ := c.Locals(operationKey).(string)
	kind := auditedAs[cmp.Or(operation, c.Method()+" "+c.Route().Path)]
	status := c.Response().StatusCode()
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden ||
		status == http.StatusTooManyRequests || h.isProbe(c, status, err)
	if of.IsRead() {
		kind = audit.Read
	}
	switch {
	case kind == "" && !isRead(c):
		kind = audit.Write
	case (kind == "" || kind == audit.Read) && refused:
		kind = audit.Read
	case kind == "" || kind == audit.Read:
		of.Skip()
		return
	}
	who := Caller(c)
	of.Answered(func(e *audit.Entry) {
		e.Kind, e.Status, e.Code = kind, status, h.codeOf(err)
		e.User, e.Token, e.Session, e.Address = who.User, who.Token, who.Session, addressText(c)
		// Refusals before a route is found have no operation, and the path says what was wanted.
		e.Face, e.Route = h.face(c), cmp.Or(operation, c.Method()+" "+c.Path())
		if e.Face != "http" && !refused {
			e.Route = c.Method() + " " + c.Route().Path
		}
	})
}

// hidden are the codes of answers that do not say whether something is not there, or not for the caller.
var hidden = []string{"dataset_not_found", "project_not_found", "webhook_not_found"}

// isProbe reports whether a request was for something that may be there and is not for the caller: it is a refusal like
// any other, also where it is only a mistake.
func (h *Host) isProbe(c *fiber.Ctx, status int, err error) bool {
	return status == http.StatusNotFound && !Caller(c).IsAdmin() && slices.Contains(hidden, h.codeOf(err))
}

// face returns the name of the face that answers a request: those with errors of their own have one.
func (h *Host) face(c *fiber.Ctx) string {
	for _, sender := range h.senders {
		if sender.Owns(c.Path()) {
			return sender.Name()
		}
	}
	return "http"
}

// addressText returns the network that a request comes from, as limits count it.
func addressText(c *fiber.Ctx) string {
	if from := addressOf(c); from.IsValid() {
		return conns.Network(from).String()
	}
	return ""
}

// codeOf returns the code of a refusal, as clients see it.
func (h *Host) codeOf(err error) string {
	var router *fiber.Error
	var refused *Refusal
	var kept interface{ ProblemCode() string }
	switch {
	case err == nil:
		return ""
	case errors.As(err, &kept):
		return kept.ProblemCode()
	case errors.As(err, &refused):
		return refused.Code
	case errors.As(err, &router):
		return cmp.Or(codes[router.Code], codes[http.StatusBadRequest])
	}
	return storage.Explain(err).Code
}
