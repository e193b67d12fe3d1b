package flight

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
)

// How many prepared statements are kept, overall and for one user, and how long an unused one is kept. If there
// are more, the one unused for longest makes room.
const (
	maxStatements = 256
	maxOfUser     = 128
	maxIdle       = 30 * time.Minute
)

// preparedStatement is a statement that a client has prepared.
type preparedStatement struct {
	user       string
	project    int64
	sql        string
	parameters []string // in binding order
	used       time.Time

	mu    sync.Mutex
	rows  [][]duck.Param // the bound rows; nil: none
	every []duck.Param   // one value for each parameter, typical of all rows
	shape *query.Shape   // of the result with these; nil: not described yet
}

// statements are the prepared statements, by handle.
type statements struct {
	mu       sync.Mutex
	now      func() time.Time
	byHandle map[string]*preparedStatement
}

func newStatements(now func() time.Time) *statements {
	return &statements{now: now, byHandle: map[string]*preparedStatement{}}
}

// add keeps a statement, and returns its handle.
func (s *statements) add(p *preparedStatement) []byte {
	handle := make([]byte, 16)
	rand.Read(handle)
	s.mu.Lock()
	defer s.mu.Unlock()
	p.used = s.now()
	s.forgetIdle()
	s.makeRoom(maxOfUser, func(o *preparedStatement) bool { return o.user == p.user })
	s.makeRoom(maxStatements, func(*preparedStatement) bool { return true })
	s.byHandle[string(handle)] = p
	return handle
}

func (s *statements) forgetIdle() {
	for handle, p := range s.byHandle {
		if s.now().Sub(p.used) > maxIdle {
			delete(s.byHandle, handle)
		}
	}
}

// makeRoom forgets the statement that was unused for longest, if the limit is reached.
func (s *statements) makeRoom(most int, of func(*preparedStatement) bool) {
	count, oldest := 0, ""
	for handle, p := range s.byHandle {
		if !of(p) {
			continue
		}
		count++
		if oldest == "" || p.used.Before(s.byHandle[oldest].used) {
			oldest = handle
		}
	}
	if count >= most {
		delete(s.byHandle, oldest)
	}
}

// get finds a statement of a user's.
func (s *statements) get(handle []byte, user string) (*preparedStatement, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.byHandle[string(handle)]
	if !ok || p.user != user || s.now().Sub(p.used) > maxIdle {
		return nil, refuse(fault.NotFound, "statement_not_found",
			"You have no such prepared statement: it was closed, or unused for %s, or it made room for newer ones. "+
				"Prepare it again.",
			maxIdle)
	}
	p.used = s.now()
	return p, nil
}

func (s *statements) remove(handle []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byHandle, string(handle))
}
