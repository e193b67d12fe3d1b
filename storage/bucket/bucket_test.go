package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// file is memory to fetch to.
type file []byte

func (f file) WriteAt(p []byte, at int64) (int, error) { return copy(f[at:], p), nil }

func randomBytes(n int) []byte {
	out := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(out) // it never fails
	return out
}

func TestObjects(t *testing.T) {
	ctx := t.Context()
	b, _ := buckettest.Start(t).Open(t, "some/prefix")
	if err := errors.Join(b.Put(ctx, "d/1/a", []byte("one")), b.Put(ctx, "d/1/a", []byte("two"))); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Get(ctx, "d/1/a"); string(got) != "two" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := b.Get(ctx, "d/1/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing object: %v", err)
	}
	if _, err := b.Size(ctx, "d/1/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the size of a missing object: %v", err)
	}
	if err := b.PutNew(ctx, "d/1/a", []byte("three")); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("PutNew over an object: %v", err)
	}
	_, tag, err := b.GetTagged(ctx, "d/1/a")
	if err != nil || tag == "" {
		t.Errorf("the tag %q, %v", tag, err)
	}
	if err := b.PutOver(ctx, "d/1/a", tag, []byte("four")); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"d/1/a", "d/1/b"} { // another object by now, and none
		if err := b.PutOver(ctx, key, tag, []byte("five")); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("PutOver of %s, which is not the one of the tag: %v", key, err)
		}
	}
	if got, err := b.Get(ctx, "d/1/a"); string(got) != "four" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := errors.Join(b.PutNew(ctx, "d/2/a", nil), b.Copy(ctx, "d/1/a", "e/a", 4)); err != nil {
		t.Error(err)
	}
	for prefix, want := range map[string]string{"": "d/ e/", "d/": "d/1/ d/2/", "e/": "e/a", "f/": ""} {
		if got := list(t, b, prefix, true); got != want {
			t.Errorf("below %q: %s, want %s", prefix, got, want)
		}
	}
	if got := list(t, b, "d/", false); got != "d/1/a d/2/a" {
		t.Error(got)
	}
	if err := errors.Join(b.Remove(ctx, "d/1/a", "e/a", "none"), b.Remove(ctx)); err != nil {
		t.Error(err)
	}
	if got := list(t, b, "", false); got != "d/2/a" {
		t.Error(got)
	}
}

func list(t *testing.T, b *bucket.Bucket, prefix string, shallow bool) string {
	t.Helper()
	var keys []string
	for o, err := range b.List(t.Context(), prefix, shallow) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return strings.Join(keys, " ")
}

// A file that is larger than one part goes and comes in several, also if some of them fail at first.
func TestLargeFiles(t *testing.T) {
	ctx := t.Context()
	b, wire := buckettest.Start(t).Open(t, "p")
	data := randomBytes(40 << 20)
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	wire.Break("PUT", buckettest.Busy, 1)
	wire.Break("PUT", buckettest.Lost, 1)
	if err := b.PutFile(ctx, "large", path); err != nil {
		t.Fatal(err)
	}
	wire.Took()
	wire.Break("GET", buckettest.Cut, 1)
	wire.Break("GET", buckettest.Refused, 1)
	got := make(file, len(data))
	var arrived []byte
	inOrder := func(at, n int64) error {
		if at != int64(len(arrived)) {
			t.Errorf("what begins at %d arrived after %d bytes", at, len(arrived))
		}
		arrived = append(arrived, got[at:at+n]...)
		return nil
	}
	if err := b.Fetch(ctx, "large", int64(len(data)), got, inOrder); err != nil || !bytes.Equal(got, data) {
		t.Errorf("fetched: %v, equal: %v", err, bytes.Equal(got, data))
	}
	if !bytes.Equal(arrived, data) {
		t.Error("what arrived is not the object")
	}
	if n := len(wire.Took()); n < 4 {
		t.Errorf("%d requests fetched it", n)
	}
	// A full disk here is not taken for a store that is away.
	err := b.Fetch(ctx, "large", int64(len(data)), fullDisk{}, nil)
	if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, bucket.ErrAway) {
		t.Errorf("fetched to a full disk: %v", err)
	}
	// So is what fails with what has arrived.
	broken := &fs.PathError{Op: "read", Path: "copy", Err: syscall.EIO}
	err = b.Fetch(ctx, "large", int64(len(data)), got, func(int64, int64) error { return broken })
	if !errors.Is(err, syscall.EIO) || errors.Is(err, bucket.ErrAway) {
		t.Errorf("what arrived could not be taken: %v", err)
	}
}

