package access

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

// Lives is how long sessions last.
type Lives struct {
	Idle  time.Duration // since the last request; 0: 24 hours
	Whole time.Duration // since the login; 0: 7 days
}

// filled returns the lives with defaults in place of zeros.
func (l Lives) filled() Lives {
	if l.Whole <= 0 {
		l.Whole = 7 * 24 * time.Hour
	}
	if l.Idle <= 0 {
		l.Idle = 24 * time.Hour
	}
	return l
}

// ends returns when a session ends that was used at a time and must end at another.
func (l Lives) ends(used, last time.Time) time.Time {
	if end := used.Add(l.Idle); end.Before(last) {
		return end
	}
	return last
}

// Limits of sessions, overall and for one user. Beyond a limit, the oldest one ends.
const (
	MaxSessions     = 10_000
	MaxUserSessions = 100
)

// useEvery is how often the last use of a session is recorded at most: each time is a transaction.
const useEvery = time.Minute

// sessionPrefix begins the id of a session, so that an id is recognized even after its session has ended.
const sessionPrefix = "session."

// Session is one login. What opens it is known by its hash only. It stands for what was shown at the login: what its
// user may do is asked at each request.
type Session struct {
	Hash      Hash   // of what opens it
	ID        string // which is not secret
	User      string
	Token     string    // the id of the token that was shown; empty: none of the directory's
	Fixed     Hash      // of the token of the operator that was shown; zero: none
	Identity  *Identity // that an identity provider vouched for; nil: none
	Address   string    // where the login came from
	StartedAt time.Time
	UsedAt    time.Time // it may be a minute late
	ExpiresAt time.Time // if it is not used before
	LastsTo   time.Time // however much it is used
}

// Sessions keeps sessions. Session returns ErrUnknown for one that is not there; one that has ended may still be.
type Sessions interface {
	StartSession(s Session) error
	Session(hash Hash) (Session, error)
	UseSession(s Session) error // records UsedAt and ExpiresAt
	EndSession(hash Hash) error
}

// isSession reports whether a text looks like what opens a session, ended or not.
func isSession(text string) bool { return strings.HasPrefix(text, sessionPrefix) }

// startSession begins a session that stands for what a client has shown, and returns what opens it. It ends no later
// than that does.
func (g *Gate) startSession(shown credential, from string) (secret string, err error) {
	b := make([]byte, 32)
	rand.Read(b)
	secret = sessionPrefix + base64.RawURLEncoding.EncodeToString(b)
	now := g.options.Now()
	s := Session{
		Hash: HashOf(secret), User: shown.name, Token: shown.token, Fixed: shown.fixed, Identity: shown.identity,
		Address: from, StartedAt: now, UsedAt: now, LastsTo: now.Add(g.options.Lives.Whole),
	}
	s.ID = hex.EncodeToString(s.Hash[:6])
	if !shown.until.IsZero() && shown.until.Before(s.LastsTo) {
		s.LastsTo = shown.until
	}
	s.ExpiresAt = g.options.Lives.ends(now, s.LastsTo)
	return secret, g.options.Sessions.StartSession(s)
}

// session returns what a session stands for; nothing if it has ended.
func (g *Gate) session(hash Hash) credential {
	s, err := g.options.Sessions.Session(hash)
	now := g.options.Now()
	if g.failed(err) {
		return credential{unread: err}
	}
	if !now.Before(s.ExpiresAt) || !now.Before(s.LastsTo) {
		return credential{}
	}
	if now.Sub(s.UsedAt) >= useEvery {
		s.UsedAt, s.ExpiresAt = now, g.options.Lives.ends(now, s.LastsTo)
		if err := g.options.Sessions.UseSession(s); err != nil {
			g.options.Log.Warn("the use of a session could not be recorded", "session", s.ID, "error", err)
		}
	}
	return credential{
		name: s.User, fixed: s.Fixed, token: s.Token, identity: s.Identity, session: hash, sessionID: s.ID,
	}
}

// Logout ends a session. It does nothing to a token, which cannot be logged out.
func (g *Gate) Logout(cookie string) {
	if !isSession(cookie) {
		return
	}
	if err := g.options.Sessions.EndSession(HashOf(cookie)); err != nil {
		g.options.Log.Error("a session could not be ended", "error", err)
	}
}
