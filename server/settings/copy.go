package settings

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Copied is an open copy of a database, which is removed when it is closed.
type Copied struct {
	*DB
	dir string
}

// Copy opens a copy of a data directory's database, which no server has open: opening the database itself would change
// the directory. Without one, the error is fs.ErrNotExist.
func Copy(ctx context.Context, dir string) (*Copied, error) {
	to, err := os.MkdirTemp("", "rowback-settings-")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{File, File + "-wal"} {
		err := copyFile(filepath.Join(to, name), filepath.Join(dir, name))
		if err != nil && (name == File || !errors.Is(err, os.ErrNotExist)) {
			return nil, errors.Join(err, os.RemoveAll(to))
		}
	}
	db, err := Open(ctx, to)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(to))
	}
	return &Copied{db, to}, nil
}

// Close closes the copy and removes it.
func (c *Copied) Close() error { return errors.Join(c.DB.Close(), os.RemoveAll(c.dir)) }

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
