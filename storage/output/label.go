package output

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/schema"
)

// The extensions of columns (schema.Extension) are in the schema of a result in Arrow: with each field, and, for
// geometries, as in a GeoParquet file too, since programs that make one of a result keep that.

// hasExtension reports whether a column has one.
func hasExtension(columns []schema.Column) bool {
	return slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Extension != nil })
}

// Label returns the schema of a result with the extensions of its columns.
func Label(s *arrow.Schema, columns []schema.Column) *arrow.Schema {
	if !hasExtension(columns) || len(columns) != s.NumFields() {
		return s
	}
	fields := slices.Clone(s.Fields())
	for i, c := range columns {
		if e := c.Extension; e != nil {
			fields[i].Metadata = arrow.NewMetadata(
				[]string{ipc.ExtensionTypeKeyName, ipc.ExtensionMetadataKeyName}, []string{e.Name, e.Metadata})
		}
	}
	meta := s.Metadata()
	if geo := datafile.GeoText(columns); geo != "" {
		meta = arrow.NewMetadata([]string{datafile.GeoKey}, []string{geo})
	}
	return arrow.NewSchema(fields, &meta)
}

// labels passes on an Arrow stream with its schema labelled. The schema is the first message; the others stay as they
// are.
type labels struct {
	io.Writer
	columns []schema.Column
	start   []byte // of the stream, until the schema is complete
	done    bool
}

// labelled returns a writer for the Arrow stream of a result, which adds the extensions of its columns.
func labelled(w io.Writer, columns []schema.Column) io.Writer {
	if !hasExtension(columns) {
		return w
	}
	return &labels{Writer: w, columns: columns}
}

func (l *labels) Write(p []byte) (int, error) {
	if l.done {
		return l.Writer.Write(p)
	}
	l.start = append(l.start, p...)
	end := messageEnd(l.start)
	if end < 0 {
		return len(p), nil
	}
	first, err := l.label(l.start[:end])
	if err != nil {
		return 0, err
	}
	l.done = true
	if _, err := l.Writer.Write(append(first, l.start[end:]...)); err != nil {
		return 0, err
	}
	l.start = nil
	return len(p), nil
}

// messagePrefix is the length of what precedes a message: a mark and its size.
const messagePrefix = 8

// messageEnd returns where the first message of a stream ends, which has no body; -1: after what is there.
func messageEnd(start []byte) int {
	if len(start) < messagePrefix {
		return -1
	}
	end := messagePrefix + int(binary.LittleEndian.Uint32(start[4:]))
	if end > len(start) {
		return -1
	}
	return end
}

// label returns a message with a schema with the labels added.
func (l *labels) label(message []byte) ([]byte, error) {
	in, err := ipc.NewReader(bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	defer in.Release()
	var out bytes.Buffer
	if err := ipc.NewWriter(&out, ipc.WithSchema(Label(in.Schema(), l.columns))).Close(); err != nil {
		return nil, err
	}
	return out.Bytes()[:messageEnd(out.Bytes())], nil // without the end of the stream
}
