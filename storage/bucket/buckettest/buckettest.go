// Package buckettest starts an S3 server for tests, and breaks the requests to it.
package buckettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/bucket"
)

// Credentials of the server.
const (
	AccessKey = "rowback-test"
	SecretKey = "not-to-be-logged-7f3a"
)

// Server is an S3 server (versitygw) that keeps objects in a directory.
type Server struct {
	URL string
	Dir string // of the objects: <bucket>/<key>
}

// Start starts a server, with a bucket called store, and has the environment name it. Without the server's program,
// which ROWBACK_S3_SERVER names or the path has, the test is skipped.
func Start(t testing.TB) *Server {
	t.Helper()
	program := os.Getenv("ROWBACK_S3_SERVER")
	if program == "" {
		program, _ = exec.LookPath("versitygw")
	}
	if program == "" {
		t.Skip("no S3 server: install versitygw, or name it in ROWBACK_S3_SERVER")
	}
	s := &Server{Dir: filepath.Join(t.TempDir(), "objects")}
	if err := os.MkdirAll(filepath.Join(s.Dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	cmd := exec.Command(program, "--port", address, "--keep-alive", "--quiet", "posix", s.Dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to save
		_ = cmd.Wait()
	})
	s.URL = "http://" + address
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_ENDPOINT_URL_S3": s.URL,
	} {
		t.Setenv(name, value)
	}
	s.await(t)
	return s
}

func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until the server answers.
func (s *Server) await(t testing.TB) {
	for range 200 {
		answer, err := http.Get(s.URL)
		if err == nil {
			answer.Body.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("the S3 server does not answer")
}

// Options are those of a prefix of the server's bucket.
func (s *Server) Options(prefix string) bucket.Options {
	return bucket.Options{URL: "s3://store/" + prefix, Timeout: 2 * time.Second}
}

// Wire passes requests on to a server. It counts them, and breaks those that a test wants broken.
type Wire struct {
	mu    sync.Mutex
	rules []*rule
	seen  []string
	down  bool
}

// How a request is broken.
const (
	Lost    = "lost"    // it is done, and the answer does not come
	Refused = "refused" // it does not get there
	Busy    = "busy"    // it is answered with 503
	Failed  = "failed"  // it is done, and answered with 500
	Cut     = "cut"     // the body of the answer ends in its midst
)

type rule struct {
	match string
	how   string
	times int
}

// ErrWire is the error of a broken request.
var ErrWire = errors.New("the wire is cut")

// Break has the next requests whose method and path contain match be broken.
func (w *Wire) Break(match, how string, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules = append(w.rules, &rule{match, how, times})
}

// Down has all requests fail until it is called with false.
func (w *Wire) Down(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

// Took returns the requests since the last call: the method, and the path or that it lists.
func (w *Wire) Took() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + r.URL.Path
	if q := r.URL.Query(); q.Has("list-type") || q.Has("prefix") {
		name = "LIST " + q.Get("prefix")
	}
	how := w.note(name)
	if how == Refused || how == Busy {
		if r.Body != nil {
			r.Body.Close()
		}
	}
	switch how {
	case Refused:
		return nil, ErrWire
	case Busy:
		return answer(r, http.StatusServiceUnavailable), nil
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	switch how {
	case Lost:
		got.Body.Close()
		return nil, ErrWire
	case Failed:
		got.Body.Close()
		return answer(r, http.StatusInternalServerError), nil
	case Cut:
		got.Body = cutBody{got.Body, io.LimitReader(got.Body, got.ContentLength/2)}
	}
	return got, nil
}

// note counts a request, and returns how it is broken.
func (w *Wire) note(name string) (how string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, name)
	if w.down {
		return Refused
	}
	for _, rule := range w.rules {
		if rule.times > 0 && strings.Contains(name, rule.match) {
			rule.times--
			return rule.how
		}
	}
	return ""
}

func answer(r *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: r,
	}
}

// cutBody is a body that ends too early.
type cutBody struct {
	io.Closer
	part io.Reader
}

// Read reads.
func (c cutBody) Read(p []byte) (int, error) {
	n, err := c.part.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Open opens a bucket whose requests pass a wire.
func (s *Server) Open(t testing.TB, prefix string) (*bucket.Bucket, *Wire) {
	t.Helper()
	wire := &Wire{}
	o := s.Options(prefix)
	o.Transport = wire
	b, err := bucket.Open(o)
	if err == nil {
		err = b.Answers(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, wire
}
