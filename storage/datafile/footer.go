package datafile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"rowback/storage/schema"
)

// Footer is what a file of ours says of itself.
type Footer struct {
	Kind    schema.Kind
	Dataset string
	Commit  int64
	Rows    int64
}

// ReadFooter reads the footer of a file that Write made.
func ReadFooter(path string) (Footer, error) {
	f, size, err := open(path)
	if err != nil {
		return Footer{}, err
	}
	defer f.Close()
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return Footer{}, err
	}
	dataset, _ := p.Lookup(datasetKey)
	kind, _ := p.Lookup(kindKey)
	text, _ := p.Lookup(commitKey)
	commit, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return Footer{}, fmt.Errorf("the file does not name its commit: %w", err)
	}
	return Footer{Kind: schema.Kind(kind), Dataset: dataset, Commit: commit, Rows: p.NumRows()}, nil
}

func open(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Checksum returns the SHA-256 of what r holds, in hexadecimal, as sha256sum prints it, and its size in bytes.
func Checksum(r io.Reader) (sum string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
