//go:build duckdb_arrow

package duck

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// locate is the setting with which an instance tells where in a statement it failed: sandboxes have it.
const locate = "SET errors_as_json = true"

// Failure is an error with its place. Sandboxes give it.
type Failure struct {
	Statement string // that was run
	Offset    int    // bytes into it; -1: nowhere in it
	Hint      string // what DuckDB adds: candidates, as a rule
	cause     *duckdb.Error
}

func (f *Failure) Error() string { return f.cause.Error() }

// Unwrap returns the error as an instance without that setting would have given it.
func (f *Failure) Unwrap() error { return f.cause }

// located reads the JSON that an error's message is with the setting locate; other errors stay as they are. statement is
// what was run.
func located(de *duckdb.Error, statement string, err error) error {
	at := strings.Index(de.Msg, `{"exception_type":`)
	if at < 0 {
		return err
	}
	var told struct {
		Kind     string `json:"exception_type"`
		Message  string `json:"exception_message"`
		Position string `json:"position"`
	}
	if json.NewDecoder(strings.NewReader(de.Msg[at:])).Decode(&told) != nil {
		return err
	}
	f := &Failure{Statement: statement, Offset: -1}
	if n, err := strconv.Atoi(told.Position); err == nil {
		f.Offset = n
	}
	message, hint, _ := strings.Cut(told.Message, "\n")
	f.Hint = strings.TrimSpace(hint)
	kind := told.Kind + " Error"
	f.cause = &duckdb.Error{Type: kinds[kind], Msg: kind + ": " + message}
	return f
}
