package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fault"
)

// sessionView is a login that has not ended.
type sessionView struct {
	ID         string    `json:"id"`
	User       string    `json:"user"`
	By         string    `json:"by" enum:"token,operator,provider,name" description:"${session.by}"`
	Token      *string   `json:"token" description:"${session.token}"`
	Address    string    `json:"address" description:"${session.address}"`
	StartedAt  time.Time `json:"started_at"`
	LastUsedAt time.Time `json:"last_used_at" description:"It may be a minute late."`
	ExpiresAt  time.Time `json:"expires_at" description:"${session.expires_at}"`
	IsCurrent  bool      `json:"is_current" description:"It is the one that sends this request."`
}

// viewSession returns a session as its user and admins see it.
func viewSession(s access.Session, caller access.Caller) sessionView {
	v := sessionView{
		ID: s.ID, User: s.User, By: "name", Address: s.Address, StartedAt: s.StartedAt, LastUsedAt: s.UsedAt,
		ExpiresAt: s.ExpiresAt, IsCurrent: s.ID == caller.Session,
	}
	switch {
	case s.Token != "":
		v.By, v.Token = "token", &s.Token
	case s.Fixed != access.Hash{}:
		v.By = "operator"
	case s.Identity != nil:
		v.By = "provider"
	}
	return v
}

// listSessionsIn selects a page of sessions.
type listSessionsIn struct {
	pageIn
	User string `query:"user" description:"Only those of this user; others than one's own are for admins." json:"-"`
}

// sessionList is a page of sessions.
type sessionList struct {
	Sessions   []sessionView `json:"sessions"`
	NextCursor *string       `json:"next_cursor"`
}

// listSessions lists sessions: one's own, or, for admins, all.
func (a *API) listSessions(c *fiber.Ctx, known *accounts.Accounts, in listSessionsIn) error {
	ctx, caller := c.UserContext(), host.Caller(c)
	user, err := listedUser(caller, in.User)
	if err != nil {
		return err
	}
	page, next, err := pageOf(in.pageIn, func(after string, limit int) ([]access.Session, error) {
		return known.ListSessions(ctx, sessionsOf(caller, user), after, limit)
	}, func(s access.Session) string { return s.ID })
	if err != nil {
		return err
	}
	return ok(c, sessionList{views(page, func(s access.Session) sessionView { return viewSession(s, caller) }), next})
}

// sessionsOf returns which sessions of a user a caller may see and end. A user of an operator's token is another one
// than a user of the same name who is kept here.
func sessionsOf(caller access.Caller, user string) accounts.Whose {
	of := accounts.Whose{Name: user}
	if !caller.IsAdmin() {
		operators := caller.IsOperators()
		of.Operators = &operators
	}
	return of
}

// sessionIn identifies a session, by its id.
type sessionIn struct {
	Session string `path:"session" required:"true" description:"Its id, which does not open it." json:"-"`
}

// deleteSession ends a session: one's own, or, for admins, any.
func (a *API) deleteSession(c *fiber.Ctx, known *accounts.Accounts, in sessionIn) error {
	ctx, caller := c.UserContext(), host.Caller(c)
	of := caller.User
	if caller.IsAdmin() {
		of = ""
	} else if err := mayEnd(ctx, known, in.Session, caller); err != nil {
		return err
	}
	if err := known.RevokeSession(ctx, in.Session, sessionsOf(caller, of)); err != nil {
		return err
	}
	audit.Of(ctx).About("session %s", in.Session) // there was one: it is an id, and not a secret
	return c.SendStatus(http.StatusNoContent)
}

// mayEnd refuses to end a session that stands for a token which may do more than the one that the caller shows.
func mayEnd(ctx context.Context, known *accounts.Accounts, id string, caller access.Caller) error {
	s, err := known.SessionByID(ctx, id)
	if err != nil || s.Token == "" || s.Token == caller.Token || s.User != caller.User {
		return err
	}
	return mayRevoke(ctx, known, s.Token, caller)
}

// endSessionsIn says whose sessions are to end.
type endSessionsIn struct {
	User string `query:"user" description:"Whose; by default one's own. Others' are for admins." json:"-"`
}

// endedSessions says how many sessions have ended.
type endedSessions struct {
	Ended int64 `json:"ended"`
}

// endSessions ends all sessions of a user.
func (a *API) endSessions(c *fiber.Ctx, known *accounts.Accounts, in endSessionsIn) error {
	ctx, caller := c.UserContext(), host.Caller(c)
	user := cmp.Or(in.User, caller.User)
	if !caller.IsAdmin() {
		if user != caller.User {
			return permit.CheckAdmin(caller)
		}
		if err := mayEndAll(ctx, known, caller); err != nil {
			return err
		}
	}
	ended, err := known.RevokeSessions(ctx, sessionsOf(caller, user))
	if err != nil {
		return err
	}
	audit.Of(ctx).About("%d sessions of user %s", ended, user)
	return ok(c, endedSessions{ended})
}

// mayEndAll refuses a token that is bounded to end sessions that may do more.
func mayEndAll(ctx context.Context, known *accounts.Accounts, caller access.Caller) error {
	own, err := known.Token(ctx, caller.Token)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err == nil && (own.Role < access.Admin || own.Projects != nil) {
		err = fault.Errorf(fault.Forbidden, "token_outranked",
			"The token you use is bounded to a role or projects. End all sessions with one that is not, or ask an admin.")
	}
	return err
}
