package host

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage/fault"
)

// posted is a face with one handler for whatever is posted.
type posted func(c *fiber.Ctx) error

func (f posted) Mount(app *fiber.App) { app.Post("/", fiber.Handler(f)) }

// post sends a body to a handler, and returns the error that it gave.
func post(t *testing.T, h *Host, encoding string, body []byte, handle func(c *fiber.Ctx) error) (err error) {
	t.Helper()
	app := h.App(posted(func(c *fiber.Ctx) error {
		err = handle(c)
		return nil
	}))
	request := httptest.NewRequest("POST", "/", bytes.NewReader(body))
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	if _, failed := app.Test(request, -1); failed != nil {
		t.Fatal(failed)
	}
	return err
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t *testing.T, text string, o ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, o...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestABodyIsCopiedUncompressedWithTheChecksumOfWhatCame(t *testing.T) {
	text := strings.Repeat("a,b\n", 100_000)
	for encoding, body := range map[string][]byte{
		"": []byte(text), "identity": []byte(text), "gzip": zipped(t, text), "x-gzip": zipped(t, text),
		"zstd":   zstandard(t, text),
		" GZIP ": zipped(t, text),
	} {
		var out bytes.Buffer
		var size int64
		var sent Sent
		err := post(t, New(Options{}), encoding, body, func(c *fiber.Ctx) (err error) {
			size, sent, err = New(Options{}).CopyBody(c, &out)
			return err
		})
		sum := sha256.Sum256(body)
		if err != nil || out.String() != text || size != int64(len(text)) || sent.SHA256 != hex.EncodeToString(sum[:]) ||
			sent.Bytes != int64(len(body)) {
			t.Errorf("%q: %d bytes, %v", encoding, size, err)
		}
	}
}

func TestABodyThatIsNotWhatItsEncodingSaysIsRefused(t *testing.T) {
	text := strings.Repeat("a,b\n", 1000)
	whole, wide := zipped(t, text), zstandard(t, strings.Repeat("x", 9<<20), zstd.WithWindowSize(16<<20))
	for _, c := range []struct {
		what, encoding string
		body           []byte
		code           string
	}{
		{"plain text", "gzip", []byte(text), "malformed_body"},
		{"plain text", "zstd", []byte(text), "malformed_body"},
		{"nothing", "gzip", nil, "malformed_body"},
		{"nothing", "zstd", nil, "malformed_body"},
		{"a part", "gzip", whole[:len(whole)-9], "malformed_body"},
		{"a part", "zstd", zstandard(t, text)[:12], "malformed_body"},
		{"a window of 16 MiB", "zstd", wide, "zstd_window"},
	} {
		err := post(t, New(Options{}), c.encoding, c.body, func(c *fiber.Ctx) error {
			_, _, err := New(Options{}).CopyBody(c, io.Discard)
			return err
		})
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s as %s: %v", c.what, c.encoding, err)
		}
	}
	_, err := decompress("br", strings.NewReader(text))
	var unknown *fiber.Error
	if !errors.As(err, &unknown) || unknown.Code != fiber.StatusUnsupportedMediaType {
		t.Error(err)
	}
}

// The limit counts what a body comes to: a small one may be large once it is decompressed.
func TestABodyLargerThanTheLimitIsRefusedHoweverItIsSent(t *testing.T) {
	h := New(Options{Limits: calls.Limits{MaxUpload: 1000}})
	for _, c := range []struct {
		size     int
		encoding string
		refused  bool
	}{{1000, "", false}, {1001, "", true}, {1000, "gzip", false}, {1001, "gzip", true}, {1 << 20, "zstd", true}} {
		body := []byte(strings.Repeat("x", c.size))
		switch c.encoding {
		case "gzip":
			body = zipped(t, string(body))
		case "zstd":
			body = zstandard(t, string(body))
		}
		var out bytes.Buffer
		err := post(t, New(Options{}), c.encoding, body, func(c *fiber.Ctx) error {
			_, _, err := h.CopyBody(c, &out)
			return err
		})
		var e *fiber.Error
		if refused := errors.As(err, &e) && e.Code == fiber.StatusRequestEntityTooLarge; refused != c.refused ||
			out.Len() > 1001 {
			t.Errorf("%d bytes as %q: %v, %d written", c.size, c.encoding, err, out.Len())
		}
	}
}

