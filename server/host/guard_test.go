package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/api"
	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
)

// crashing is a face that has bugs of every kind.
type crashing struct{}

func (f crashing) Mount(app *fiber.App) {
	app.Use("/broken/middleware", func(*fiber.Ctx) error { panic("a middleware") })
	app.Get("/broken/handler", func(*fiber.Ctx) error { panic("a handler") })
	app.Get("/broken/error", func(*fiber.Ctx) error { return fiber.NewError(http.StatusTeapot, "an error") })
	app.Get("/broken/nil", func(c *fiber.Ctx) error { var s *http.Server; return c.SendString(s.Addr) })
}

func (f crashing) Name() string { return "crashing" }

func (f crashing) Owns(path string) bool { return strings.HasPrefix(path, "/broken/error") }

func (f crashing) SendError(*fiber.Ctx, error) error { panic("the form of an error") }

// lockedLog is a log that the server writes while a test reads.
type lockedLog struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedLog) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedLog) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// serve serves a new store with these options, and returns where, and its log.
func serve(t *testing.T, o host.Options, faces ...host.Face) (url string, log *lockedLog) {
	t.Helper()
	store, err := storage.Open(context.Background(), t.TempDir(), storage.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	log = &lockedLog{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	h := host.New(o)
	native, err := api.New(store, h, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := h.App(append(faces, native)...)
	go app.Listener(conns.NewPool(conns.Limits{}, nil).Listen(l, nil))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := app.ShutdownWithTimeout(20 * time.Second); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String(), log
}

func get(t *testing.T, url string) (status int, problem map[string]any, header http.Header) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	json.Unmarshal(text, &problem)
	return res.StatusCode, problem, res.Header
}

func TestAPanicIsAnErrorOfOneRequest(t *testing.T) {
	url, log := serve(t, host.Options{}, crashing{})
	for _, path := range []string{"/broken/middleware", "/broken/handler", "/broken/nil", "/broken/error"} {
		status, problem, header := get(t, url+path)
		if status != http.StatusInternalServerError || problem["code"] != "internal" ||
			header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %d, %v", path, status, problem)
		}
		if strings.Contains(problem["detail"].(string), "panic") {
			t.Errorf("%s shows %v", path, problem)
		}
		if status, _, _ := get(t, url+"/healthz"); status != http.StatusOK {
			t.Errorf("after %s the server answers %d", path, status)
		}
	}
	for _, said := range []string{"a middleware", "a handler", "the form of an error", "nil pointer"} {
		if !strings.Contains(log.String(), said) {
			t.Errorf("the log has nothing of %q", said)
		}
	}
}

// linkable is a face with one page that any site may link to.
type linkable struct{}

func (linkable) Mount(app *fiber.App) {
	app.All("/page", func(c *fiber.Ctx) error { return c.SendString("a page") })
}

// A link from anywhere leads to a page; nothing else is let in with it.
func TestALinkOfAnotherSiteIsFollowedToAPage(t *testing.T) {
	web, err := access.NewWeb("127.0.0.1:8000", nil)
	if err != nil {
		t.Fatal(err)
	}
	isPage := func(path string) bool { return path == "/page" }
	url, _ := serve(t, host.Options{Web: &web, Linked: isPage}, linkable{})
	for _, c := range []struct {
		method, path, mode, dest, origin string
		status                           int
	}{
		{"GET", "/page", "navigate", "document", "", 200},
		{"GET", "/page", "navigate", "iframe", "", 403},
		{"GET", "/page", "no-cors", "empty", "", 403},
		{"GET", "/page", "navigate", "document", "http://evil.example", 403},
		{"POST", "/page", "navigate", "document", "", 403},
		{"GET", "/api/v1/datasets", "navigate", "document", "", 403},
		{"GET", "/page/../api/v1/datasets", "navigate", "document", "", 403},
	} {
		request, _ := http.NewRequest(c.method, url+c.path, nil)
		for name, value := range map[string]string{
			"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": c.mode, "Sec-Fetch-Dest": c.dest, "Origin": c.origin,
		} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
		res, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%+v: %d", c, res.StatusCode)
		}
	}
}

func TestAPageOfAnotherSiteIsAskedForNothingMore(t *testing.T) {
	web, err := access.NewWeb("127.0.0.1:8000", nil)
	if err != nil {
		t.Fatal(err)
	}
	url, log := serve(t, host.Options{Web: &web, Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)}, crashing{})
	for _, path := range []string{
		"/broken/middleware", "/healthz", "/docs/", "/metrics", "/openapi.json", "/nothing", "/api/v1/datasets",
	} {
		request, _ := http.NewRequest("GET", url+path, nil)
		request.Header.Set("Origin", "http://evil.example")
		res, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if !strings.Contains(log.String(), "status=403") || strings.Contains(log.String(), "internal error") {
		t.Errorf("the log: %s", log.String())
	}
}
