package intake

import (
	"bytes"
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/duck"
)

// Rewrite makes a reader process decode a small Arrow stream from a client and encode it again, so that it is safe to
// decode in the server. The result has at most most bytes.
func Rewrite(ctx context.Context, conn *duck.Conn, u Upload, most int64) ([]byte, error) {
	r := &remote{ctx: ctx, conn: conn, upload: u}
	out, err := r.call(ctx, call{Rewrite: &u, Most: most})
	return out.Stream, err
}

// errLong refuses a stream that is too long when it is encoded again.
var errLong = &Error{Detail: "the Arrow stream has too many bytes", Large: true}

// bounded is a buffer that refuses more than most bytes.
type bounded struct {
	bytes.Buffer
	most int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(b.Len()+len(p)) > b.most {
		return 0, errLong
	}
	return b.Buffer.Write(p)
}

// rewrite decodes a stream and encodes it again, in the process that may crash on it. What comes out has been validated
// batch by batch.
func rewrite(u Upload, most int64) ([]byte, error) {
	in, err := (&arrowRecords{path: u.Path, size: u.Size}).open()
	if err != nil {
		return nil, err
	}
	defer in.Release()
	out := &bounded{most: most}
	w := ipc.NewWriter(out, ipc.WithSchema(in.Schema()))
	for in.Next() {
		if err := w.Write(in.RecordBatch()); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(in.Err(), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
