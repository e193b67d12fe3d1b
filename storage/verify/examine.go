package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/rowback/rowback/storage/datafile"
)

// examine compares a file with its row in the catalog, every byte if whole, and returns the stamp of the file that it
// saw; zero if there is none.
func examine(path string, o Object, whole bool, through func(io.Reader) io.Reader) (seen stamp, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return seen, blame(o, err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would block for ever
		return stampFrom(info), &Damage{o, "it is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return seen, blame(o, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return seen, blame(o, err)
	}
	seen = stampFrom(info)
	if info.Size() != o.Bytes {
		return seen, &Damage{o, fmt.Sprintf("it has %d bytes, not %d", info.Size(), o.Bytes)}
	}
	if whole {
		if err := sum(f, o, through); err != nil {
			return seen, err
		}
	}
	return seen, identify(f, o)
}

// sum compares the checksum.
func sum(f *os.File, o Object, through func(io.Reader) io.Reader) error {
	h := sha256.New()
	part := make([]byte, min(o.Bytes+1, 256<<10))
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{through(f)}, part)
	if err != nil {
		return blame(o, err)
	}
	if n != o.Bytes || hex.EncodeToString(h.Sum(nil)) != o.Checksum {
		return &Damage{o, "its checksum differs"}
	}
	return nil
}

// identify compares the identity in the file's footer. Files of older versions do not have their id there.
func identify(f *os.File, o Object) error {
	if o.Footer == nil {
		return nil
	}
	is, err := datafile.ReadFooter(f, o.Bytes)
	if err != nil {
		var system *fs.PathError
		if errors.As(err, &system) {
			return blame(o, err)
		}
		return &Damage{o, err.Error()}
	}
	if is.File == 0 {
		is.File = o.Footer.File
	}
	if is != *o.Footer {
		return &Damage{o, fmt.Sprintf("it is the %s file %d of commit %d of dataset %s with %d rows",
			is.Kind, is.File, is.Commit, is.Dataset, is.Rows)}
	}
	return nil
}

// blame returns a *Damage if the operating system's error means that the file is missing or unreadable, else err.
func blame(o Object, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return &Damage{o, "it is missing"}
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ELOOP),
		errors.Is(err, errCorrupted):
		return &Damage{o, "the disk can't read it"}
	}
	return err
}
