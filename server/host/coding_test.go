package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/zstd"
)

func TestTheCodingOfAnAnswerIsTheBestThatItsClientAccepts(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "identity": "", "br": "", "gzip": "gzip", "GZIP": "gzip", "x-gzip": "gzip", "zstd": "zstd",
		"gzip, deflate, br, zstd": "zstd", "gzip;q=1.0, zstd;q=0.5": "gzip", "zstd; q=0.5 , gzip ; q=0.1": "zstd",
		"gzip;q=0": "", "gzip;q=0, zstd": "zstd", "gzip;q=x": "", "gzip;q=nan": "", "gzip;level=1;q=0": "", "gzip; q=0.5; level=1": "gzip", "*": "gzip", "*;q=0": "", "*;q=0, gzip": "gzip",
		"gzip;q=0, *": "", "identity;q=0.5, *;q=0": "", "identity, gzip;q=0.5": "", "identity;q=0.5, gzip": "gzip",
		"gzip;q=0.2, zstd;q=0.2": "zstd", ";;,=,": "",
	} {
		if got := fromHeader(t, header).best(); got != want {
			t.Errorf("%q: %q, not %q", header, got, want)
		}
	}
	for header, want := range map[string]bool{
		"": true, "gzip": true, "identity": true, "identity;q=0": false, "*;q=0": false, "*": true,
		"gzip, identity;q=0.0": false, "*;q=0, identity": true, "identity;q=0, *": false, "identity;q=0.001": true,
	} {
		if got := fromHeader(t, header).identity(); got != want {
			t.Errorf("%q accepts identity: %v, not %v", header, got, want)
		}
	}
}

func fromHeader(t *testing.T, header string) (out accepted) {
	t.Helper()
	app := fiber.New()
	app.Get("/", func(c *fiber.Ctx) error { out = acceptedBy(c); return nil })
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Accept-Encoding", header)
	if _, err := app.Test(request, -1); err != nil {
		t.Fatal(err)
	}
	return out
}

// answering is a face with answers of each kind, by path.
type answering struct{ h *Host }

var (
	shortText = strings.Repeat("a,b\n", 20)
	longText  = strings.Repeat("one,two,three\n", 20_000)
)

func (f answering) Mount(app *fiber.App) {
	for path, handler := range map[string]fiber.Handler{
		"/whole":         f.whole("application/json", longText),
		"/short":         f.whole("application/json", shortText),
		"/random":        f.whole("text/plain", noise),
		"/packed":        f.whole("application/vnd.apache.parquet", longText),
		"/stream":        f.stream("text/csv", longText, unknown),
		"/stream-short":  f.stream("text/csv", shortText, unknown),
		"/stream-packed": f.stream("application/vnd.apache.parquet", longText, unknown),
		"/stream-sized":  f.stream("application/vnd.apache.parquet", longText, len(longText)),
	} {
		app.Get(path, handler)
		app.Head(path, handler)
	}
}

// noise is text in which an encoder finds nothing.
var noise = func() string {
	out := make([]byte, 5000)
	rand.NewChaCha8([32]byte{}).Read(out)
	return string(out)
}()

func (f answering) whole(media, text string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set("Content-Type", media)
		return c.SendString(text)
	}
}

func (f answering) stream(media, text string, size int) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return f.h.Stream(c, Result{Media: media, First: time.Minute, Each: time.Minute,
			Write: func(_ context.Context, w io.Writer) (string, error) {
				if size != unknown {
					w.(interface{ Announce(int64, string) }).Announce(int64(size), "limit")
				}
				_, err := io.WriteString(w, text)
				return "limit", err
			}})
	}
}

// decoded returns the text of an answer.
func decoded(coding string, body []byte) (string, error) {
	var in io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		in, err = gzip.NewReader(in)
	case "zstd":
		in, err = zstd.NewReader(in)
	}
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(in)
	return string(text), err
}

