package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// Object is an object, or a directory, whose key ends with a slash.
type Object struct {
	Key     string // below the prefix
	Size    int64  // bytes
	Changed time.Time
}

// partSize is how large the parts are in which large objects are moved, and parts how many of them at once.
const (
	partSize = 16 << 20
	parts    = 4
)

// Put stores an object, in place of one that has the key.
func (b *Bucket) Put(ctx context.Context, key string, data []byte) error {
	return b.putWhole(ctx, key, data, b.options())
}

// PutNew stores an object unless one has the key: then the error is ErrExists. An object with the same bytes is the one
// that an earlier attempt stored whose answer was lost.
func (b *Bucket) PutNew(ctx context.Context, key string, data []byte) error {
	o := b.options()
	o.SetMatchETagExcept("*")
	return b.putIf(ctx, key, data, o)
}

// PutOver stores an object in place of the one of that tag, as GetTagged has it. If another one is there by now, or
// none, the error is ErrExists.
func (b *Bucket) PutOver(ctx context.Context, key, tag string, data []byte) error {
	o := b.options()
	o.SetMatchETag(tag)
	err := b.putIf(ctx, key, data, o)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s was removed", ErrExists, key)
	}
	return err
}

// putIf stores an object on a condition.
func (b *Bucket) putIf(ctx context.Context, key string, data []byte, o minio.PutObjectOptions) error {
	// One limit for the attempts and for the look at what became of them.
	ctx, cancel := b.within(ctx, int64(len(data)))
	defer cancel()
	err := b.putWhole(ctx, key, data, o)
	if err == nil {
		return nil
	}
	// The answer to an attempt may have been lost after it was done.
	if there, err2 := b.Get(ctx, key); err2 == nil && bytes.Equal(there, data) {
		return nil
	}
	return err
}

// PutFile stores a file under a key of its own. One that is small is put as by PutNew; a large one goes in parts.
func (b *Bucket) PutFile(ctx context.Context, key, path string) error {
	return withFile(path, func(f *os.File, size int64) error {
		if size > partSize {
			return b.PutFrom(ctx, key, f, size)
		}
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		return b.PutNew(ctx, key, data)
	})
}

// Replace stores a file, in place of an object that has the key.
func (b *Bucket) Replace(ctx context.Context, key, path string) error {
	return withFile(path, func(f *os.File, size int64) error { return b.PutFrom(ctx, key, f, size) })
}

func withFile(path string, do func(f *os.File, size int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return do(f, info.Size())
}

// PutFrom stores so many bytes, in place of an object that has the key.
func (b *Bucket) PutFrom(ctx context.Context, key string, in io.Reader, size int64) error {
	return b.put(ctx, key, in, size, b.options())
}

func (b *Bucket) options() minio.PutObjectOptions {
	return minio.PutObjectOptions{
		ContentType: "application/octet-stream", ServerSideEncryption: b.sse, StorageClass: b.class,
		PartSize: partSize, NumThreads: parts,
	}
}

func (b *Bucket) put(ctx context.Context, key string, in io.Reader, size int64, o minio.PutObjectOptions) error {
	ctx, cancel := b.within(ctx, size)
	defer cancel()
	_, err := b.core.Client.PutObject(ctx, b.bucket, b.prefix+key, in, size, o)
	return b.told(ctx, err)
}

// putWhole puts an object that is in memory, in one request. Its checksum is part of what is signed, in place of one of
// each chunk that it would be sent in: that is less work for both sides.
func (b *Bucket) putWhole(ctx context.Context, key string, data []byte, o minio.PutObjectOptions) error {
	ctx, cancel := b.within(ctx, int64(len(data)))
	defer cancel()
	o.DisableContentSha256 = true
	sum := sha256.Sum256(data)
	_, err := b.core.PutObject(ctx, b.bucket, b.prefix+key, bytes.NewReader(data), int64(len(data)), "",
		hex.EncodeToString(sum[:]), o)
	return b.told(ctx, err)
}

// Get reads an object that is known to be small.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	data, _, err := b.GetTagged(ctx, key)
	return data, err
}

