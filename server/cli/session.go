package cli

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/rowback/rowback/server/terminal"
)

// sessionCmd lists and ends sessions.
type sessionCmd struct {
	List   sessionListCmd   `cmd:"" default:"withargs" help:"List your sessions; as an admin, all (the default)."`
	Revoke sessionRevokeCmd `cmd:"" help:"End a session, or all of a user, at once."`
}

// sessionAnswer is a session as the command line shows it.
type sessionAnswer struct {
	ID         string  `json:"id"`
	User       string  `json:"user"`
	By         string  `json:"by"`
	Token      *string `json:"token"`
	Address    string  `json:"address"`
	StartedAt  string  `json:"started_at"`
	LastUsedAt string  `json:"last_used_at"`
	ExpiresAt  string  `json:"expires_at"`
}

// sessionPage is a page of sessions.
type sessionPage struct {
	Sessions   []sessionAnswer `json:"sessions"`
	NextCursor *string         `json:"next_cursor"`
}

const sessionsPath = "/api/v1/sessions"

// sessionListCmd lists sessions.
type sessionListCmd struct {
	remote
	formatFlag
	User string `help:"Only those of this user." placeholder:"NAME"`
}

// Run lists sessions, of all pages.
func (cmd *sessionListCmd) Run(c console) error {
	query := url.Values{}
	if cmd.User != "" {
		query.Set("user", cmd.User)
	}
	all, err := allPages(cmd.remote, sessionsPath, query, func(page sessionPage) ([]sessionAnswer, *string) {
		return page.Sessions, page.NextCursor
	})
	if err != nil {
		return err
	}
	return cmd.print(c, all, "ID\tUSER\tBY\tADDRESS\tSTARTED\tLAST USED\tEXPIRES", func(row func(...any)) {
		for _, s := range all {
			by := s.By
			if s.Token != nil {
				by = *s.Token
			}
			row(terminal.ID(s.ID), s.User, by, s.Address, terminal.Moment(s.StartedAt), terminal.Moment(s.LastUsedAt),
				terminal.Moment(s.ExpiresAt))
		}
	})
}

// sessionRevokeCmd ends sessions.
type sessionRevokeCmd struct {
	remote
	ID   string `arg:"" optional:"" help:"Its id, as session list shows it."`
	User string `help:"In place of an id: all sessions of this user." placeholder:"NAME"`
}

// Run ends a session, or all of a user.
func (cmd *sessionRevokeCmd) Run(c console) error {
	switch {
	case (cmd.ID == "") == (cmd.User == ""):
		return exitError{exitUsage, errors.New("name either a session or, with --user, the user whose sessions are to end")}
	case cmd.User == "":
		if err := cmd.call(http.MethodDelete, sessionsPath+"/"+url.PathEscape(cmd.ID), nil, nil, nil); err != nil {
			return err
		}
		return c.answer(map[string]string{"ended": cmd.ID}, func() { c.printf("session %s has ended\n", cmd.ID) })
	}
	var done struct {
		Ended int64 `json:"ended"`
	}
	if err := cmd.call(http.MethodDelete, sessionsPath, url.Values{"user": {cmd.User}}, nil, &done); err != nil {
		return err
	}
	return c.answer(done, func() { c.printf("ended %s of %s\n", countOf(done.Ended, "session"), cmd.User) })
}
