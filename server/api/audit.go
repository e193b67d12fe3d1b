package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/output"
)

// listAuditIn selects entries.
type listAuditIn struct {
	formatIn
	After   int64  `query:"after" minimum:"0" description:"Only entries with a larger number." json:"-"`
	User    string `query:"user" json:"-"`
	Dataset string `query:"dataset" description:"Name or id." json:"-"`
	Limit   *int64 `query:"limit" minimum:"0" json:"-"`
}

// auditSQL selects entries. An empty text selects all.
const auditSQL = `SELECT * FROM rowback.audit WHERE number > $1 AND ($2 = '' OR user_name = $2)
	AND ($3 = '' OR dataset = $3 OR dataset_id = $3) ORDER BY number`

// listAudit streams entries of the audit log.
func (a *API) listAudit(c *fiber.Ctx) error {
	var in listAuditIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	format, pages, err := in.result()
	if err != nil {
		return err
	}
	limits := a.host.Limits()
	s := query.Statement{
		SQL: auditSQL, Project: 1, Limit: in.Limit, Bytes: limits.MaxResult, Pages: pages, Audit: a.auditFiles(c),
		Values: []duck.Param{
			{Name: "1", Value: in.After}, {Name: "2", Value: in.User}, {Name: "3", Value: in.Dataset},
		},
	}
	return a.stream(c, "audit", format, host.Result{First: limits.QueryTimeout},
		func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error) {
			return query.Write(ctx, a.store, s, format, w, scratch)
		})
}

// checkAudit reads the whole audit log.
func (a *API) checkAudit(c *fiber.Ctx) error {
	var in struct{}
	if err := a.bind(c, &in); err != nil {
		return err
	}
	ctx, cancel := a.host.WhileConnected(c)
	defer cancel()
	report, err := a.options.Audit.Check(ctx)
	if err != nil {
		return err
	}
	return ok(c, report)
}

// acknowledgeAuditIn acknowledges what is wrong with the audit log.
type acknowledgeAuditIn struct {
	Digest string `json:"problems_sha256" required:"true" description:"${audit.digest}"`
	Note   string `json:"note" required:"true" minLength:"1" maxLength:"300" description:"${audit.note}"`
}

// acknowledgeAudit records that an admin knows of the problems of the audit log. The request's own entry says so.
func (a *API) acknowledgeAudit(c *fiber.Ctx) error {
	var in acknowledgeAuditIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(in.Note) == "":
		return invalid("note", "must say what has happened")
	case len(in.Note) > maxNote:
		return invalid("note", fmt.Sprintf("must have at most %d bytes", maxNote))
	}
	ctx, cancel := a.host.WhileConnected(c)
	defer cancel()
	report, err := a.options.Audit.Check(ctx)
	switch {
	case err != nil:
		return err
	case report.Digest == "":
		return fault.Errorf(fault.Conflict, "nothing_to_acknowledge",
			"Nothing is wrong with the audit log that is not acknowledged already.")
	case report.Digest != in.Digest:
		return fault.Errorf(fault.Conflict, "other_problems",
			"The audit log has other problems than those that you acknowledge. Check it again.")
	}
	audit.Of(c.UserContext()).Acknowledges(report.Digest, in.Note)
	return c.SendStatus(http.StatusNoContent)
}

// maxNote is the longest note of an acknowledgement, in bytes.
const maxNote = 300

// auditFiles returns what gives a caller's statements the table rowback.audit; nil: it is not for them.
func (a *API) auditFiles(c *fiber.Ctx) func() ([]string, error) {
	if a.options.Audit == nil || !host.Caller(c).IsAdmin() {
		return nil
	}
	return a.options.Audit.Files
}
