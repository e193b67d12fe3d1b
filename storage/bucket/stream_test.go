package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// A body that is cut off again and again is read to its end, but never goes on with another object of that key.
func TestAStreamGoesOnWhereItWasCutOff(t *testing.T) {
	ctx := t.Context()
	b, wire := buckettest.Start(t).Open(t, "p")
	content := randomBytes(300_000)
	if err := b.Put(ctx, "a", content); err != nil {
		t.Fatal(err)
	}
	wire.Break("GET /store/p/a", buckettest.Cut, 3)
	in, err := b.Stream(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes of %d, %v", len(got), len(content), err)
	}
	wire.Break("GET /store/p/a", buckettest.Cut, 1)
	if in, err = b.Stream(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := b.Put(ctx, "a", randomBytes(299_999)); err != nil {
		t.Fatal(err)
	}
	if got, err = io.ReadAll(in); err == nil {
		t.Errorf("read %d bytes of two objects", len(got))
	}
	wire.Down(true)
	if _, err := b.Stream(ctx, "a"); !errors.Is(err, bucket.ErrAway) {
		t.Errorf("of a bucket that is away: %v", err)
	}
}

// answering answers every request in one way.
type answering struct {
	status int
	code   string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	body := "<Error><Code>" + a.code + "</Code></Error>"
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {"application/xml"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// A bucket that takes no more is told apart from one that refuses.
func TestABucketThatIsFull(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "y")
	for _, c := range []struct {
		answering
		isFull bool
	}{
		{answering{http.StatusInsufficientStorage, "XMinioStorageFull"}, true},
		{answering{http.StatusBadRequest, "XMinioAdminBucketQuotaExceeded"}, true},
		{answering{http.StatusForbidden, "QuotaExceeded"}, true},
		{answering{http.StatusForbidden, "AccessDenied"}, false},
	} {
		b, err := bucket.Open(bucket.Options{URL: "s3://some/y", Endpoint: "http://127.0.0.1:1", Transport: c.answering})
		if err != nil {
			t.Fatal(err)
		}
		err = b.Put(t.Context(), "k", []byte("v"))
		if !errors.Is(err, bucket.ErrAway) || errors.Is(err, bucket.ErrFull) != c.isFull {
			t.Errorf("%s: %v", c.code, err)
		}
	}
}

func TestBucketsOverlap(t *testing.T) {
	open := func(url, endpoint string) *bucket.Bucket {
		b, err := bucket.Open(bucket.Options{URL: url, Endpoint: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const here = "http://here:9000"
	own := open("s3://b/p/q", here)
	for url, want := range map[string]bool{
		"s3://b": true, "s3://b/p": true, "s3://b/p/q/": true, "s3://b/p/q/r": true,
		"s3://b/p/q2": false, "s3://b/p/r": false, "s3://c/p/q": false,
	} {
		if other := open(url, here); own.Overlaps(other) != want || other.Overlaps(own) != want {
			t.Errorf("%s: it is not %v", url, want)
		}
	}
	if own.Overlaps(open("s3://b/p/q", "http://there:9000")) {
		t.Error("buckets of two servers overlap")
	}
}
