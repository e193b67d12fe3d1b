package calls_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage/fault"
)

// Whoever watches the log for errors must not be woken by what a client got wrong.
func TestACauseIsLoggedAsAnErrorOnlyWhereTheServerIsToBlame(t *testing.T) {
	secret := errors.New("Parser Error: SELEC")
	for kind, level := range map[fault.Kind]string{
		fault.Unavailable: "ERROR", fault.Corrupt: "ERROR",
		fault.Malformed: "INFO", fault.Invalid: "INFO", fault.NotFound: "INFO", fault.Exists: "INFO",
		fault.Conflict: "INFO", fault.Blocked: "INFO", fault.TooLarge: "INFO",
	} {
		var out strings.Builder
		log := slog.New(slog.NewTextHandler(&out, nil))
		err := fmt.Errorf("query: %w", fault.Errorf(kind, "code", "A sentence.").Because(secret))
		if e := calls.Explain(log, err, "r7"); e.Kind != kind || e.Detail != "A sentence." {
			t.Errorf("kind %d: %+v", kind, e)
		}
		for _, part := range []string{"level=" + level, "SELEC", "request_id=r7"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("kind %d: the log lacks %s: %s", kind, part, out.String())
			}
		}
	}
}

func TestARefusalWithoutACauseIsNotLogged(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	if calls.Explain(log, fault.Errorf(fault.Invalid, "code", "No."), "r7"); out.Len() > 0 {
		t.Error(out.String())
	}
	if e := calls.Explain(log, errors.New("secret"), "r7"); e.Kind != fault.Internal ||
		strings.Contains(e.Detail, "secret") || !strings.Contains(out.String(), "secret") {
		t.Errorf("%+v, log %s", e, out.String())
	}
}
