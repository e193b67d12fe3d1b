// Package audit is the audit log: who did what, from where, with which token, on what, and how it ended. It has an
// entry for every write, every refusal, login, logout, export and statement, whatever face they came to, and is apart
// from the log of requests.
//
// It is files of NDJSON in DATA/audit, to which entries are only ever appended. Each entry has a number and the SHA-256
// of the line before it, so that one that is missing, changed or moved is detected (Check). The number and the hash of
// the last entry are kept in settings.db as well, so that a log that was cut off is detected too. Entries are written
// before their requests are answered, and synced within a second: they survive a crash of the program at once, and one
// of the machine from then on.
//
// No values of records are in it, no secrets, and no text of SQL, which may have values in it: only its SHA-256.
package audit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// Kinds of entries.
const (
	Write  = "write"  // a request that changes something
	Read   = "read"   // a refused request that would have changed nothing
	Query  = "query"  // a statement in SQL
	Export = "export" // records or files that were sent
	Login  = "login"
	Logout = "logout"
	Job    = "job"    // the end of a write that was answered before
	Server = "server" // what the server itself did: start, stop, repair
)

// Entry is one line of the log. Its fields are the columns of the table rowback.audit.
type Entry struct {
	Number   int64     `json:"number"`
	Previous string    `json:"previous"` // the SHA-256 of the line before; of the first: empty
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`
	Request  string    `json:"request_id,omitempty"`
	Face     string    `json:"face,omitempty"` // http, shoji or flight
	User     string    `json:"user_name,omitempty"`
	Token    string    `json:"token_id,omitempty"`
	Session  string    `json:"session_id,omitempty"`
	Address  string    `json:"address,omitempty"`
	Route    string    `json:"route,omitempty"`
	Project  int64     `json:"project_id,omitempty"`
	Dataset  string    `json:"dataset,omitempty"` // its name
	ID       string    `json:"dataset_id,omitempty"`
	Commits  []int64   `json:"commits,omitempty"`
	Status   int       `json:"status"`         // of HTTP; of Flight: gRPC's; of Server: 0
	Code     string    `json:"code,omitempty"` // of a refusal
	Job      string    `json:"job,omitempty"`
	SQL      string    `json:"sql_sha256,omitempty"`
	Repeated int64     `json:"repeated,omitempty"` // how many more like it there were
	Detail   string    `json:"detail,omitempty"`   // what Server did; of others, what they are about besides datasets

	// Acknowledged is the SHA-256 of the problems before this entry that its user has seen and acknowledged, see Report.
	Acknowledged string `json:"acknowledged,omitempty"`
}

// maxText is the longest text of an entry, in bytes.
const maxText = 300

// line returns the entry as it is stored, without the end of the line. Whatever a client has sent stays one line.
func (e Entry) line() []byte {
	for _, text := range []*string{
		&e.Request, &e.User, &e.Token, &e.Session, &e.Route, &e.Dataset, &e.ID, &e.Code, &e.Job, &e.Detail,
	} {
		*text = plain(*text)
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	out, err := json.Marshal(e)
	if err != nil {
		panic(err) // it has texts and numbers only
	}
	return out
}

// plain returns a text without control characters, and no longer than an entry's may be.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// Refused reports whether the request was not done.
func (e Entry) refused() bool {
	if e.Face == "flight" {
		return e.Status != 0
	}
	return e.Status >= 400
}
