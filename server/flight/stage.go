package flight

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/view"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// run stages the records of a stream and makes the change with them: exactly once, if the call has an idempotency-key.
// It happens completely or not at all, whether the client waits for the answer or not.
func (f *Face) run(stream *putStream, w write) (v view.Commit, err error) {
	upload, sum, err := f.stage(stream, f.options.Limits.MaxUpload)
	if err != nil {
		return v, err
	}
	defer upload.Remove()
	base := calls.Carry(f.base, writing(stream.Context()))
	ctx, cancel := context.WithTimeout(base, f.options.Limits.QueryTimeout)
	defer cancel()
	call := calls.Call[catalog.Commit]{
		Request: w.request, Key: headerOf(stream.Context(), "idempotency-key"), Tell: commitAnswer,
		Fingerprint: calls.Fingerprint("DoPut %d\n%s\n%s", w.project, sum, w.command),
		Do: func(ctx context.Context, r storage.Request) (catalog.Commit, error) {
			return w.do(ctx, storage.Change{Request: r, Upload: upload.Upload})
		},
	}
	call.Request.User = userOf(stream.Context())
	kept, _, err := calls.Now(ctx, f.store, call)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(kept, &v)
}

// stage writes the records of a stream to a file, unchanged as an Arrow IPC stream, and returns it with its
// SHA-256. The messages are decoded later, in a process that may crash on them.
func (f *Face) stage(stream *putStream, most int64) (u calls.Upload, sum string, err error) {
	w := &ipcFile{sum: sha256.New(), most: most}
	u, err = calls.Stage(f.store, intake.Arrow, func(out io.Writer) (int64, error) {
		w.out = bufio.NewWriterSize(out, 1<<20)
		err := w.take(stream)
		if err == nil {
			err = w.end()
		}
		return w.size, err
	})
	return u, hex.EncodeToString(w.sum.Sum(nil)), err
}

// ipcFile writes the messages of a stream as an encapsulated IPC stream.
type ipcFile struct {
	out  *bufio.Writer
	sum  hash.Hash
	size int64
	most int64
}

// continuation begins each message; a length of 0 after it ends the stream.
var continuation = []byte{0xff, 0xff, 0xff, 0xff}

func (w *ipcFile) take(stream *putStream) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return incomplete(err)
		}
		if len(m.GetDataHeader()) == 0 {
			continue // it has only metadata for us
		}
		if err := w.message(m.GetDataHeader(), m.GetDataBody()); err != nil {
			return err
		}
		if w.size > w.most {
			return errTooLarge.Sayf("The records are larger than %d bytes (--max-upload). Send them in parts.", w.most)
		}
	}
}

// message writes a message: its header, padded to a multiple of eight bytes, and its body.
func (w *ipcFile) message(header, body []byte) error {
	padding := make([]byte, (8-len(header)%8)%8)
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(header)+len(padding)))
	return w.write(continuation, length, header, padding, body)
}

func (w *ipcFile) write(parts ...[]byte) error {
	for _, p := range parts {
		n, err := w.out.Write(p)
		w.size += int64(n)
		if err != nil {
			return err
		}
		w.sum.Write(p)
	}
	return nil
}

// end marks the stream as complete.
func (w *ipcFile) end() error {
	if w.size == 0 {
		return malformed("The stream has no schema. Begin with one, as a record writer does.")
	}
	return errors.Join(w.write(continuation, make([]byte, 4)), w.out.Flush())
}
