package query_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
)

// A statement whose process dies gets an error that says so, and no other statement is affected.
func TestADyingSandbox(t *testing.T) {
	w := empty(t, storage.Options{})
	for signal, code := range map[syscall.Signal]string{syscall.SIGKILL: noMemory, syscall.SIGSEGV: "statement_failed"} {
		ended := make(chan error)
		go func() {
			err := error(nil)
			for err == nil || storage.Explain(err).Code == "busy" { // its process was killed before it had started
				_, _, err = w.ask(context.Background(), query.Statement{SQL: "SELECT " + stuck})
			}
			ended <- err
		}()
		var err error
		for pause := 200 * time.Millisecond; err == nil; pause *= 2 {
			select {
			case err = <-ended:
			case <-time.After(pause):
				signalSandboxes(t, signal)
			}
		}
		if e := storage.Explain(err); e.Code != code || leak.MatchString(e.Detail) {
			t.Errorf("after %v: %s %s; want %s", signal, e.Code, e.Detail, code)
		}
		if got, _, err := w.ask(context.Background(), query.Statement{SQL: "SELECT 1 AS n"}); got != `{"n":1}` {
			t.Errorf("a statement afterwards: %s %v", got, err)
		}
	}
}

// signalSandboxes sends a signal to every process that this one has started for a statement.
func signalSandboxes(t *testing.T, signal syscall.Signal) {
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Skip("this system does not list processes")
	}
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			syscall.Kill(pid, signal) //nolint:errcheck // it may have ended
		}
	}
}
