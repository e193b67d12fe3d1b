package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

func TestAServerThatCanNotBeReachedIsNamed(t *testing.T) {
	var out, failed bytes.Buffer
	code := run([]string{"tag", "--dataset", "x", "--server", "http://127.0.0.1:1"}, console{out: &out, err: &failed})
	if code != exitUnavailable || !strings.HasPrefix(failed.String(), "rowback: the server at http://127.0.0.1:1 can't be reached: ") ||
		strings.Contains(failed.String(), "/api/v1") {
		t.Errorf("%d, %s", code, failed.String())
	}
}

// A server with a certificate ends connections that are not encrypted, without a word.
func TestAServerThatEndsConnectionsMayEncrypt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	var out, failed bytes.Buffer
	code := run([]string{"dataset", "list", "--server", server.URL}, console{out: &out, err: &failed})
	if code != exitUnavailable || !strings.Contains(failed.String(), "If it encrypts, write https:// before its name") {
		t.Errorf("%d, %s", code, failed.String())
	}
}

func TestTheTokenIsSentAndTheProjectToo(t *testing.T) {
	s, _, failed, code := rowback(t, "tag --dataset employees --api-key t0 --project-id 3", map[string][]string{
		"GET " + d + "/tags": {`200 {"tags":[]}`},
	})
	if code != 0 || s.header.Get("Authorization") != "Bearer t0" || !strings.HasSuffix(s.asked[0], "?project_id=3") {
		t.Errorf("%d, %s: %v %v", code, failed, s.asked, s.header)
	}
}

// The token goes to the server that was named, and not to where that one sends: another port of its machine may be
// someone else's.
func TestTheTokenGoesToNoOtherServer(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	named := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer named.Close()
	var out, failed bytes.Buffer
	args := []string{"dataset", "list", "--server", named.URL, "--api-key", "t0"}
	code := run(args, console{out: &out, err: &failed})
	if code != exitUnavailable || asked != 0 || !strings.Contains(failed.String(), "name it with --server") {
		t.Errorf("%d, asked %d times: %s", code, asked, failed.String())
	}
}

// On one machine, compressing answers would only take time; net/http asks for gzip wherever nothing else is said.
func TestAServerNearbyIsNotAskedToCompress(t *testing.T) {
	for server, near := range map[string]bool{
		"http://127.0.0.1:8000": true, "http://localhost:1": true, "http://[::1]:8000/": true,
		"https://data.example.com": false, "http://192.0.2.1:8000": false, "::": false,
	} {
		if got := (remote{Server: server}).isNear(); got != near {
			t.Errorf("%s is near: %v", server, got)
		}
	}
	s, _, _, _ := rowback(t, "tag --dataset employees", map[string][]string{"GET " + d + "/tags": {`200 {"tags":[]}`}})
	if got := s.header.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("it was asked for %q", got)
	}
}

// Work that takes long goes on at the server, and the command waits for its end.
func TestWorkIsFollowedToItsEnd(t *testing.T) {
	started := `202 {"id":"j","progress":0,"message":"Forking"}`
	half := `200 {"id":"j","progress":50,"message":"Forking"}`
	for _, c := range []struct{ ended, out, failed string }{
		{`200 {"id":"j","progress":100,"result":{"status":201,"body":{"id":"f1","fork_commit":3,"records_total":9}}}`,
			"mine is a fork of employees at commit 3, 9 records; its id is f1\n", ""},
		{`200 {"id":"j","progress":-1,"message":"m","result":{"status":409,"body":{"detail":"The name is taken."}}}`,
			"", "rowback: The name is taken.\n"},
		{`200 {"id":"j","progress":-1,"message":"The server stopped."}`, "", "rowback: The server stopped.\n"},
		{`404 {"detail":"No such work."}`, "", "rowback: No such work.\n"},
	} {
		s, out, failed, code := rowback(t, "fork mine --dataset employees", map[string][]string{
			"POST " + d + "/forks": {started}, "GET /api/v1/progress/j": {half, c.ended},
		})
		if out != c.out || failed != c.failed || (code == 0) != (failed == "") || len(s.asked) != 3 {
			t.Errorf("%s: %d, %q, %q, asked %q", c.ended, code, out, failed, s.asked)
		}
	}
}

func TestTheServersRefusalIsKnownByItsCode(t *testing.T) {
	p := problemIn([]byte(`{"status":409,"code":"stale_head","detail":"Moved."}`), "")
	if !p.Is(storage.ErrStaleHead) || p.Is(storage.ErrNameTaken) || p.Is(io.EOF) || p.Is(fault.New(fault.Invalid, "")) {
		t.Errorf("%+v", p)
	}
}
