package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/terminal"
)

// auditCmd reads the audit log.
type auditCmd struct {
	List        auditListCmd        `cmd:"" default:"withargs" help:"List entries, oldest first (the default)."`
	Check       auditCheckCmd       `cmd:"" help:"Report whether entries are missing or were changed."`
	Acknowledge auditAcknowledgeCmd `cmd:"" help:"${audit_acknowledge}"`
}

// auditListCmd lists entries of the audit log.
type auditListCmd struct {
	remote
	formatFlag
	After   int64  `help:"Only entries with a larger number." default:"0"`
	User    string `help:"Only those of this user." placeholder:"NAME"`
	Dataset string `short:"d" help:"Only those about this dataset, by name or id." placeholder:"NAME"`
	Limit   int    `help:"How many to list; 0: all." default:"50"`

	// As it was before these were commands.
	Check       bool   `hidden:"" help:"See audit check."`
	Acknowledge string `hidden:"" help:"See audit acknowledge."`
}

// auditCheckCmd checks the audit log.
type auditCheckCmd struct {
	remote
}

// auditAcknowledgeCmd acknowledges what is wrong with the audit log.
type auditAcknowledgeCmd struct {
	remote
	Note string `arg:"" help:"What happened, for those who read it later."`
}

// auditEntry is an entry as the command line shows it.
type auditEntry struct {
	Number  int64   `json:"number"`
	Time    string  `json:"time"`
	Kind    string  `json:"kind"`
	Request string  `json:"request_id"`
	Face    string  `json:"face"`
	User    string  `json:"user_name"`
	Token   string  `json:"token_id"`
	Address string  `json:"address"`
	Route   string  `json:"route"`
	Project int64   `json:"project_id"`
	Dataset string  `json:"dataset"`
	ID      string  `json:"dataset_id"`
	Commits []int64 `json:"commits"`
	Status  int     `json:"status"`
	Code    string  `json:"code"`
	Times   int64   `json:"repeated"`
	Detail  string  `json:"detail"`
}

// Run lists entries.
func (cmd *auditListCmd) Run(c console) error {
	if cmd.Acknowledge != "" {
		return (&auditAcknowledgeCmd{cmd.remote, cmd.Acknowledge}).Run(c)
	}
	if cmd.Check {
		return (&auditCheckCmd{cmd.remote}).Run(c)
	}
	query := url.Values{"after": {fmt.Sprint(cmd.After)}, "user": {cmd.User}, "dataset": {cmd.Dataset}}
	if cmd.Limit > 0 {
		query.Set("limit", strconv.Itoa(cmd.Limit))
	}
	var list []auditEntry
	if err := cmd.get("/api/v1/audit", query, &list); err != nil {
		return err
	}
	return cmd.print(c, list, "NUMBER\tTIME\tUSER\tFROM\tWHAT\tDATASET\tCOMMITS\tOUTCOME", func(row func(...any)) {
		for _, e := range list {
			row(e.Number, terminal.Moment(e.Time), e.User, e.Address, e.Route, e.Dataset, e.commits(), e.outcome())
		}
	})
}

func (e auditEntry) commits() string {
	out := make([]string, len(e.Commits))
	for i, id := range e.Commits {
		out[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(out, ",")
}

// outcome is the status and, of a refusal, the code; of refusals that were counted, how many more there were.
func (e auditEntry) outcome() string {
	out := e.Detail
	if e.Kind != "server" {
		out = strings.TrimSpace(fmt.Sprint(e.Status, " ", e.Code))
	}
	if e.Times > 0 {
		out += fmt.Sprintf(" (%d more)", e.Times)
	}
	return out
}

// Run lists what is wrong with the log, and records that the user knows of it.
func (cmd *auditAcknowledgeCmd) Run(c console) error {
	var report audit.Report
	if err := cmd.get("/api/v1/audit/check", nil, &report); err != nil {
		return err
	}
	if len(report.Problems) == 0 {
		return errors.New("the check of the audit log reports no problem, so there is nothing to acknowledge")
	}
	body := map[string]any{"problems_sha256": report.Digest, "note": cmd.Note}
	if err := cmd.post("/api/v1/audit/acknowledgements", nil, body, nil); err != nil {
		return err
	}
	return c.answer(report, func() {
		for _, p := range report.Problems {
			c.println("acknowledged:", p)
		}
	})
}

// Run reports whether entries are missing or were changed.
func (cmd *auditCheckCmd) Run(c console) error {
	var report audit.Report
	if err := cmd.get("/api/v1/audit/check", nil, &report); err != nil {
		return err
	}
	err := c.answer(report, func() {
		for _, a := range report.Acknowledged {
			c.printf("acknowledged by %s at %s (%s):\n", a.User, a.Time.Format(time.RFC3339), a.Note)
			for _, p := range a.Problems {
				c.println(" ", p)
			}
		}
		for _, p := range report.Problems {
			c.println(p)
		}
		if len(report.Problems) == 0 {
			more := ""
			if len(report.Acknowledged) > 0 {
				more = " besides"
			}
			c.printf("%s, none missing or changed%s; the last is %d, with the hash %s\n", countOf(report.Entries, "entry"), more,
				report.Last.Number, report.Last.Hash)
		}
	})
	if err == nil && len(report.Problems) > 0 {
		err = exitError{exitDamaged, errors.New("the audit log is not what was written")}
	}
	return err
}
