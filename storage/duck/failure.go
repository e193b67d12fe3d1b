//go:build duckdb_arrow

package duck

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// locate makes an instance report the position of errors in a statement. Sandboxes set it.
const locate = "SET GLOBAL errors_as_json = true"

// Failure is an error with its position in the statement, as sandboxes return it.
type Failure struct {
	Statement string // as it was run
	Offset    int    // in bytes; -1: unknown
	Hint      string // what DuckDB adds, usually candidate names
	cause     *duckdb.Error
}

func (f *Failure) Error() string { return f.cause.Error() }

// Unwrap returns the error that an instance without that setting would have returned.
func (f *Failure) Unwrap() error { return f.cause }

// located decodes a message in the JSON format of the setting locate; it returns other errors unchanged. statement is
// the one that was run.
func located(de *duckdb.Error, statement string, err error) error {
	at := strings.Index(de.Msg, `{"exception_type":`)
	if at < 0 {
		return err
	}
	var report struct {
		Kind     string `json:"exception_type"`
		Message  string `json:"exception_message"`
		Position string `json:"position"`
	}
	if json.NewDecoder(strings.NewReader(de.Msg[at:])).Decode(&report) != nil {
		return err
	}
	f := &Failure{Statement: statement, Offset: -1}
	if n, err := strconv.Atoi(report.Position); err == nil {
		f.Offset = n
	}
	message, hint, _ := strings.Cut(report.Message, "\n")
	f.Hint = strings.TrimSpace(hint)
	kind := report.Kind + " Error"
	f.cause = &duckdb.Error{Type: kinds[kind], Msg: kind + ": " + message}
	return f
}
