package datafile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// errUnsplit refuses a file whose columns do not lie in it as its footer says.
var errUnsplit = errors.New("the columns of the file can't be copied one by one")

// chunkSlack is how many bytes are copied beyond a column: writers of old leave the header of the dictionary out of the
// size that they state.
const chunkSlack = 128

// Split is the reverse of Join: it writes the columns of an uploaded file to files in a directory, at most so many to
// each, and returns their paths. Whoever reads some columns of the file then opens a footer that describes few, and not
// all. Their own metadata is left out, but for that of geometries.
func Split(from, dir string, width int) (paths []string, err error) {
	in, size, err := open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	defer func() {
		if p := recover(); p != nil {
			err = errUnsplit
		}
		if err != nil {
			for _, path := range paths {
				_ = os.Remove(path) // the directory goes with the upload
			}
			paths = nil
		}
	}()
	f, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	s := splitting{in: in, size: size, footer: f.Metadata()}
	if !s.isSound() {
		return nil, errUnsplit
	}
	columns := columnsIn(s.footer.Schema)
	for first, leaf := 0, 0; first < len(columns); first += width {
		end := len(s.footer.Schema)
		if first+width < len(columns) {
			end = columns[first+width]
		}
		elements := s.footer.Schema[columns[first]:end]
		leaves := leavesIn(elements)
		path := filepath.Join(dir, fmt.Sprintf("columns-%d.parquet", first))
		paths = append(paths, path)
		if err := s.write(path, min(width, len(columns)-first), elements, leaf, leaf+leaves); err != nil {
			return nil, err
		}
		leaf += leaves
	}
	return paths, nil
}

// splitting is a file that is split.
type splitting struct {
	in     io.ReaderAt
	size   int64
	footer *format.FileMetaData
}

// isSound reports whether the columns can lie beside each other in the file. A footer may name the same bytes for each of
// very many columns, and none of them is copied then: that would fill the disk.
func (s splitting) isSound() bool {
	left := s.size
	for _, group := range s.footer.RowGroups {
		for i := range group.Columns {
			n := group.Columns[i].MetaData.TotalCompressedSize
			if n < 0 || n > left {
				return false
			}
			left -= n
		}
	}
	return true
}

// leavesIn returns how many columns of values elements of a schema are.
func leavesIn(elements []format.SchemaElement) (n int) {
	for _, e := range elements {
		if e.Type.Valid {
			n++
		}
	}
	return n
}

// write writes a file of some columns, which have the leaves from first up to last.
func (s splitting) write(path string, columns int, elements []format.SchemaElement, first, last int) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.WriteString(out, mark); err != nil {
		return err
	}
	footer := *s.footer
	root := s.footer.Schema[0]
	root.NumChildren.V = int32(columns)
	footer.Schema = append([]format.SchemaElement{root}, elements...)
	footer.RowGroups, footer.KeyValueMetadata = nil, nil
	for _, pair := range s.footer.KeyValueMetadata {
		if pair.Key == GeoKey {
			footer.KeyValueMetadata = append(footer.KeyValueMetadata, pair)
		}
	}
	if len(footer.ColumnOrders) >= last {
		footer.ColumnOrders = footer.ColumnOrders[first:last]
	}
	at := int64(len(mark))
	for _, group := range s.footer.RowGroups {
		part, err := s.copyGroup(out, &at, group, first, last)
		if err != nil {
			return err
		}
		footer.RowGroups = append(footer.RowGroups, part)
	}
	return writeFooter(out, &footer)
}

// copyGroup copies the pages of some columns of a row group, and returns what the footer says of them. at is how long
// the file is so far.
func (s splitting) copyGroup(
	out io.Writer, at *int64, group format.RowGroup, first, last int,
) (format.RowGroup, error) {
	part := format.RowGroup{NumRows: group.NumRows, Ordinal: group.Ordinal}
	for _, chunk := range group.Columns[first:last] {
		m := &chunk.MetaData
		begin := m.DataPageOffset
		if m.DictionaryPageOffset > 0 && m.DictionaryPageOffset < begin {
			begin = m.DictionaryPageOffset
		}
		end := begin + m.TotalCompressedSize
		if chunk.FilePath != "" || begin < int64(len(mark)) || end > s.size {
			return part, errUnsplit
		}
		n, err := io.Copy(out, io.NewSectionReader(s.in, begin, min(end+chunkSlack, s.size)-begin))
		if err != nil {
			return part, err
		}
		shift(m, *at-begin)
		*at += n
		part.Columns = append(part.Columns, format.ColumnChunk{MetaData: *m})
		part.TotalByteSize += m.TotalUncompressedSize
		part.TotalCompressedSize += m.TotalCompressedSize
	}
	return part, nil
}

// shift says of the pages of a column that they lie elsewhere, and that nothing but pages was copied.
func shift(m *format.ColumnMetaData, by int64) {
	m.DataPageOffset += by
	if m.DictionaryPageOffset > 0 {
		m.DictionaryPageOffset += by
	}
	m.IndexPageOffset, m.BloomFilterOffset, m.BloomFilterLength = 0, 0, 0
}
