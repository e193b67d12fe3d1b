package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// ends are what is stopped after the tests, the last first.
var ends []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i]()
	}
	os.Exit(code)
}

// chromium returns the browser's path. A test is skipped where there is none, unless one was named.
func chromium(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("CHROMIUM"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			t.Fatalf("CHROMIUM: %v", err)
		}
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium on the path: install Debian's package chromium, or name one as $CHROMIUM")
	return ""
}

// program returns the path of the program under test.
var program = sync.OnceValues(func() (string, error) {
	if named := os.Getenv("ROWBACK_BIN"); named != "" {
		return filepath.Abs(named)
	}
	dir, err := os.MkdirTemp("", "rowback-browser-")
	if err != nil {
		return "", err
	}
	ends = append(ends, func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "rowback")
	if out, err := exec.Command("go", "build", "-tags", "duckdb_arrow", "-o", path, "github.com/rowback/rowback/server").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

// server is a running program.
type server struct {
	url   string
	token string // of an admin; empty: everyone is let in
	stop  func()

	first sync.Once // the token that has to be the first
}

// open is a server that lets everyone in, and closed one that wants a token. Both have the samples. They are shared by
// all tests: a test that changes something makes a dataset of its own.
var (
	openServer   = sync.OnceValues(func() (*server, error) { return start("") })
	closedServer = sync.OnceValues(func() (*server, error) { return start("root-token-of-the-tests") })
)

// start runs a server with the samples, and with more flags.
func start(token string, flags ...string) (*server, error) {
	args := append([]string{"--demo"}, flags...)
	if token != "" {
		args = append(args, "--token", "root:"+token)
	}
	s, err := startWith(args...)
	if s != nil {
		s.token = token
	}
	return s, err
}

// startWith runs a server with arguments of a test's own.
func startWith(args ...string) (*server, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, append([]string{"serve", "--addr", "127.0.0.1:0", "--no-upkeep"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := sync.OnceFunc(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	ends = append(ends, stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	go io.Copy(io.Discard, out)
	_, rest, _ := strings.Cut(line, "listens on ")
	url, _, ok := strings.Cut(rest, ";")
	if !ok {
		return nil, fmt.Errorf("the server said %q", line)
	}
	return &server{url: url, stop: stop}, nil
}

// starting returns a server, or fails the test.
func starting(t *testing.T, run func() (*server, error)) *server {
	t.Helper()
	chromium(t) // before the program is built for nothing
	s, err := run()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// demo is the server that lets everyone in.
func demo(t *testing.T) *server { t.Helper(); return starting(t, openServer) }

// closed is the server that wants a token.
func closed(t *testing.T) *server { t.Helper(); return starting(t, closedServer) }

// ask sends a request to the API as an admin, and reads the JSON of the answer into out, which may be nil.
func (s *server) ask(t *testing.T, method, path, media, body string, out any) {
	t.Helper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		request.Header.Set("Content-Type", media)
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, answer.StatusCode, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

// create makes a dataset of a test's own, with JSON records, and returns its id. fields are JSON, such as
// `"key":["id"]`; no records: it has no commit.
func (s *server) create(t *testing.T, fields, records string) string {
	t.Helper()
	var made struct{ ID string }
	if fields != "" {
		fields = "," + fields
	}
	name := fmt.Sprintf("%s %d", strings.ReplaceAll(t.Name(), "/", " "), time.Now().UnixNano())
	s.ask(t, "POST", "/api/v1/datasets", "application/json", fmt.Sprintf(`{"name":%q%s}`, name, fields), &made)
	if records != "" {
		s.commit(t, made.ID, "append", records)
	}
	return made.ID
}

// commit commits JSON records, and returns the commit's id.
func (s *server) commit(t *testing.T, dataset, mode, records string) int64 {
	t.Helper()
	var made struct{ ID int64 }
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/commits?mode="+mode, "application/json", records, &made)
	return made.ID
}

// user makes a user with a role in a project, or in all of them as "*", and returns a token of theirs.
func (s *server) user(t *testing.T, role, project string) string {
	t.Helper()
	// The first token that a server is given must be an admin's.
	s.first.Do(func() {
		s.ask(t, "POST", "/api/v1/users", "application/json", `{"name":"first","roles":[{"project":"*","role":"admin"}]}`, nil)
		s.ask(t, "POST", "/api/v1/tokens", "application/json", `{"user":"first","role":"admin"}`, nil)
	})
	name := fmt.Sprintf("%s%d", role, time.Now().UnixNano())
	s.ask(t, "POST", "/api/v1/users", "application/json",
		fmt.Sprintf(`{"name":%q,"roles":[{"project":%q,"role":%q}]}`, name, project, role), nil)
	var made struct{ Token string }
	s.ask(t, "POST", "/api/v1/tokens", "application/json", fmt.Sprintf(`{"user":%q,"role":%q}`, name, role), &made)
	return made.Token
}

// chrome is the one browser of all tests.
var chrome context.Context

// browserFor returns the running browser.
func browserFor(t *testing.T) context.Context {
	t.Helper()
	if chrome != nil {
		return chrome
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("force-prefers-reduced-motion", true), chromedp.Flag("lang", "en-GB"),
		chromedp.Env("TZ=Europe/Oslo"),
	)
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	ends = append(ends, stop, cancel)
	chrome = ctx
	return chrome
}
