package datafile

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	compact "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// A Parquet file stores each column by itself, so files with some of the columns each can be joined into one without
// decoding a value: their bodies follow one another, and one footer describes the columns of all.

// errUneven refuses files whose row groups have different numbers of rows.
var errUneven = errors.New("the files to be joined have different rows")

// mark begins and ends a Parquet file.
const mark = "PAR1"

// Join writes a new file at path with the columns of several files of the same rows, and the metadata of the first.
//
// Nothing is left of a file that was not written to its end.
func Join(path string, parts []string) (err error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			os.Remove(path) //nolint:errcheck // the next start empties the directory
		}
	}()
	if _, err := io.WriteString(out, mark); err != nil {
		return err
	}
	var all *format.FileMetaData
	at := int64(len(mark))
	for _, part := range parts {
		footer, size, err := appendBody(out, part)
		if err != nil {
			return err
		}
		move(footer, at-int64(len(mark)))
		if all, err = beside(all, footer); err != nil {
			return err
		}
		at += size
	}
	return writeFooter(out, all)
}

// appendBody appends the bytes of a file between its first mark and its footer, and returns the footer and their
// number.
func appendBody(out *os.File, path string) (footer *format.FileMetaData, size int64, err error) {
	in, size, err := open(path)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	f, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, 0, err
	}
	var length [4]byte
	if _, err := in.ReadAt(length[:], size-8); err != nil {
		return nil, 0, err
	}
	size -= int64(len(mark)) + 8 + int64(binary.LittleEndian.Uint32(length[:]))
	if _, err := in.Seek(int64(len(mark)), io.SeekStart); err != nil {
		return nil, 0, err
	}
	_, err = io.CopyN(out, in, size)
	return f.Metadata(), size, err
}

// move adds a number of bytes to every file offset in a footer.
func move(footer *format.FileMetaData, by int64) {
	add := func(places ...*int64) {
		for _, p := range places {
			if *p > 0 { // 0 means absent
				*p += by
			}
		}
	}
	for i := range footer.RowGroups {
		group := &footer.RowGroups[i]
		add(&group.FileOffset)
		for k := range group.Columns {
			c := &group.Columns[k]
			m := &c.MetaData
			add(&c.FileOffset, &c.OffsetIndexOffset, &c.ColumnIndexOffset)
			add(&m.DataPageOffset, &m.IndexPageOffset, &m.DictionaryPageOffset, &m.BloomFilterOffset)
		}
	}
}

// beside appends the columns of one more file to the joint footer; all is nil for the first.
func beside(all, more *format.FileMetaData) (*format.FileMetaData, error) {
	if all == nil {
		return more, nil
	}
	if all.NumRows != more.NumRows || len(all.RowGroups) != len(more.RowGroups) {
		return nil, errUneven
	}
	all.Schema[0].NumChildren.V += more.Schema[0].NumChildren.V
	all.Schema = append(all.Schema, more.Schema[1:]...)
	all.ColumnOrders = append(all.ColumnOrders, more.ColumnOrders...)
	for i := range all.RowGroups {
		group, other := &all.RowGroups[i], &more.RowGroups[i]
		if group.NumRows != other.NumRows {
			return nil, errUneven
		}
		group.Columns = append(group.Columns, other.Columns...)
		group.TotalByteSize += other.TotalByteSize
		group.TotalCompressedSize += other.TotalCompressedSize
	}
	return all, nil
}

// writeFooter ends a file: its footer, the length of that, and the mark.
func writeFooter(out io.Writer, footer *format.FileMetaData) error {
	text, err := compact.Marshal(new(compact.CompactProtocol), footer)
	if err != nil {
		return err
	}
	text = binary.LittleEndian.AppendUint32(text, uint32(len(text)))
	_, err = out.Write(append(text, mark...))
	return err
}
