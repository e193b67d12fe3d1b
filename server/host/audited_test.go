package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
)

// counted is a face with a write and a read, and counts how often each is done.
type counted struct{ writes, reads int }

func (f *counted) Mount(app *fiber.App) {
	app.Post("/thing/:name", host.Operation("createThing"), func(c *fiber.Ctx) error {
		f.writes++
		audit.Of(c.UserContext()).Dataset("d1", "people", 7)
		audit.Of(c.UserContext()).Commits(41, 42)
		return c.SendStatus(http.StatusCreated)
	})
	app.Get("/thing/:name", func(c *fiber.Ctx) error { f.reads++; return c.SendStatus(http.StatusOK) })
	app.Get("/secret", func(*fiber.Ctx) error { return fiber.NewError(http.StatusForbidden, "No.") })
}

// recorded returns an application that records, and the entries that it has recorded.
func recorded(t *testing.T, openFile func(string) (audit.File, error)) (*counted, *fiber.App, func() []audit.Entry) {
	t.Helper()
	dir := t.TempDir()
	log, err := audit.Open(context.Background(), audit.Options{Dir: dir, Open: openFile, Sync: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	face := &counted{}
	app := host.New(host.Options{Audit: log}).App(face)
	return face, app, func() (out []audit.Entry) {
		paths, err := filepath.Glob(filepath.Join(dir, audit.Folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(text) {
				var e audit.Entry
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatalf("%v: %q", err, line)
				}
				if e.Kind != audit.Server {
					out = append(out, e)
				}
			}
		}
		return out
	}
}

func send(t *testing.T, app *fiber.App, method, target string, header ...string) int {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := app.Test(r, -1)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

func TestWritesAndRefusalsAreRecorded(t *testing.T) {
	_, app, entries := recorded(t, nil)
	send(t, app, "POST", "/thing/a?secret=1", "X-Request-Id", "mine")
	send(t, app, "GET", "/thing/a")
	send(t, app, "GET", "/secret")
	send(t, app, "POST", "/nothing/a%0Ab%22%7D")
	got := entries()
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	one := got[0]
	if one.Kind != audit.Write || one.Route != "createThing" || one.Request != "mine" || one.Status != 201 ||
		one.ID != "d1" || one.Project != 7 || len(one.Commits) != 2 || one.Face != "http" {
		t.Errorf("a write: %+v", one)
	}
	if two := got[1]; two.Kind != audit.Read || two.Route != "GET /secret" || two.Status != 403 || two.Code == "" {
		t.Errorf("a refusal: %+v", two)
	}
	if three := got[2]; three.Status != 404 || strings.ContainsAny(three.Route, "\n\x00") {
		t.Errorf("a path with a line end: %+v", three)
	}
}

// What could not be recorded is not done. Reads are answered, and it all goes on once there is room.
func TestWritesAreRefusedWhileTheLogCantBeWritten(t *testing.T) {
	isFull := true
	face, app, entries := recorded(t, func(path string) (audit.File, error) {
		if isFull {
			return nil, errors.Join(syscall.ENOSPC)
		}
		return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	})
	if got := send(t, app, "POST", "/thing/a"); got != http.StatusServiceUnavailable || face.writes != 0 {
		t.Errorf("a write: %d, done %d times", got, face.writes)
	}
	if got := send(t, app, "GET", "/thing/a"); got != http.StatusOK {
		t.Errorf("a read: %d", got)
	}
	isFull = false
	if got := send(t, app, "POST", "/thing/a"); got != http.StatusCreated || face.writes != 1 {
		t.Errorf("a write once there is room: %d", got)
	}
	if got := entries(); len(got) != 2 || got[0].Status != 503 || got[0].Code != "audit_unavailable" || got[1].Status != 201 {
		t.Errorf("%+v", got)
	}
}