// fullDisk is a file on one.
type fullDisk struct{}

func (fullDisk) WriteAt([]byte, int64) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "copy", Err: syscall.ENOSPC}
}

// An answer that is lost after the work was done is not taken for a conflict with someone else.
func TestFaults(t *testing.T) {
	ctx := t.Context()
	b, wire := buckettest.Start(t).Open(t, "p")
	for _, how := range []string{buckettest.Lost, buckettest.Failed, buckettest.Busy, buckettest.Refused} {
		wire.Break("PUT", how, 2)
		if err := b.PutNew(ctx, how, []byte(how)); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if got, err := b.Get(ctx, how); string(got) != how || err != nil {
			t.Errorf("%s: %q, %v", how, got, err)
		}
	}
	wire.Break("GET", buckettest.Cut, 2)
	if got, err := b.Get(ctx, buckettest.Busy); string(got) != buckettest.Busy || err != nil {
		t.Errorf("a cut answer: %q, %v", got, err)
	}
	wire.Down(true)
	for what, err := range map[string]error{
		"put": b.Put(ctx, "x", nil), "answers": b.Answers(ctx), "remove": b.Remove(ctx, "x"),
	} {
		if !errors.Is(err, bucket.ErrAway) {
			t.Errorf("%s, while the store is away: %v", what, err)
		}
	}
	wire.Down(false)
	if err := b.Answers(ctx); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Get(ended, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A server that accepts connections and says nothing ends no later than the time limit.
func TestSilenceEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }() // until the other side gives up
		}
	}()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	o := bucket.Options{URL: "s3://b/p", Endpoint: "http://" + l.Addr().String(), Timeout: 300 * time.Millisecond}
	b, err := bucket.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), "x"); !errors.Is(err, bucket.ErrAway) {
		t.Errorf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string][2]string{
		"s3://b": {"b", ""}, "s3://b/": {"b", ""}, "s3://b/p/q/": {"b", "p/q/"},
	} {
		name, prefix, err := bucket.Parse(address)
		if err != nil || name != want[0] || prefix != want[1] {
			t.Errorf("%s: %q, %q, %v", address, name, prefix, err)
		}
	}
	for _, address := range []string{
		"", "b", "http://b/p", "s3:///p", "s3://key:secret@b/p", "s3://b/p?x=secret", "s3://%zz",
	} {
		_, _, err := bucket.Parse(address)
		if !errors.Is(err, bucket.ErrURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, how := range []string{"AES128", "aws:", "kms", "aws:kmskey"} {
		if _, err := bucket.Open(bucket.Options{URL: "s3://b", Encryption: how}); err == nil {
			t.Errorf("encryption %q is accepted", how)
		}
	}
	for _, how := range []string{"", "AES256", "aws:kms", "aws:kms:arn:aws:kms:eu-west-1:1:key/2"} {
		if _, err := bucket.Open(bucket.Options{URL: "s3://b", Encryption: how}); err != nil {
			t.Errorf("encryption %q: %v", how, err)
		}
	}
}

// asked keeps the last request, and answers as if it was done.
type asked struct{ header http.Header }

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.header = r.Header
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"x"`}}, Body: http.NoBody, Request: r,
	}, nil
}

// Every object is put with the encryption and the storage class that were asked for.
func TestHowObjectsAreKept(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	wire := &asked{}
	b, err := bucket.Open(bucket.Options{
		URL: "s3://bbb/p", Endpoint: "http://127.0.0.1:1", Encryption: "aws:kms:some-key", StorageClass: "STANDARD_IA",
		Transport: wire,
	})
	if err == nil {
		err = b.PutNew(t.Context(), "x", []byte("y"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "some-key",
		"X-Amz-Storage-Class": "STANDARD_IA", "If-None-Match": "*",
	} {
		if got := wire.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// No error has a credential in it.
func TestErrorsHaveNoCredentials(t *testing.T) {
	s := buckettest.Start(t)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-9c1e")
	b, err := bucket.Open(s.Options("p"))
	if err != nil {
		t.Fatal(err)
	}
	_, errGet := b.Get(t.Context(), "x")
	for _, err := range []error{b.Answers(t.Context()), b.Put(t.Context(), "x", nil), errGet} {
		if !errors.Is(err, bucket.ErrAway) {
			t.Errorf("got %v", err)
			continue
		}
		has := func(secret string) bool { return strings.Contains(err.Error(), secret) }
		if slices.ContainsFunc([]string{"wrong-secret", buckettest.AccessKey, buckettest.SecretKey}, has) {
			t.Errorf("a credential is in %q", err)
		}
	}
}
