package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/fault"
)

func TestEveryKindOfErrorHasAStatus(t *testing.T) {
	for kind := fault.Internal; kind <= fault.Unavailable; kind++ {
		status, ok := statuses[kind]
		if !ok || http.StatusText(status) == "" || status < 400 {
			t.Errorf("kind %d: %d", kind, status)
		}
		if mine := status >= 500; mine != (kind == fault.Internal || kind == fault.Unavailable) {
			t.Errorf("kind %d is answered with %d", kind, status)
		}
	}
	if len(statuses) != int(fault.Unavailable)+1 {
		t.Errorf("%d kinds have a status", len(statuses))
	}
}

func TestErrorsOfTheRouterHaveCodesOfTheirOwn(t *testing.T) {
	h, seen := New(Options{}), map[string]int{}
	for status, code := range codes {
		if other, ok := seen[code]; ok {
			t.Errorf("%d and %d are both %s", status, other, code)
		}
		seen[code] = status
		got, fields := h.Problem(fiber.NewError(status, "A sentence."), "r1")
		if got != status || fields["code"] != code || fields["detail"] != "A sentence." ||
			fields["title"] != http.StatusText(status) {
			t.Errorf("%d: %v", status, fields)
		}
	}
	if _, fields := h.Problem(fiber.NewError(http.StatusTeapot, "No coffee."), ""); fields["code"] != "bad_request" {
		t.Errorf("a status that has no code: %v", fields)
	}
}

func TestAProblemHasItsFactsAsClientsSeeThem(t *testing.T) {
	h := New(Options{Fact: func(fact any) any { return fmt.Sprint("seen ", fact) }})
	err := fmt.Errorf("commit: %w", fault.Errorf(fault.Conflict, "head_moved", "The head is %d.", 4).With("head", 4))
	status, fields := h.Problem(err, "r1")
	want := map[string]any{
		"type": "about:blank", "title": "Conflict", "status": 409, "detail": "The head is 4.", "code": "head_moved",
		"request_id": "r1", "head": "seen 4",
	}
	if status != 409 || fmt.Sprint(fields) != fmt.Sprint(want) {
		t.Errorf("%d, %v", status, fields)
	}
	if _, fields := h.Problem(err, ""); fields["request_id"] != nil {
		t.Error(fields)
	}
}

// A fact can't take the place of what every problem has.
func TestFactsDoNotHideTheProblem(t *testing.T) {
	e := fault.Errorf(fault.Invalid, "code",
		"Detail.").With("detail", "x").With("code", "x").With("status", 1).With("title", "x")
	status, fields := New(Options{}).Problem(e, "")
	if status != 422 || fields["detail"] != "Detail." || fields["code"] != "code" || fields["status"] != 422 ||
		fields["title"] == "x" {
		t.Error(fields)
	}
}

func TestWhatIsTheServersOwnIsLoggedAndNotShown(t *testing.T) {
	var log strings.Builder
	h := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	secret := errors.New("/var/lib/secret: SELECT 1")
	for _, err := range []error{secret, fault.Errorf(fault.Corrupt, "corrupt", "A file is damaged.").Because(secret)} {
		log.Reset()
		_, fields := h.Problem(err, "r7")
		text, _ := json.Marshal(fields)
		if strings.Contains(string(text), "secret") || !strings.Contains(log.String(), "secret") ||
			!strings.Contains(log.String(), "r7") {
			t.Errorf("%s, log %s", text, log.String())
		}
	}
	log.Reset()
	if h.Problem(fault.Errorf(fault.NotFound, "c", "No."), "r7"); log.Len() > 0 {
		t.Errorf("a client's mistake is logged as an error: %s", log.String())
	}
}

// failing is a face that fails as it is asked to.
type failing struct{ err error }

func (f failing) Mount(app *fiber.App) { app.Use(func(*fiber.Ctx) error { return f.err }) }

func TestAProblemSaysWhenAndHowToTryAgain(t *testing.T) {
	for _, c := range []struct {
		err          error
		status       int
		header, want string
	}{
		{fiber.NewError(401, "No."), 401, "WWW-Authenticate", "Bearer"},
		{fault.Errorf(fault.Unavailable, "disk_full", "Full."), 503, "Retry-After", "5"},
		{context.DeadlineExceeded, 503, "Retry-After", "5"},
		{errBusy, 503, "Retry-After", "5"},
		{&Refusal{429, "too_many_logins", "Wait.", 1500 * time.Millisecond}, 429, "Retry-After", "2"},
		{&Refusal{403, "origin_not_allowed", "No.", 0}, 403, "Retry-After", ""},
		{fault.Errorf(fault.Invalid, "c", "No."), 422, "Retry-After", ""},
	} {
		got, err := New(Options{}).App(failing{c.err}).Test(httptest.NewRequest("GET", "/", nil), -1)
		if err != nil {
			t.Fatal(err)
		}
		if got.StatusCode != c.status || got.Header.Get(c.header) != c.want ||
			got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %d, %v", c.err, got.StatusCode, got.Header)
		}
		var p Problem
		if err := json.NewDecoder(got.Body).Decode(&p); err != nil || p.Status != c.status ||
			p.RequestID != got.Header.Get("X-Request-Id") {
			t.Errorf("%v: %+v, %v", c.err, p, err)
		}
	}
}

func TestARequestKeepsTheIDThatItsClientGaveIt(t *testing.T) {
	app := New(Options{}).App(failing{fiber.NewError(404, "No.")})
	for given, kept := range map[string]bool{
		"mine": true, "": false, strings.Repeat("x", 101): false, strings.Repeat("x", 100): true,
	} {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header.Set("X-Request-Id", given)
		got, err := app.Test(request, -1)
		if err != nil {
			t.Fatal(err)
		}
		if id := got.Header.Get("X-Request-Id"); id == "" || (id == given) != kept {
			t.Errorf("%q is answered with %q", given, id)
		}
	}
}
