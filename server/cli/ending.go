package cli

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/zstd"
)

// ending is what the extensions of a file to write mean.
type ending struct {
	format   string // what the server is asked for
	asFile   bool   // an Arrow file instead of a stream
	compress string // .gz, .zst or nothing
}

var formatOf = map[string]string{
	".arrow": "arrow", ".feather": "arrow", ".arrows": "arrow", ".parquet": "parquet", ".csv": "csv",
	".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json",
}

// endingOf returns how a file is written: as its extensions say, or in the given format. Standard output gets CSV.
func endingOf(path, format string) (e ending, err error) {
	name := strings.ToLower(path)
	if ext := filepath.Ext(name); ext == ".gz" || ext == ".zst" {
		e.compress, name = ext, strings.TrimSuffix(name, ext)
	}
	ext := filepath.Ext(name)
	e.format = formatOf[ext]
	switch {
	case format != "":
		e.format = format
	case path == "-":
		e.format = "csv"
	case e.format == "":
		return e, fmt.Errorf("the extension %q of %s is not supported. Use .parquet, .arrow, .feather, .arrows, .csv, "+
			".ndjson, .jsonl or .json, optionally with .gz or .zst, or name a --format", ext, filepath.Base(path))
	}
	e.asFile = e.format == "arrow" && (ext == ".arrow" || ext == ".feather")
	return e, nil
}

// write writes an answer to a file.
func (e ending) write(out io.Writer, body io.Reader) (err error) {
	var compressed io.WriteCloser
	switch e.compress {
	case ".gz":
		compressed = gzip.NewWriter(out)
	case ".zst":
		if compressed, err = zstd.NewWriter(out); err != nil {
			return err
		}
	}
	if compressed != nil {
		defer func() { err = errors.Join(err, compressed.Close()) }()
		out = compressed
	}
	if e.asFile {
		return arrowFile(out, body)
	}
	_, err = io.Copy(out, body)
	return err
}

// arrowFile writes an Arrow stream as an Arrow file.
func arrowFile(out io.Writer, body io.Reader) (err error) {
	in, err := ipc.NewReader(body)
	if err != nil {
		return err
	}
	defer in.Release()
	w, err := ipc.NewFileWriter(out, ipc.WithSchema(in.Schema()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for in.Next() {
		if err := w.Write(in.RecordBatch()); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body) // so that an answer that was cut is noticed
	return err
}