// GetTagged is Get with the object's tag, which another object in its place does not have.
func (b *Bucket) GetTagged(ctx context.Context, key string) (data []byte, tag string, err error) {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	err = b.retried(ctx, func() error {
		in, info, _, err := b.core.GetObject(ctx, b.bucket, b.prefix+key, minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer in.Close()
		tag = info.ETag
		data, err = io.ReadAll(in)
		return err
	})
	return data, tag, b.told(ctx, err)
}

// Read opens an object for reading from its beginning. An error while it is read may be for a moment only.
func (b *Bucket) Read(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	in, info, _, err := b.core.GetObject(ctx, b.bucket, b.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, 0, b.told(ctx, err)
	}
	return readOf{in, b, ctx}, info.Size, nil
}

// readOf is the body of an object, whose errors are the bucket's.
type readOf struct {
	io.ReadCloser
	bucket *Bucket
	ctx    context.Context
}

// Read reads.
func (r readOf) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.bucket.told(r.ctx, err)
	}
	return n, err
}

// rangeSize is how large the ranges are in which objects are fetched.
const rangeSize = 8 << 20

// Fetch copies an object of that size to out, in ranges that come beside each other. arrived, unless it is nil, is called
// for each range, in their order, as soon as it and those before it are there; its error is returned as it is.
func (b *Bucket) Fetch(
	ctx context.Context, key string, size int64, out io.WriterAt, arrived func(at, n int64) error,
) error {
	return b.fetch(ctx, key, "", size, out, arrived)
}

// FetchTagged is Fetch of an object while it has a tag, as Stat returns it. If another object is in its place by now,
// the error is ErrExists.
func (b *Bucket) FetchTagged(ctx context.Context, key, tag string, size int64, out io.WriterAt) error {
	return b.fetch(ctx, key, tag, size, out, nil)
}

func (b *Bucket) fetch(
	ctx context.Context, key, tag string, size int64, out io.WriterAt, arrived func(at, n int64) error,
) error {
	ctx, cancel := b.within(ctx, size)
	defer cancel()
	came := make([]chan struct{}, (size+rangeSize-1)/rangeSize)
	for i := range came {
		came[i] = make(chan struct{})
	}
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(1 + parts)
	if arrived != nil {
		g.Go(func() error { return inOrder(together, came, size, arrived) })
	}
	for i := 0; i < len(came) && together.Err() == nil; i++ {
		at, n := rangeOf(i, size)
		g.Go(func() error {
			err := b.retried(together, func() error { return b.fetchRange(together, key, tag, at, n, out) })
			if err == nil {
				close(came[i])
			}
			return err
		})
	}
	return b.told(ctx, g.Wait())
}

// rangeOf is where range i of an object of a size begins, and how long it is.
func rangeOf(i int, size int64) (at, n int64) {
	at = int64(i) * rangeSize
	return at, min(rangeSize, size-at)
}

// inOrder calls arrived for each range of an object of a size once its channel is closed, in their order.
func inOrder(ctx context.Context, came []chan struct{}, size int64, arrived func(at, n int64) error) error {
	for i := range came {
		select {
		case <-came[i]:
		case <-ctx.Done():
			return ctx.Err()
		}
		at, n := rangeOf(i, size)
		if err := arrived(at, n); err != nil {
			return ours{err}
		}
	}
	return nil
}

// ours is an error that says nothing of the store.
type ours struct{ error }

// Unwrap returns the error.
func (e ours) Unwrap() error { return e.error }

func (b *Bucket) fetchRange(ctx context.Context, key, tag string, at, size int64, out io.WriterAt) error {
	var o minio.GetObjectOptions
	if err := o.SetRange(at, at+size-1); err != nil {
		return err
	}
	if tag != "" {
		if err := o.SetMatchETag(tag); err != nil {
			return err
		}
	}
	in, info, _, err := b.core.GetObject(ctx, b.bucket, b.prefix+key, o)
	if err != nil {
		return err
	}
	defer in.Close()
	if tag != "" && info.ETag != tag { // of a store that does not know the condition
		return fmt.Errorf("%w: %s", ErrExists, key)
	}
	part := make([]byte, min(size, 256<<10))
	n, err := io.CopyBuffer(io.NewOffsetWriter(out, at), io.LimitReader(in, size), part)
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// retried repeats what failed for a moment: a body that was cut off, say. What the store answered was repeated before.
func (b *Bucket) retried(ctx context.Context, do func() error) (err error) {
	for n := range attempts {
		if err = do(); err == nil || ctx.Err() != nil || isAnswer(err) {
			return err
		}
		wait := time.NewTimer(50 * time.Millisecond << n)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
	}
	return err
}

// isAnswer reports whether an error is the store's own.
func isAnswer(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer)
}

