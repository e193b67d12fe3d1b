package calls

import (
	"errors"
	"io"
	"os"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// Upload is a body that came with a request: a file in staging, or in memory. Whoever has it removes it once, when its
// call has ended. The store reads it and never removes it: a request may be refused after that, and sent again with the
// same body.
type Upload struct{ intake.Upload }

// Stage has write fill a new file in staging, and return its size. An Excel workbook is recognized, whatever the format
// is said to be. If that fails, nothing is left of the file.
func Stage(
	store *storage.Store, format intake.Format, write func(io.Writer) (size int64, err error),
) (u Upload, err error) {
	u = Upload{intake.Upload{Format: format, Path: store.Scratch("upload")}}
	out, err := store.CreateStaged(u.Path)
	if err != nil {
		return u, err
	}
	u.Size, err = write(out)
	// Closing may fail too, on a full disk.
	if err = errors.Join(err, out.Close()); err == nil {
		u.Format, err = intake.Recognize(u.Upload)
	}
	if err != nil {
		u.Remove()
	}
	return u, err
}

// Receive is Stage for a body that stays in memory if it is small.
func Receive(
	store *storage.Store, format intake.Format, write func(io.Writer) (size int64, err error),
) (u Upload, err error) {
	in := &body{store: store, path: store.Scratch("upload")}
	u = Upload{intake.Upload{Format: format, Path: in.path}}
	u.Size, err = write(in)
	if err = errors.Join(err, in.close()); err == nil {
		if in.file == nil {
			u.Body = in.small
		}
		u.Format, err = intake.Recognize(u.Upload)
	}
	if err != nil {
		u.Remove()
	}
	return u, err
}

// body is a body as it comes in: in memory up to the size of a small upload, and from there on in a file in staging.
type body struct {
	store *storage.Store
	path  string
	small []byte
	file  *storage.Staged // nil: it is small so far
}

func (b *body) Write(p []byte) (n int, err error) {
	if b.file == nil && len(b.small)+len(p) <= intake.Tiny {
		b.small = append(b.small, p...)
		return len(p), nil
	}
	if b.file == nil {
		if b.file, err = b.store.CreateStaged(b.path); err != nil {
			return 0, err
		}
		if _, err := b.file.Write(b.small); err != nil {
			return 0, err
		}
	}
	return b.file.Write(p)
}

// close ends the file. Closing may fail on a full disk.
func (b *body) close() error {
	if b.file != nil {
		return b.file.Close()
	}
	if b.small == nil { // nil would say that it is in the file
		b.small = []byte{}
	}
	return nil
}

// Remove removes the file. Whatever it can't remove, the next start of the server does.
func (u Upload) Remove() { os.Remove(u.Path) }
