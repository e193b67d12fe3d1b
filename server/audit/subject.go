package audit

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Subject is what becomes known of a request while it is answered, by whoever finds it out: which dataset it is about,
// which commits it made. Its methods do nothing on nil, so that work outside of requests needs none.
type Subject struct {
	log *Log

	mu       sync.Mutex
	entry    Entry
	reads    bool // the request changes nothing, whatever its method
	answered bool // the request's entry is written
	ended    *end // of the job; nil: it runs, or there is none
}

// end is how a job ended.
type end struct {
	status int
	code   string
}

// subjectKey is the key of the subject in a context.
type subjectKey struct{}

// Begin returns the subject of a request. The log may be nil: nothing is recorded.
func (l *Log) Begin(face, requestID string) *Subject {
	return &Subject{log: l, entry: Entry{Face: face, Request: requestID}}
}

// With returns a context for work on a subject.
func With(ctx context.Context, s *Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// Of returns the subject of work; nil: it has none.
func Of(ctx context.Context) *Subject {
	s, _ := ctx.Value(subjectKey{}).(*Subject)
	return s
}

// note changes the entry.
func (s *Subject) note(change func(*Entry)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.entry)
}

// Dataset notes which dataset the request is about. The first one counts: others are what it works with.
func (s *Subject) Dataset(id, name string, project int64) {
	s.note(func(e *Entry) {
		if e.ID == "" || e.ID == id {
			e.ID, e.Dataset, e.Project = id, name, project
		}
	})
}

// Commit notes a commit that the request has made.
func (s *Subject) Commit(dataset string, id int64) {
	s.note(func(e *Entry) { e.ID = cmp.Or(e.ID, dataset) })
	s.Commits(id)
}

// Project notes which project the request is about.
func (s *Subject) Project(id int64) { s.note(func(e *Entry) { e.Project = id }) }

// Commits notes commits that the request has made.
func (s *Subject) Commits(ids ...int64) {
	s.note(func(e *Entry) {
		for _, id := range ids {
			if id != 0 && !slices.Contains(e.Commits, id) {
				e.Commits = append(e.Commits, id)
			}
		}
	})
}

// Statement notes the SHA-256 of a statement in SQL.
func (s *Subject) Statement(sql string) {
	s.note(func(e *Entry) {
		if e.SQL == "" {
			e.SQL = HashOf([]byte(sql))
		}
	})
}

// About notes what the request is about that is not a dataset, such as a user and the roles that it gets.
func (s *Subject) About(format string, args ...any) {
	s.note(func(e *Entry) { e.Detail = fmt.Sprintf(format, args...) })
}

// Acknowledges notes that the request acknowledges problems of the log, by their digest, and why.
func (s *Subject) Acknowledges(digest, note string) {
	s.note(func(e *Entry) { e.Acknowledged, e.Detail = digest, note })
}

// Reads notes that the request changes nothing, such as a dry run.
func (s *Subject) Reads() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reads = true
	}
}

// IsRead reports whether Reads was called.
func (s *Subject) IsRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// HasStatement reports whether Statement was called.
func (s *Subject) HasStatement() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entry.SQL != ""
}

// Started notes the job that does the work.
func (s *Subject) Started(job string) { s.note(func(e *Entry) { e.Job = job }) }

// Answered writes the request's entry, completed by complete. If the request was answered before its job was known to
// have ended (202), the end follows.
func (s *Subject) Answered(complete func(*Entry)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	complete(&s.entry)
	s.answered = true
	s.log.Append(s.entry)
	if s.ended != nil && s.entry.Status == http.StatusAccepted {
		s.appendEnd(*s.ended)
	}
}

// Skip says that the request needs no entry.
func (s *Subject) Skip() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log = nil
	}
}

// Ended says how the request's job ended. A request that is still to be answered says so itself, unless it does not
// wait for that.
func (s *Subject) Ended(status int, code string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.answered {
		s.ended = &end{status, code}
		return
	}
	s.appendEnd(end{status, code})
}

// appendEnd writes the entry of a job's end.
func (s *Subject) appendEnd(of end) {
	e := s.entry
	e.Kind, e.Status, e.Code = Job, of.status, of.code
	s.log.Append(e)
}
