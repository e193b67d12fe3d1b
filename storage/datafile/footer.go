package datafile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/rowback/rowback/storage/schema"
)

// Footer is the identity of a file written by this package, as its footer has it.
type Footer struct {
	Kind    schema.Kind
	Dataset string
	Commit  int64
	File    int64 // its id; 0: written by a version that did not record it
	Rows    int64
}

// ReadFooter reads the footer of a file of size bytes that Copy or Encode wrote. The file may be damaged: whatever it
// contains, reading takes little time and memory.
func ReadFooter(r io.ReaderAt, size int64) (Footer, error) {
	tail := make([]byte, 8) // the footer's length and the mark
	if size < int64(len(tail)) {
		return Footer{}, errors.New("it is too short for a Parquet file")
	}
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil {
		return Footer{}, err
	}
	length := int64(binary.LittleEndian.Uint32(tail))
	if string(tail[4:]) != "PAR1" || length > size-int64(len(tail)) {
		return Footer{}, errors.New("it does not end as a Parquet file")
	}
	rows, pairs, err := readMetadata(io.NewSectionReader(r, size-int64(len(tail))-length, length))
	if err != nil {
		return Footer{}, err
	}
	out := Footer{Kind: schema.Kind(pairs[kindKey]), Dataset: pairs[datasetKey], Rows: rows}
	if out.Commit, err = strconv.ParseInt(pairs[commitKey], 10, 64); err != nil {
		return out, errors.New("it does not name its commit")
	}
	if text, ok := pairs[fileKey]; ok {
		if out.File, err = strconv.ParseInt(text, 10, 64); err != nil {
			return out, fmt.Errorf("it names %q as its id", text)
		}
	}
	return out, nil
}

// open opens a file and returns its size, which every reader of a footer needs: the footer lies at the end.
func open(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // it was only read
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Checksum returns the SHA-256 of r's content, in hexadecimal as sha256sum prints it, and its size in bytes.
func Checksum(r io.Reader) (sum string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
