package access

import (
	"container/list"
	"crypto/rand"
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
	byID  map[Hash]*list.Element
	order *list.List // of *session, the oldest first
	count map[string]int
}

// session is one login. Its id is kept as a hash only. It stands for what was shown at the login: what its user may do is
// asked at each request.
type session struct {
	hash  Hash
	shown credential
	ends  time.Time
}

// newSessions returns no sessions. now tells the time.
func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, byID: map[Hash]*list.Element{}, order: list.New(), count: map[string]int{}}
}

// isSession reports whether a text looks like the id of a session, ended or not.
func isSession(text string) bool { return strings.HasPrefix(text, sessionPrefix) }

// start begins a session of the user of a credential, and returns its id.
func (s *sessions) start(shown credential) (id string) {
	b := make([]byte, 32)
	rand.Read(b)
	id = sessionPrefix + base64.RawURLEncoding.EncodeToString(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(shown.name)
	one := &session{hash: HashOf(id), shown: shown, ends: s.now().Add(sessionLife)}
	s.byID[one.hash] = s.order.PushBack(one)
	s.count[shown.name]++
	return id
}

// makeRoom removes expired sessions, and the oldest if there are too many.
func (s *sessions) makeRoom(user string) {
	superfluous := func(e *list.Element) bool {
		return s.order.Len() >= maxSessions || !s.now().Before(e.Value.(*session).ends)
	}
	for e := s.order.Front(); e != nil && superfluous(e); e = s.order.Front() {
		s.drop(e)
	}
	if s.count[user] < maxUserSessions {
		return
	}
	for e := s.order.Front(); e != nil; e = e.Next() {
		if e.Value.(*session).shown.name == user {
			s.drop(e)
			return
		}
	}
}

// credential returns what a session stands for; nothing if it has ended.
func (s *sessions) credential(id string) credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byID[HashOf(id)]
	if e == nil {
		return credential{}
	}
	one := e.Value.(*session)
	shown := one.shown
	shown.session = one
	return shown
}

// isOpen reports whether a session has not ended.
func (s *sessions) isOpen(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[one.hash] != nil && s.now().Before(one.ends)
}

// end ends a session, if there is one with that id.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[HashOf(id)]; e != nil {
		s.drop(e)
	}
}

// drop removes a session. The caller holds the lock.
func (s *sessions) drop(e *list.Element) {
	one := s.order.Remove(e).(*session)
	delete(s.byID, one.hash)
	user := one.shown.name
	if s.count[user]--; s.count[user] == 0 {
		delete(s.count, user)
	}
}
