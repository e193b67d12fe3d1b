package access

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"time"
)

// Limits of sessions: how long one lasts, and how many there may be, overall and for one user. Beyond a limit, the
// oldest session ends. A restart ends them all.
const (
	sessionLife     = 7 * 24 * time.Hour
	maxSessions     = 10_000
	maxUserSessions = 100
)

// sessionPrefix begins the id of a session, so that an id is recognized even after its session has ended.
const sessionPrefix = "session."

// sessions are the users who have logged in. The ids are 256 random bits; only their hashes are stored.
type sessions struct {
	now   func() time.Time
	mu    sync.Mutex
	byID  map[[sha256.Size]byte]*list.Element
	order *list.List // of session, the oldest first
	count map[string]int
}

// session is one login. Its id is kept as a hash only.
type session struct {
	hash [sha256.Size]byte
	user string
	ends time.Time
}

// newSessions returns no sessions. now tells the time.
func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, byID: map[[sha256.Size]byte]*list.Element{}, order: list.New(), count: map[string]int{}}
}

// isSession reports whether a text looks like the id of a session, ended or not.
func isSession(text string) bool { return strings.HasPrefix(text, sessionPrefix) }

// start begins a session and returns its id.
func (s *sessions) start(user string) (id string) {
	b := make([]byte, 32)
	rand.Read(b)
	id = sessionPrefix + base64.RawURLEncoding.EncodeToString(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(user)
	one := session{hash: sha256.Sum256([]byte(id)), user: user, ends: s.now().Add(sessionLife)}
	s.byID[one.hash] = s.order.PushBack(one)
	s.count[user]++
	return id
}

// makeRoom removes expired sessions, and the oldest if there are too many.
func (s *sessions) makeRoom(user string) {
	superfluous := func(e *list.Element) bool {
		return s.order.Len() >= maxSessions || !s.now().Before(e.Value.(session).ends)
	}
	for e := s.order.Front(); e != nil && superfluous(e); e = s.order.Front() {
		s.drop(e)
	}
	if s.count[user] < maxUserSessions {
		return
	}
	for e := s.order.Front(); e != nil; e = e.Next() {
		if e.Value.(session).user == user {
			s.drop(e)
			return
		}
	}
}

// user returns the user of a session.
func (s *sessions) user(id string) (user string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byID[sha256.Sum256([]byte(id))]
	if e == nil || !s.now().Before(e.Value.(session).ends) {
		return "", false
	}
	return e.Value.(session).user, true
}

// end ends a session, if there is one with that id.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[sha256.Sum256([]byte(id))]; e != nil {
		s.drop(e)
	}
}

// drop removes a session. The caller holds the lock.
func (s *sessions) drop(e *list.Element) {
	one := s.order.Remove(e).(session)
	delete(s.byID, one.hash)
	if s.count[one.user]--; s.count[one.user] == 0 {
		delete(s.count, one.user)
	}
}
