package flight

import (
	"sync"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage/duck"
)

// How many prepared statements are remembered, overall and for one user, and how long an unused one is. If there are
// more, the one unused for longest makes room. What is forgotten is made again from its handle.
const (
	maxStatements = 256
	maxOfUser     = 128
	maxIdle       = 30 * time.Minute
)

// preparedStatement is what this server remembers of a statement that a client has prepared: what is bound, which
// clients of old versions of the protocol do not keep in the handle, and the shape of the result.
type preparedStatement struct {
	handle handle
	used   time.Time

	mu    sync.Mutex
	rows  [][]duck.Param // the bound rows; nil: none
	every []duck.Param   // one value for each parameter, typical of all rows
	shape *query.Shape   // of the result with these; nil: not described yet
}

// statements are the prepared statements that are remembered.
type statements struct {
	mu    sync.Mutex
	now   func() time.Time
	byKey map[string]*preparedStatement // by what key returns
}

func newStatements(now func() time.Time) *statements {
	return &statements{now: now, byKey: map[string]*preparedStatement{}}
}

// add remembers a statement, in place of one with the same handle.
func (s *statements) add(p *preparedStatement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.used = s.now()
	delete(s.byKey, p.handle.key())
	s.forgetIdle()
	s.makeRoom(maxOfUser, func(o *preparedStatement) bool { return o.handle.User == p.handle.User })
	s.makeRoom(maxStatements, func(*preparedStatement) bool { return true })
	s.byKey[p.handle.key()] = p
}

func (s *statements) forgetIdle() {
	for key, p := range s.byKey {
		if s.now().Sub(p.used) > maxIdle {
			delete(s.byKey, key)
		}
	}
}

// makeRoom forgets the statement that was unused for longest, if the limit is reached.
func (s *statements) makeRoom(most int, of func(*preparedStatement) bool) {
	count, oldest := 0, ""
	for key, p := range s.byKey {
		if !of(p) {
			continue
		}
		count++
		if oldest == "" || p.used.Before(s.byKey[oldest].used) {
			oldest = key
		}
	}
	if count >= most {
		delete(s.byKey, oldest)
	}
}

// get returns what is remembered of a statement; nil: nothing.
func (s *statements) get(h handle) *preparedStatement {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byKey[h.key()]
	if p == nil || s.now().Sub(p.used) > maxIdle {
		return nil
	}
	p.used = s.now()
	return p
}

func (s *statements) remove(h handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, h.key())
}
