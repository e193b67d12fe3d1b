package flight

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"

	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage/fault"
)

// handle is a prepared statement as its client keeps it: all of it, so that any server runs it, also after the one that
// prepared it has ended. Nothing in it is trusted: it is what its client may as well send as a new statement.
type handle struct {
	ID         []byte        `json:"id"` // distinguishes it from others with the same text
	User       string        `json:"user"`
	SQL        string        `json:"sql"`
	Project    int64         `json:"project"`
	Parameters []string      `json:"parameters"`        // in binding order
	Meaning    query.Meaning `json:"meaning,omitempty"` // in a ticket: of the description that was given with it

	bound []byte // the rows that are bound, as an Arrow IPC stream; empty: none, or more than a handle may have
}

// maxHandle is the most bound bytes that a handle has. A client gets it twice in a FlightInfo, and accepts 4 MiB by default.
const maxHandle = 3 << 19

// newHandle returns the handle of a statement that nothing is bound to.
func newHandle(user, sql string, project int64, parameters []string) handle {
	h := handle{ID: make([]byte, 16), User: user, SQL: sql, Project: project, Parameters: parameters}
	rand.Read(h.ID)
	return h
}

// key is under which a server remembers the statement. What one user remembers, no other one gets at.
func (h handle) key() string { return h.User + "\x00" + string(h.ID) }

// encode returns the handle as clients keep it: the length of the text, the text, and the rows.
func (h handle) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	out := binary.AppendUvarint(nil, uint64(len(text)))
	return append(append(out, text...), h.bound...), nil
}

// ticket returns the ticket that fetches the result.
func (h handle) ticket() ([]byte, error) {
	text, err := h.encode()
	if err != nil {
		return nil, err
	}
	command, err := anypb.New(&gen.CommandPreparedStatementQuery{PreparedStatementHandle: text})
	if err != nil {
		return nil, err
	}
	return proto.Marshal(command)
}

// decodeHandle parses what encode wrote for a user.
func decodeHandle(from []byte, user string) (h handle, err error) {
	length, n := binary.Uvarint(from)
	if n <= 0 || length > uint64(len(from)-n) {
		return h, errNoHandle
	}
	text, rows := from[n:n+int(length)], from[n+int(length):]
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&h) != nil || len(h.ID) != 16 || h.SQL == "" || h.Project < 1 || len(rows) > maxHandle {
		return h, errNoHandle
	}
	if h.User != user { // by mistake: what a statement may read is up to who runs it
		return h, errOthersHandle
	}
	h.bound = rows
	return h, nil
}

var (
	errNoHandle = refuse(fault.NotFound, "statement_not_found",
		"That is not the handle of a prepared statement: no server of this version has made it. Prepare it again.")
	errOthersHandle = refuse(fault.NotFound, "statement_not_found",
		"That prepared statement is another user's. Prepare it again.")
)
