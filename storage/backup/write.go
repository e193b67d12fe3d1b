package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/seal"
)

// Writer writes a backup to a locked target.
type Writer struct {
	target *Target
	have   map[string]int64 // sizes, by SHA-256
	batch  []blob.Placing   // written, without their names yet
	bytes  int64            // in the batch

	Copied      int // objects that the target did not have
	CopiedBytes int64
}

// How much is written before it is synced: small files are synced together.
const (
	batchFiles = 64
	batchBytes = 64 << 20
)

// NewWriter begins a backup. With again, everything is written again, as if the target had nothing.
func (t *Target) NewWriter(ctx context.Context, again bool) (*Writer, error) {
	w := &Writer{target: t, have: map[string]int64{}}
	if err := t.place.clear(ctx); err != nil || again {
		return w, err
	}
	return w, t.eachObject(ctx, func(o Object) error { w.have[o.SHA256] = o.Size; return nil })
}

// eachObject lists the objects of a target, by name. What is not one is left out.
func (t *Target) eachObject(ctx context.Context, f func(o Object) error) error {
	for e, err := range t.place.list(ctx, objectsDir) {
		if err != nil {
			return err
		}
		o := Object{e.Size, path.Base(e.Name)}
		if !o.isValid() || o.place() != e.Name {
			continue
		}
		if err := f(o); err != nil {
			return err
		}
	}
	return nil
}

// Has reports whether the target has an object, by its name and size.
func (w *Writer) Has(o Object) bool {
	size, ok := w.have[o.SHA256]
	return ok && size == o.Size
}

// Add copies an object to the target, and returns what it is. If it is not what it should be, it is not added, and the
// error is ErrDamaged. An empty one may be anything.
func (w *Writer) Add(ctx context.Context, from io.Reader, should Object) (o Object, err error) {
	d, err := w.target.place.draft()
	if err != nil {
		return o, err
	}
	defer func() {
		if d != nil {
			d.Discard()
		}
	}()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(d, sum), &until{ctx, from})
	if err != nil {
		return o, err
	}
	o = object(n, sum)
	switch {
	case should.SHA256 != "" && o != should:
		return o, ErrDamaged
	case w.Has(o):
		return o, nil
	}
	w.batch, w.bytes = append(w.batch, blob.Placing{Draft: d, Name: o.place()}), w.bytes+n
	d = nil
	w.have[o.SHA256] = o.Size
	w.Copied, w.CopiedBytes = w.Copied+1, w.CopiedBytes+n
	if len(w.batch) < batchFiles && w.bytes < batchBytes {
		return o, nil
	}
	return o, w.flush(ctx)
}

func object(size int64, sum hash.Hash) Object { return Object{size, hex.EncodeToString(sum.Sum(nil))} }

// until is a reader that ends with a context.
type until struct {
	ctx  context.Context
	from io.Reader
}

// Read implements io.Reader.
func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.from.Read(p)
}

// flush gives what was written its names.
func (w *Writer) flush(ctx context.Context) error {
	batch := w.batch
	w.batch, w.bytes = nil, 0
	err := w.target.held.check(ctx)
	if err == nil {
		err = w.target.place.put(ctx, batch...)
	}
	if err != nil {
		for _, p := range batch {
			p.Discard()
		}
	}
	return err
}

// Discard gives up what has no name yet. What has one is of use to the next backup.
func (w *Writer) Discard() {
	for _, p := range w.batch {
		p.Discard()
	}
	w.batch = nil
}

// AddList adds the list of a backup's objects.
func (w *Writer) AddList(ctx context.Context, entries []Entry) (Object, error) {
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	r, pipe := io.Pipe()
	defer r.Close()
	go func() { pipe.CloseWithError(encode(pipe, entries)) }()
	return w.Add(ctx, r, Object{})
}

func encode(to io.Writer, entries []Entry) error {
	buffer := bufio.NewWriterSize(to, 1<<16)
	zip := gzip.NewWriter(buffer)
	lines := json.NewEncoder(zip)
	for _, e := range entries {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	return errors.Join(zip.Close(), buffer.Flush())
}

// Settle makes everything durable that was added. After it, a manifest may name it.
func (w *Writer) Settle(ctx context.Context) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.target.place.settle()
}

// Finish writes the manifest: from then on the backup is one. Where the lock was lost around that, a pruning may have
// removed what the backup needs, and it is taken back.
func (w *Writer) Finish(ctx context.Context, m *Manifest) error {
	m.FormatVersion, m.Copied, m.CopiedBytes = formatVersion, w.Copied, w.CopiedBytes
	text, err := seal.Text(m)
	if err != nil {
		return err
	}
	t := w.target
	if err := t.held.confirm(ctx); err != nil {
		return err
	}
	if err := t.place.create(ctx, manifestPlace(m.ID), text); err != nil {
		return err
	}
	if err := t.held.confirm(ctx); errors.Is(err, ErrInUse) {
		return errors.Join(err, t.place.remove(ctx, manifestPlace(m.ID)))
	}
	return nil
}