// Size returns the size of an object, bytes.
func (b *Bucket) Size(ctx context.Context, key string) (int64, error) {
	size, _, err := b.Stat(ctx, key)
	return size, err
}

// Stat returns the size of an object, bytes, and its tag, which another object in its place does not have.
func (b *Bucket) Stat(ctx context.Context, key string) (size int64, tag string, err error) {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	info, err := b.core.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{})
	return info.Size, info.ETag, b.told(ctx, err)
}

// List yields the objects whose keys begin with prefix, in the order of their keys; if shallow, what lies below a
// directory is one entry, whose key ends with a slash.
func (b *Bucket) List(ctx context.Context, prefix string, shallow bool) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for info := range b.core.ListObjectsIter(ctx, b.bucket, minio.ListObjectsOptions{
			Prefix: b.prefix + prefix, Recursive: !shallow,
		}) {
			if info.Err != nil {
				yield(Object{}, b.told(ctx, info.Err))
				return
			}
			if !yield(Object{strings.TrimPrefix(info.Key, b.prefix), info.Size, info.LastModified}, nil) {
				return
			}
		}
	}
}

// Above returns the address of the nearest prefix above this one with an object of that name; empty: there is none, or
// the credentials do not reach beyond the prefix.
func (b *Bucket) Above(ctx context.Context, name string) (string, error) {
	for at := strings.TrimSuffix(b.prefix, "/"); at != ""; {
		at = at[:max(0, strings.LastIndexByte(at, '/'))]
		key := strings.TrimPrefix(at+"/"+name, "/")
		ctx, cancel := b.within(ctx, 0)
		_, err := b.core.StatObject(ctx, b.bucket, key, minio.StatObjectOptions{})
		answered := b.told(ctx, err)
		cancel()
		switch status := minio.ToErrorResponse(err).StatusCode; {
		case err == nil:
			return "s3://" + b.bucket + "/" + at, nil
		case status == http.StatusForbidden, errors.Is(answered, fs.ErrNotExist):
		default:
			return "", answered
		}
	}
	return "", nil
}

// Remove removes objects. It is not an error if there is none.
func (b *Bucket) Remove(ctx context.Context, keys ...string) error {
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(parts)
	for _, key := range keys {
		g.Go(func() error {
			ctx, cancel := b.within(together, 0)
			defer cancel()
			return b.told(ctx, b.core.RemoveObject(ctx, b.bucket, b.prefix+key, minio.RemoveObjectOptions{}))
		})
	}
	return g.Wait()
}

// Copy copies an object within the store.
func (b *Bucket) Copy(ctx context.Context, from, to string, size int64) error {
	ctx, cancel := b.within(ctx, size)
	defer cancel()
	_, err := b.core.Client.ComposeObject(ctx,
		minio.CopyDestOptions{Bucket: b.bucket, Object: b.prefix + to, Encryption: b.sse},
		minio.CopySrcOptions{Bucket: b.bucket, Object: b.prefix + from})
	return b.told(ctx, err)
}

// Abandon removes the parts of uploads below a key that did not come to their end.
func (b *Bucket) Abandon(ctx context.Context, key string) error {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	for upload := range b.core.ListIncompleteUploads(ctx, b.bucket, b.prefix+key, true) {
		if upload.Err != nil {
			return b.told(ctx, upload.Err)
		}
		if err := b.core.RemoveIncompleteUpload(ctx, b.bucket, upload.Key); err != nil {
			return b.told(ctx, err)
		}
	}
	return nil
}
