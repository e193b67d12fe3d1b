package host

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

func TestTheLastNothingOfAFileIsARangeThatItDoesNotHave(t *testing.T) {
	const none = "9223372036854775807-"
	for ranges, want := range map[string]string{
		"0-9": "0-9", "-1": "-1", "-10": "-10", "-010": "-010", "-": "-", "": "", "0-": "0-",
		"-0": none, "-000": none, " -0 ": none, "0-1,-0": "0-1," + none, "-0,-5": none + ",-5",
	} {
		if got := noEmpty(ranges); got != want {
			t.Errorf("%q: %q, want %q", ranges, got, want)
		}
	}
}

// filed is a face with one file, and notes how often it is closed.
type filed struct {
	h      *Host
	text   string
	closed *int
}

type closing struct {
	io.ReadSeeker
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

var modified = time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)

func (f filed) Mount(app *fiber.App) {
	send := func(c *fiber.Ctx) error {
		return f.h.SendFile(c, File{
			ReadSeekCloser: closing{strings.NewReader(f.text), f.closed},
			Checksum:       "c0ffee", Media: "application/x-tar", Name: "name ü.tar", Modified: modified,
		})
	}
	app.Get("/", send)
	app.Head("/", send)
}

func TestAFileIsSentWholeOrInParts(t *testing.T) {
	const text = "0123456789"
	for _, c := range []struct {
		method string
		header [2]string
		status int
		body   string
		ranged string
	}{
		{"GET", [2]string{}, 200, text, ""},
		{"HEAD", [2]string{}, 200, "", ""},
		{"HEAD", [2]string{"Range", "bytes=0-1"}, 200, "", ""},
		{"GET", [2]string{"Range", "bytes=0-0"}, 206, "0", "bytes 0-0/10"},
		{"GET", [2]string{"Range", "BYTES=8-"}, 206, "89", "bytes 8-9/10"},
		{"GET", [2]string{"Range", "bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{"GET", [2]string{"Range", "bytes=-99"}, 206, text, "bytes 0-9/10"},
		{"GET", [2]string{"Range", "rows=0-1"}, 200, text, ""},
		{"GET", [2]string{"Range", "bytes=10-"}, 416, "", "bytes */10"},
		{"GET", [2]string{"Range", "bytes=-0"}, 416, "", "bytes */10"},
		{"GET", [2]string{"If-None-Match", `"c0ffee"`}, 304, "", ""},
		{"GET", [2]string{"If-None-Match", `"other"`}, 200, text, ""},
		{"GET", [2]string{"If-Match", `"other"`}, 412, "", ""},
		{"GET", [2]string{"If-Match", `"other", "c0ffee"`}, 200, text, ""},
		{"GET", [2]string{"If-Modified-Since", "Sun, 01 Feb 2026 00:00:00 GMT"}, 304, "", ""},
		{"GET", [2]string{"If-Unmodified-Since", "Fri, 30 Jan 2026 00:00:00 GMT"}, 412, "", ""},
	} {
		closed := 0
		h := New(Options{})
		app := h.App(filed{h, text, &closed})
		request := httptest.NewRequest(c.method, "/", nil)
		if c.header[0] != "" {
			request.Header.Set(c.header[0], c.header[1])
		}
		got, err := app.Test(request, -1)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		h.jobs.Wait() // the file is closed by then
		if got.StatusCode != c.status || got.Header.Get("Content-Range") != c.ranged || closed != 1 {
			t.Errorf("%s %v: %d, Content-Range %q, closed %d times", c.method, c.header, got.StatusCode,
				got.Header.Get("Content-Range"), closed)
		}
		if c.status < 400 && (string(body) != c.body || got.Header.Get("ETag") != `"c0ffee"`) {
			t.Errorf("%s %v: %q, %v", c.method, c.header, body, got.Header)
		}
		if c.method == "HEAD" && got.ContentLength != int64(len(text)) {
			t.Errorf("HEAD: length %d", got.ContentLength)
		}
		if _, name, _ := mime.ParseMediaType(got.Header.Get("Content-Disposition")); c.status == 200 &&
			name["filename"] != "name ü.tar" {
			t.Errorf("the name is %q", got.Header.Get("Content-Disposition"))
		}
	}
}

// A file is larger than what is read ahead: it comes whole, byte for byte.
func TestALargeFileIsSentWhole(t *testing.T) {
	text, closed := strings.Repeat("0123456789", 1<<17), 0
	h := New(Options{})
	got, err := h.App(filed{h, text, &closed}).Test(httptest.NewRequest("GET", "/", nil), -1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(body, []byte(text)) {
		t.Errorf("%d bytes of %d, %v", len(body), len(text), err)
	}
}

// Several headers of one name are one list (RFC 9110, section 5.3).
func TestARequestForAPartHasTheHeadersThatAskForIt(t *testing.T) {
	app := fiber.New()
	var seen http.Header
	app.All("/", func(c *fiber.Ctx) error {
		seen = partRequest(c).Header
		return nil
	})
	for _, method := range []string{"GET", "POST"} {
		request := httptest.NewRequest(method, "/", nil)
		request.Header.Add("If-Match", `"a"`)
		request.Header.Add("If-Match", `"b"`)
		request.Header.Set("Range", "bytes=1-2")
		request.Header.Set("Cookie", "token=t0")
		if _, err := app.Test(request, -1); err != nil {
			t.Fatal(err)
		}
		want := http.Header{"If-Match": {`"a", "b"`}}
		if method == "GET" { // a range means nothing with other methods
			want.Set("Range", "bytes=1-2")
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("%s: %v", method, seen)
		}
	}
}
