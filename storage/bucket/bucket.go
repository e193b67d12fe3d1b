// Package bucket is the only door to an object store that speaks S3. It puts, gets, lists and removes objects below a
// prefix of a bucket, retries what failed for a moment, and ends each request in time, also where the network is
// silent. It knows nothing of what the objects mean. Its errors are few: an object that is not there is fs.ErrNotExist,
// one that must not be replaced ErrExists, and a store that can't be asked ErrAway, after which it is not known whether
// the last request was done. TestObjects and TestFaults prove it against a real server.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

// Options say where the objects are and how they are kept.
type Options struct {
	URL          string            // s3://bucket/prefix
	Endpoint     string            // URL of the server; empty: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else Amazon's
	Region       string            // empty: AWS_REGION, else us-east-1
	Encryption   string            // by the server: AES256, aws:kms or aws:kms:<key>; empty: as the bucket says
	StorageClass string            // empty: the bucket's default
	Timeout      time.Duration     // of a request without its body, its retries included; 0: 10 seconds
	Transport    http.RoundTripper // for tests; nil: one that notices silence
}

// Errors that a caller acts on.
var (
	// ErrAway is returned where the store could not be asked, or refused for now. It is not known whether the request
	// was done.
	ErrAway = errors.New("the object store does not answer")
	// ErrFull is an ErrAway of a store that takes no more: its disk or the bucket's quota is used up.
	ErrFull = error(full{})
	// ErrExists is returned by PutNew where another object has the key.
	ErrExists = errors.New("the object exists")
	// ErrURL is returned for an address that is not one of a bucket.
	ErrURL = errors.New("not the address of a bucket; write it as s3://bucket/prefix")
)

// full is ErrFull.
type full struct{}

func (full) Error() string { return "the object store is full" }

// Unwrap returns ErrAway.
func (full) Unwrap() error { return ErrAway }

// noBucket is an ErrAway of a store that answers and does not have the bucket, perhaps not yet.
type noBucket struct{}

func (noBucket) Error() string { return "the bucket does not exist. Make it, or name another one" }

// Unwrap returns ErrAway.
func (noBucket) Unwrap() error { return ErrAway }

// Bucket is a prefix of a bucket. Its methods may be called from many goroutines.
type Bucket struct {
	core    minio.Core
	bucket  string
	prefix  string // empty, or with a slash at its end
	timeout time.Duration
	sse     encrypt.ServerSide
	class   string
	url     string
}

// attempts is how often a request is made before it has failed.
const attempts = 4

// Open returns the bucket of an address. It asks nothing of the store. Credentials come from the environment, from the
// file that AWS_SHARED_CREDENTIALS_FILE names, or from the role of the machine.
func Open(o Options) (*Bucket, error) {
	name, prefix, err := Parse(o.URL)
	if err != nil {
		return nil, err
	}
	host, secure, err := endpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	b := &Bucket{bucket: name, prefix: prefix, timeout: o.Timeout, class: o.StorageClass, url: o.URL}
	if b.timeout == 0 {
		b.timeout = 10 * time.Second
	}
	if b.sse, err = encryption(o.Encryption); err != nil {
		return nil, err
	}
	if o.Transport == nil {
		o.Transport = transport(b.timeout)
	}
	client, err := minio.New(host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}),
		Secure: secure, Region: firstOf(o.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1"),
		Transport: o.Transport, MaxRetries: attempts,
	})
	if err != nil {
		return nil, err
	}
	b.core = minio.Core{Client: client}
	return b, nil
}

// URL returns the address of the bucket, as it was given.
func (b *Bucket) URL() string { return b.url }

// Address returns the URI of an object.
func (b *Bucket) Address(key string) string { return "s3://" + b.bucket + "/" + b.prefix + key }

// Overlaps reports whether an object can be in both: they are in the same bucket of the same server, and the prefix of
// one begins that of the other.
func (b *Bucket) Overlaps(other *Bucket) bool {
	return b.bucket == other.bucket && b.core.EndpointURL().Host == other.core.EndpointURL().Host &&
		(strings.HasPrefix(b.prefix, other.prefix) || strings.HasPrefix(other.prefix, b.prefix))
}

// Is reports whether a place is the address of a bucket, and not a path.
func Is(place string) bool { return strings.HasPrefix(place, "s3://") }

// Parse splits the address of a bucket. It never repeats the address in an error: it may have a secret in it.
func Parse(address string) (bucket, prefix string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", "", ErrURL
	}
	prefix = strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return u.Host, prefix, nil
}

// endpoint returns the host of a server, and whether it is asked by HTTPS.
func endpoint(given string) (host string, secure bool, err error) {
	given = firstOf(given, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), "https://s3.amazonaws.com")
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, errors.New("the endpoint of the object store is not a URL; write it as https://host:port")
	}
	return u.Host, u.Scheme == "https", nil
}

// encryption returns how the server is asked to encrypt what it keeps.
func encryption(how string) (encrypt.ServerSide, error) {
	kind, key, _ := strings.Cut(strings.TrimPrefix(how, "aws:"), ":")
	switch {
	case how == "":
		return nil, nil
	case how == "AES256":
		return encrypt.NewSSE(), nil
	case strings.HasPrefix(how, "aws:") && kind == "kms":
		return encrypt.NewSSEKMS(key, nil)
	}
	return nil, errors.New("the encryption of objects is not known; it may be AES256, aws:kms or aws:kms:<key>")
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// Answers reports why the store can't be asked now; nil if it can.
func (b *Bucket) Answers(ctx context.Context) error {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	there, err := b.core.BucketExists(ctx, b.bucket)
	if err == nil && !there {
		err = noBucket{}
	}
	return b.told(ctx, err)
}

// perSecond is how fast a body must be, at the least, in bytes a second.
const perSecond = 1 << 20

// within limits the time of a request that moves so many bytes.
func (b *Bucket) within(ctx context.Context, bytes int64) (context.Context, context.CancelFunc) {
	limit := b.timeout + time.Duration(bytes/perSecond)*time.Second
	return context.WithTimeoutCause(ctx, limit, errSilent)
}

var errSilent = fmt.Errorf("%w in time", ErrAway)

// told returns the error that a caller acts on.
func (b *Bucket) told(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrAway) {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if own := (ours{}); errors.As(err, &own) {
		return own.error
	}
	// The file that an object is fetched to, on a full disk for instance, says nothing of the store.
	if local := (*fs.PathError)(nil); errors.As(err, &local) && local.Op == "write" {
		return err
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	switch {
	case answer.Code == "NoSuchBucket":
		return noBucket{}
	case answer.StatusCode == http.StatusNotFound || answer.Code == minio.NoSuchKey:
		return fmt.Errorf("%w: %s", fs.ErrNotExist, answer.Key)
	case answer.StatusCode == http.StatusPreconditionFailed || answer.StatusCode == http.StatusConflict:
		return fmt.Errorf("%w: %s", ErrExists, answer.Key)
	case answer.StatusCode == http.StatusInsufficientStorage || strings.Contains(answer.Code, "QuotaExceeded") ||
		strings.Contains(answer.Code, "StorageFull"):
		return fmt.Errorf("%w (%s)", ErrFull, firstOf(answer.Code, answer.Message))
	case answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: it refuses the server's credentials (%s)", ErrAway, answer.Code)
	}
	return fmt.Errorf("%w: %s (%d)", ErrAway, firstOf(answer.Code, answer.Message), answer.StatusCode)
}
