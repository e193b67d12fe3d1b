package bucket

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/minio/minio-go/v7"
)

// Stream opens an object for reading from its beginning to its end. Where the body is cut off, it goes on from there,
// unless the object was replaced meanwhile.
func (b *Bucket) Stream(ctx context.Context, key string) (io.ReadCloser, error) {
	s := &stream{bucket: b, ctx: ctx, key: key}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// stream is an object that is being read.
type stream struct {
	bucket *Bucket
	ctx    context.Context
	key    string
	etag   string
	body   io.ReadCloser
	at     int64 // how many bytes were read
	size   int64
	failed int // attempts in vain, since the last byte that came
}

func (s *stream) open() error {
	var o minio.GetObjectOptions
	if s.at > 0 {
		if err := errors.Join(o.SetRange(s.at, 0), o.SetMatchETag(s.etag)); err != nil {
			return err
		}
	}
	body, info, _, err := s.bucket.core.GetObject(s.ctx, s.bucket.bucket, s.bucket.prefix+s.key, o)
	if err != nil {
		return s.bucket.told(s.ctx, err)
	}
	if s.at == 0 {
		s.etag, s.size = info.ETag, info.Size
	}
	s.body = body
	return nil
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := 0, error(nil)
		if s.body == nil && s.at == s.size { // only the end of the body did not come
			return 0, io.EOF
		} else if s.body == nil {
			err = s.open()
		} else if n, err = s.body.Read(p); errors.Is(err, io.EOF) && s.at+int64(n) < s.size {
			err = io.ErrUnexpectedEOF
		}
		if s.at += int64(n); n > 0 {
			s.failed = 0
		}
		switch {
		case err == nil && n == 0 && len(p) > 0:
			continue
		case err == nil || errors.Is(err, io.EOF):
			return n, err
		case s.failed == attempts || s.ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrExists):
			return n, s.bucket.told(s.ctx, err)
		}
		s.again()
		if n > 0 {
			return n, nil
		}
	}
}

// again gives up the body, and waits before the next one is asked for.
func (s *stream) again() {
	_ = s.Close() // it has failed
	s.body = nil
	s.failed++
	wait := time.NewTimer(50 * time.Millisecond << s.failed)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-s.ctx.Done():
	}
}

// Close implements io.Closer.
func (s *stream) Close() error {
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}
