package calls

import (
	"errors"
	"io"
	"os"

	"rowback/storage"
	"rowback/storage/intake"
)

// Upload is a file in staging that came with a request. Whoever has it removes it once, when its call has ended. The
// store reads it and never removes it: a request may be refused after that, and sent again with the same file.
type Upload struct{ intake.Upload }

// Stage has write fill a new file in staging, and return its size. If that fails, nothing is left of the file.
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
	if err = errors.Join(err, out.Close()); err != nil {
		u.Remove()
	}
	return u, err
}

// Remove removes the file. Whatever it can't remove, the next start of the server does.
func (u Upload) Remove() { os.Remove(u.Path) }
