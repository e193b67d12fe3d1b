package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func upload(t *testing.T, format Format, body string) Upload {
	path := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return Upload{Format: format, Path: path, Size: int64(len(body))}
}

// forClient fails the test if an error is not an *Error.
func forClient(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%T %v", err, err)
	}
}

// Small JSON is decoded in the server's own process: it must never panic, and Few must be right.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`[]`, `[{"a":1}]`, `[{"a":1.5e400},{"a":-0}]`, `[{"a":1e999999999},{"a":0e999999999}]`,
		`[{"a":{"b":[1,null,{"c":true}]}},{"a":null}]`,
		`[{"a":12345678901234567890123},{"a":0.1}]`, `[{"a":1,"a":2}]`, `[{"":1}]`, `{"a":"\ud800"}`,
		"{\"a\":1}\n{\"b\":[[[]]]}", `[{"a":"\u0000"}]`,
		`[` + strings.Repeat(`[`, 20_000), `[{"a":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5000) + `}]`,
		`[{"a":[` + strings.Repeat(`{},`, 15_000) + `{"b":1}]}]`,
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, array bool) {
		u := upload(t, NDJSON, text)
		if array {
			u.Format = JSON
		}
		r, err := openJSON(context.Background(), u)
		forClient(t, err)
		if err != nil || !r.Few() {
			return
		}
		batch, err := r.Batch()
		forClient(t, err)
		if err != nil {
			return
		}
		defer batch.Release()
		if batch.NumRows() != r.rows {
			t.Fatalf("%d records became %d", r.rows, batch.NumRows())
		}
	})
}

func FuzzCSVHeader(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,2\n", "a;b", "\xef\xbb\xbfa\tb\n", "\"a\"\"b\",\"c\nd\"", `"a`, "", "\n\n", "a,a", "\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, d, err := readHeader(upload(t, CSV, text))
		forClient(t, err)
		if err == nil && (len(names) == 0 || d.comma == 0) {
			t.Fatalf("%q has the names %q by %q", text, names, d.comma)
		}
	})
}

func FuzzArrowEnd(f *testing.F) {
	for _, text := range []string{
		"", "\x00\x00\x00\x00", "\xff\xff\xff\xff\x00\x00\x00\x00", "\xff\xff\xff\xff\x10\x00\x00\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { forClient(t, checkEnd(upload(t, Arrow, text))) })
}
