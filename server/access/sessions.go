package access

import (
	"container/list"
	"sync"
	"time"
)

// memory keeps sessions until the program ends: those of a server that keeps no users.
type memory struct {
	now   func() time.Time
	mu    sync.Mutex
	byID  map[Hash]*list.Element
	order *list.List // of Session, the oldest first
	count map[string]int
}

// inMemory returns no sessions. now tells the time.
func inMemory(now func() time.Time) *memory {
	return &memory{now: now, byID: map[Hash]*list.Element{}, order: list.New(), count: map[string]int{}}
}

// StartSession adds a session.
func (m *memory) StartSession(s Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.makeRoom(s.User)
	m.byID[s.Hash] = m.order.PushBack(s)
	m.count[s.User]++
	return nil
}

// makeRoom removes expired sessions, and the oldest if there are too many.
func (m *memory) makeRoom(user string) {
	superfluous := func(e *list.Element) bool {
		return m.order.Len() >= MaxSessions || !m.now().Before(e.Value.(Session).ExpiresAt)
	}
	for e := m.order.Front(); e != nil && superfluous(e); e = m.order.Front() {
		m.drop(e)
	}
	if m.count[user] < MaxUserSessions {
		return
	}
	for e := m.order.Front(); e != nil; e = e.Next() {
		if e.Value.(Session).User == user {
			m.drop(e)
			return
		}
	}
}

// Session returns a session.
func (m *memory) Session(hash Hash) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byID[hash]; e != nil {
		return e.Value.(Session), nil
	}
	return Session{}, ErrUnknown
}

// UseSession records when a session was used.
func (m *memory) UseSession(s Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byID[s.Hash]; e != nil {
		e.Value = s
	}
	return nil
}

// EndSession removes a session, if there is one.
func (m *memory) EndSession(hash Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byID[hash]; e != nil {
		m.drop(e)
	}
	return nil
}

// drop removes a session. The caller holds the lock.
func (m *memory) drop(e *list.Element) {
	s := m.order.Remove(e).(Session)
	delete(m.byID, s.Hash)
	if m.count[s.User]--; m.count[s.User] == 0 {
		delete(m.count, s.User)
	}
}
