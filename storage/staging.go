package storage

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/rowback/rowback/storage/datafile"
)

// Staging is the files that are not part of the store yet, or never will be: uploads on their way, and scratch files.
// The next start removes what is left of them.
type Staging struct {
	*journal
	disk *Disk
}

// Scratch returns a path for a temporary file that no one else uses.
func (s *Staging) Scratch(name string) string { return s.blobs.Scratch(name) }

// roomEvery is after how many bytes of an upload the room is looked at again.
const roomEvery = 64 << 20

// Staged is a new file under staging. Writing to it fails where the disk would not have the room that is to stay.
type Staged struct {
	file  stagedFile
	disk  *Disk
	until atomic.Int64 // bytes that may be written before the room is looked at again
}

type stagedFile interface {
	io.WriteCloser
	io.WriterAt
}

// CreateStaged makes the file at a path that Scratch gave.
func (s *Staging) CreateStaged(path string) (*Staged, error) {
	if err := s.disk.room(); err != nil {
		return nil, err
	}
	f, err := s.blobs.CreateScratch(path)
	if err != nil {
		return nil, err
	}
	out := &Staged{file: f, disk: s.disk}
	out.until.Store(roomEvery)
	return out, nil
}

// Write writes to the file.
func (f *Staged) Write(p []byte) (int, error) {
	if err := f.room(len(p)); err != nil {
		return 0, err
	}
	return f.file.Write(p)
}

// WriteAt writes to a place in the file. Several parts may be written at once.
func (f *Staged) WriteAt(p []byte, at int64) (int, error) {
	if err := f.room(len(p)); err != nil {
		return 0, err
	}
	return f.file.WriteAt(p, at)
}

// room looks at the room before so many bytes are written; not at each write, as asking the system is a call of its
// own.
func (f *Staged) room(bytes int) error {
	if f.until.Add(-int64(bytes)) >= 0 {
		return nil
	}
	f.until.Store(roomEvery)
	return f.disk.room()
}

// Close closes the file.
func (f *Staged) Close() error { return f.file.Close() }

// stage copies what a reader has to a new file under staging. Whoever calls it removes the file, whether it was written
// or not.
func (s *Staging) stage(path string, r io.Reader) (err error) {
	f, err := s.CreateStaged(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, r)
	return err
}

// removeWritten removes what a statement that writes a file there has left.
func (s *Staging) removeWritten(path string) {
	s.blobs.RemoveScratch(datafile.WrittenPaths(path)...)
}

// fileSum is the checksum of a file that is on the disk.
type fileSum struct {
	checksum string
	size     int64
	err      error
}

// sumFile sends a file to the disk and reads it for its checksum, while others read it too, or it moves into its batch.
// The caller goes on meanwhile.
func (s *Staging) sumFile(path string) <-chan fileSum {
	out := make(chan fileSum, 1)
	in, err := s.blobs.OpenUnpublished(path)
	if err != nil {
		out <- fileSum{err: err}
		return out
	}
	go func() {
		defer in.Close()
		var sum fileSum
		if sum.err = s.blobs.SyncUnpublished(in); sum.err == nil {
			sum.checksum, sum.size, sum.err = datafile.Checksum(in)
		}
		out <- sum
	}()
	return out
}

// checksumOf is the SHA-256 and the size of a file that is not published yet.
func (s *Staging) checksumOf(path string) (sum string, size int64, err error) {
	f, err := s.blobs.OpenUnpublished(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return datafile.Checksum(f)
}
