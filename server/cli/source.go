package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// source is a file of records to import, or standard input. The server recognizes compression by itself.
type source struct {
	io.ReadCloser
	size  int64 // bytes; -1: unknown
	media string
}

// mediaTypes are the media types of records, by file extension.
var mediaTypes = map[string]string{
	".parquet": "application/vnd.apache.parquet",
	".arrow":   "application/vnd.apache.arrow.stream", // the server recognizes Arrow files
	".arrows":  "application/vnd.apache.arrow.stream",
	".feather": "application/vnd.apache.arrow.stream",
	".csv":     "text/csv",
	".tsv":     "text/csv", // the server finds the separator
	".ndjson":  "application/x-ndjson",
	".jsonl":   "application/x-ndjson",
	".json":    "application/json",
	".xlsx":    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// openSource opens a file in the given format; if none is given, in that of its extension. - is standard input.
func openSource(file, format string) (s source, err error) {
	if s.media, err = mediaOf(file, format); err != nil {
		return s, err
	}
	if file == "-" {
		s.ReadCloser, s.size = io.NopCloser(os.Stdin), -1
		return s, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return s, errors.Unwrap(err) // the caller names the file
	}
	info, err := in.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a directory")
	}
	if err != nil {
		_ = in.Close() // it was only read
		return s, err
	}
	s.ReadCloser, s.size = in, info.Size()
	if !info.Mode().IsRegular() { // a pipe, whose size is not known
		s.size = -1
	}
	return s, nil
}

// mediaOf returns the media type of a file: by the format that is named, or else by its extension.
func mediaOf(file, format string) (string, error) {
	if format != "" {
		return mediaTypes["."+format], nil
	}
	if file == "-" {
		return "", errors.New("the format of standard input is not known. Name it, as in --format csv")
	}
	name := strings.ToLower(file)
	if ext := filepath.Ext(name); ext == ".gz" || ext == ".zst" {
		name = strings.TrimSuffix(name, ext)
	}
	ext := filepath.Ext(name)
	media, ok := mediaTypes[ext]
	if !ok {
		return "", fmt.Errorf("the extension %q is not supported. Use .parquet, .arrow, .feather, .csv, .tsv, .ndjson, "+
			".jsonl, .json or .xlsx, optionally with .gz or .zst, or name a --format", ext)
	}
	return media, nil
}