func TestAWholeBodyIsReadUpToItsLimitAndOnce(t *testing.T) {
	h := New(Options{})
	for size, refused := range map[int]bool{0: false, 10: false, 11: true} {
		body := bytes.Repeat([]byte("x"), size)
		err := post(t, h, "", body, func(c *fiber.Ctx) error {
			first, err := h.ReadBody(c, 10)
			if again, err := h.ReadBody(c, 10); !refused &&
				(err != nil || !bytes.Equal(first, body) || !bytes.Equal(again, body)) {
				t.Errorf("%d bytes: %q, then %q, %v", size, first, again, err)
			}
			return err
		})
		var e *fiber.Error
		if (errors.As(err, &e) && e.Code == fiber.StatusRequestEntityTooLarge) != refused {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// fasthttp ends a body with a Content-Length as if it were complete, however much of it arrived.
func TestABodyThatEndsBeforeItsLengthIsCut(t *testing.T) {
	whole := &bodyStream{from: strings.NewReader("12345"), left: 5}
	if text, err := io.ReadAll(whole); string(text) != "12345" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	cut := &bodyStream{from: strings.NewReader("12345"), left: 6}
	for range 2 { // however often it is read
		if _, err := io.ReadAll(cut); !errors.Is(err, errGone) {
			t.Error(err)
		}
	}
}

func TestWhatAHandlerLeavesOfABodyIsReadUpToALimit(t *testing.T) {
	for _, c := range []struct {
		size, most int64
		done       bool
	}{{0, 10, true}, {9, 10, true}, {10, 10, false}, {11, 10, false}} {
		s := &bodyStream{from: strings.NewReader(strings.Repeat("x", int(c.size))), left: c.size}
		if done := s.drain(c.most); done != c.done {
			t.Errorf("%d bytes, at most %d: %v", c.size, c.most, done)
		}
	}
	if (&bodyStream{from: strings.NewReader("x"), left: 5}).drain(10) {
		t.Error("a body that was cut is not done")
	}
}

func TestBodiesHoldMemoryUpToABudget(t *testing.T) {
	var all atomic.Int64
	first, second := &held{all: &all}, &held{all: &all}
	if err := first.take(maxHeld - 10); err != nil {
		t.Fatal(err)
	}
	if err := second.take(11); !errors.Is(err, errBusy) || second.mine != 0 || all.Load() != maxHeld-10 {
		t.Errorf("%v, %d, %d in all", err, second.mine, all.Load())
	}
	if err := second.take(10); err != nil {
		t.Error(err)
	}
	first.release()
	second.release()
	if all.Load() != 0 || first.mine != 0 {
		t.Errorf("%d in all", all.Load())
	}
}

// The first part of each body is free, so that small requests go through where the budget is used up.
func TestTheStartOfABodyIsFree(t *testing.T) {
	for size, want := range map[int]int64{1: 0, freeHeld: 0, freeHeld + 1: 1, 3 * freeHeld: 2 * freeHeld} {
		var all atomic.Int64
		m := &metered{from: strings.NewReader(strings.Repeat("x", size)), held: &held{all: &all}}
		if n, err := io.Copy(io.Discard, m); n != int64(size) || err != nil || all.Load() != want {
			t.Errorf("%d bytes: %d read, %d held, %v", size, n, all.Load(), err)
		}
	}
	var full atomic.Int64
	full.Store(maxHeld)
	small := &metered{from: strings.NewReader("{}"), held: &held{all: &full}}
	if text, err := io.ReadAll(small); string(text) != "{}" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	large := &metered{from: strings.NewReader(strings.Repeat("x", freeHeld+1)), held: &held{all: &full}}
	if _, err := io.ReadAll(large); !errors.Is(err, errBusy) {
		t.Error(err)
	}
}
