package bucket

import (
	"context"
	"io"

	"github.com/minio/minio-go/v7"
)

// PartSize is how large the parts are of an object that is put in parts, but for the last.
const PartSize = partSize

// Parts is an object that is put part by part, each as soon as it is known. It is there once Complete has returned, in
// place of one that has the key, or not at all.
type Parts struct {
	bucket *Bucket
	key    string
	upload string // its id
	size   int64
	done   []*minio.CompletePart
}

// Begin begins an object that is put in parts.
func (b *Bucket) Begin(ctx context.Context, key string) (*Parts, error) {
	ctx, cancel := b.within(ctx, 0)
	defer cancel()
	id, err := b.core.NewMultipartUpload(ctx, b.bucket, b.prefix+key, b.options())
	return &Parts{bucket: b, key: key, upload: id}, b.told(ctx, err)
}

// Add makes room for the next part, and returns the function that puts it. These functions may run at the same time.
func (p *Parts) Add(in io.ReaderAt, at, size int64) (put func(context.Context) error) {
	n := len(p.done)
	done := &minio.CompletePart{PartNumber: n + 1}
	p.done = append(p.done, done)
	p.size += size
	return func(ctx context.Context) error {
		ctx, cancel := p.bucket.within(ctx, size)
		defer cancel()
		part, err := p.bucket.core.PutObjectPart(ctx, p.bucket.bucket, p.bucket.prefix+p.key, p.upload, n+1,
			io.NewSectionReader(in, at, size), size, minio.PutObjectPartOptions{SSE: p.bucket.sse})
		done.ETag = part.ETag
		return p.bucket.told(ctx, err)
	}
}

// Complete makes the parts an object, once all are put.
func (p *Parts) Complete(ctx context.Context) error {
	within, cancel := p.bucket.within(ctx, p.size)
	defer cancel()
	parts := make([]minio.CompletePart, len(p.done))
	for i, part := range p.done {
		parts[i] = *part
	}
	_, err := p.bucket.core.CompleteMultipartUpload(within, p.bucket.bucket, p.bucket.prefix+p.key, p.upload,
		parts, minio.PutObjectOptions{})
	if err = p.bucket.told(within, err); err == nil {
		return nil
	}
	// The answer may have been lost after it was done.
	if size, err2 := p.bucket.Size(ctx, p.key); err2 == nil && size == p.size {
		return nil
	}
	return err
}

// Abort removes the parts.
func (p *Parts) Abort(ctx context.Context) error {
	ctx, cancel := p.bucket.within(ctx, 0)
	defer cancel()
	return p.bucket.told(ctx, p.bucket.core.AbortMultipartUpload(ctx, p.bucket.bucket, p.bucket.prefix+p.key, p.upload))
}
