package cli

import (
	"errors"
	"net/http"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/server/terminal"
)

// projectQuotaCmd shows or sets what a project may store.
type projectQuotaCmd struct {
	remote
	Project    string `arg:"" help:"Its name or number."`
	MaxBytes   *size  `help:"The most that its files may take, such as 100GB." placeholder:"SIZE"`
	MaxRecords *int64 `help:"The most records that its datasets may have together." placeholder:"N"`
	Unlimited  bool   `help:"Take both limits away."`
}

// quotaAnswer is a quota as the command line shows it. A limit that is nil is none.
type quotaAnswer struct {
	ProjectID  int64  `json:"project_id"`
	MaxBytes   *int64 `json:"max_bytes"`
	MaxRecords *int64 `json:"max_records"`
	Bytes      int64  `json:"bytes"`
	Records    int64  `json:"records"`
}

// Run shows the quota, or sets the limits that are given: the other stays as it is.
func (cmd *projectQuotaCmd) Run(c console) error {
	isGiven := cmd.MaxBytes != nil || cmd.MaxRecords != nil
	if isGiven && cmd.Unlimited {
		return exitError{exitUsage, errors.New("--unlimited takes both limits away: leave out the others")}
	}
	path := projectsPath(cmd.Project, "quota")
	var q quotaAnswer
	if err := cmd.get(path, nil, &q); err != nil {
		return err
	}
	if isGiven || cmd.Unlimited {
		limits := cmd.limits(q)
		if err := cmd.call(http.MethodPut, path, nil, limits, &q); err != nil {
			return err
		}
	}
	return c.answer(q, func() { q.show(c) })
}

// limits returns what a quota is to be, from what it is.
func (cmd *projectQuotaCmd) limits(is quotaAnswer) map[string]*int64 {
	limits := map[string]*int64{"max_bytes": is.MaxBytes, "max_records": is.MaxRecords}
	if cmd.Unlimited {
		return map[string]*int64{}
	}
	if cmd.MaxBytes != nil {
		limits["max_bytes"] = (*int64)(cmd.MaxBytes)
	}
	if cmd.MaxRecords != nil {
		limits["max_records"] = cmd.MaxRecords
	}
	return limits
}

// show prints what is used, and what may be.
func (q quotaAnswer) show(c console) {
	bytes := func(n int64) string { return humanize.Bytes(uint64(n)) }
	count := func(n int64) string { return c.screen.Count(terminal.Count(n)) }
	c.printf("bytes    %s%s\n", bytes(q.Bytes), allowedText(q.MaxBytes, bytes))
	c.printf("records  %s%s\n", count(q.Records), allowedText(q.MaxRecords, count))
}

// allowedText says what is allowed.
func allowedText(limit *int64, text func(int64) string) string {
	if limit == nil {
		return ", no limit"
	}
	return " of " + text(*limit)
}