func TestAnswersAreCompressedForThoseWhoAskForIt(t *testing.T) {
	const all = "gzip, zstd"
	for _, c := range []struct {
		path, accept string
		coding       string
		hasLength    bool
		text         string
	}{
		{"/whole", "", "", true, longText},
		{"/whole", "gzip", "gzip", true, longText},
		{"/whole", all, "zstd", true, longText},
		{"/short", all, "", true, shortText},
		{"/short", "gzip, identity;q=0", "gzip", true, shortText},
		{"/random", all, "", true, noise},
		{"/packed", all, "", true, longText},
		{"/packed", "zstd, *;q=0", "zstd", true, longText},
		{"/stream", "", "", false, longText},
		{"/stream", "gzip", "gzip", false, longText},
		{"/stream", all, "zstd", false, longText},
		{"/stream-short", all, "", true, shortText},
		{"/stream-short", "identity;q=0, gzip", "gzip", true, shortText},
		{"/stream-packed", all, "", false, longText},
		{"/stream-packed", "gzip, identity;q=0", "gzip", false, longText},
		{"/stream-sized", all, "", true, longText},
		{"/stream-sized", "gzip, identity;q=0", "gzip", false, longText},
	} {
		t.Run(c.path+" "+c.accept, func(t *testing.T) {
			h := New(Options{})
			app := h.App(answering{h})
			get, body := asked(t, app, "GET", c.path, c.accept)
			if text, err := decoded(c.coding, body); err != nil || text != c.text {
				t.Errorf("%d bytes, not %d (%v)", len(text), len(c.text), err)
			}
			if get.Header.Get("Content-Encoding") != c.coding {
				t.Errorf("it came as %q", get.Header.Get("Content-Encoding"))
			}
			if length := get.Header.Get("Content-Length"); c.hasLength && length != fmt.Sprint(len(body)) {
				t.Errorf("the length of %d bytes is %q", len(body), length)
			}
			head, none := asked(t, app, "HEAD", c.path, c.accept)
			for _, name := range []string{"Content-Encoding", "Content-Type", "Vary", "Content-Length"} {
				isLength := name == "Content-Length" && !c.hasLength
				if got := head.Header.Get(name); !isLength && got != get.Header.Get(name) || isLength && got != "" {
					t.Errorf("%s of HEAD is %q, of GET %q", name, got, get.Header.Get(name))
				}
			}
			isPacked := strings.Contains(c.path, "packed") || strings.Contains(c.path, "sized")
			if varies := get.Header.Get("Vary") == "Accept-Encoding"; varies != (!isPacked || c.coding != "") || len(none) > 0 {
				t.Errorf("Vary: %q; HEAD had %d bytes", get.Header.Get("Vary"), len(none))
			}
		})
	}
}

func asked(t *testing.T, app *fiber.App, method, path, accept string) (*http.Response, []byte) {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	if accept != "" {
		request.Header.Set("Accept-Encoding", accept)
	}
	got, err := app.Test(request, -1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, body
}

func TestAClientThatAcceptsNothingIsRefusedBeforeAnyWork(t *testing.T) {
	h := New(Options{})
	app := h.App(posted(func(*fiber.Ctx) error { t.Error("it was done"); return nil }))
	for _, accept := range []string{"*;q=0", "identity;q=0", "br, identity;q=0"} {
		request := httptest.NewRequest("POST", "/", nil)
		request.Header.Set("Accept-Encoding", accept)
		if got, err := app.Test(request, -1); err != nil || got.StatusCode != http.StatusNotAcceptable {
			t.Errorf("%s: %v, %v", accept, got.StatusCode, err)
		}
	}
	closed := 0
	files := h.App(filed{h, "text", &closed})
	if got, _ := asked(t, files, "GET", "/", "gzip, identity;q=0"); got.StatusCode != 406 || closed != 1 {
		t.Errorf("a file: %d, closed %d times", got.StatusCode, closed)
	}
}

// got is a face with one handler for GET.
type got func(c *fiber.Ctx) error

func (f got) Mount(app *fiber.App) { app.Get("/", fiber.Handler(f)) }

// serving serves one result over a connection, as a server does.
func serving(t *testing.T, write func(context.Context, io.Writer) (string, error)) (url string) {
	t.Helper()
	h := New(Options{})
	app := h.App(got(func(c *fiber.Ctx) error {
		return h.Stream(c, Result{Media: "text/csv", First: time.Minute, Each: time.Minute, Write: write})
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go app.Listener(l) //nolint:errcheck // it ends with the listener
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

func opened(t *testing.T, url, coding string) io.Reader {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", coding)
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { got.Body.Close() })
	if got.Header.Get("Content-Encoding") != coding {
		t.Fatalf("it came as %q", got.Header.Get("Content-Encoding"))
	}
	var in io.Reader
	if coding == "gzip" {
		in, err = gzip.NewReader(got.Body)
	} else {
		in, err = zstd.NewReader(got.Body, zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// What has been produced arrives while the rest is not there yet, and what is cut is not taken for the whole.
func TestACompressedResultIsSentWhileItIsProduced(t *testing.T) {
	for _, coding := range []string{"gzip", "zstd"} {
		arrived := make(chan struct{})
		url := serving(t, func(ctx context.Context, w io.Writer) (string, error) {
			if _, err := io.WriteString(w, longText); err != nil {
				return "", err
			}
			select {
			case <-arrived: // would wait forever if the first part were held back
			case <-ctx.Done():
			}
			return "", errors.New("the disk has failed")
		})
		in := opened(t, url, coding)
		if _, err := io.CopyN(io.Discard, in, int64(len(longText)-heldBack)); err != nil {
			t.Fatal(coding, err)
		}
		close(arrived)
		if _, err := io.Copy(io.Discard, in); err == nil {
			t.Errorf("%s: the part of a result that failed was taken for the whole", coding)
		}
	}
}
