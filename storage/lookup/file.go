// Package lookup finds the rows of few keys in Parquet files, and reads as little as it can for that: of the row groups
// that may have the keys, by the statistics in the footer or by a key filter, the columns of the key; of the rows that
// it finds, the columns that are asked for. Key filters (filter.go) are made from the files and kept beside them; what
// they hold of a key is the hash of its canonical form (value.go). The package knows files and types. Which of them a
// state has, and which rows of these are live, is up to its callers. Its tests compare it with reading everything.
package lookup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/schema"
)

// Column is a column of a file: the name and the type that it has there.
type Column struct {
	Name string
	Type schema.Type
}

// File is a Parquet file of ours, open for reading. Its values must have been verified: they are taken as they are.
type File struct {
	*parquet.File
	in   *counted
	read *Read
	seen map[cell]parquet.Value // of rows that were found: their keys are not read again
}

// cell is a value of a row.
type cell struct {
	column string
	row    int64
}

// Read is what was read of files, which is what a look-up costs.
type Read struct {
	Files  atomic.Int64
	Groups atomic.Int64 // row groups whose keys were read
	Bytes  atomic.Int64
}

// counted counts the bytes that are read.
type counted struct {
	*os.File
	read *Read
}

// ReadAt reads, and counts.
func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.File.ReadAt(p, at)
	c.read.Bytes.Add(int64(n))
	return n, err
}

// Open opens a file. What is read of it is added to read.
func Open(path string, read *Read) (f *File, err error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = in.Close() // it was only read
		}
	}()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	read.Files.Add(1)
	f = &File{in: &counted{in, read}, read: read, seen: map[cell]parquet.Value{}}
	err = guarded(func() (err error) {
		f.File, err = parquet.OpenFile(f.in, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	return f, err
}

// Close closes the file.
func (f *File) Close() error { return f.in.Close() }

// guarded runs what reads a file. A file that is not what it was may make the reader panic.
func guarded(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrUnfit, p)
		}
	}()
	return read()
}

// ErrUnfit is for a file that can't be read here: it has not what it should have.
var ErrUnfit = errors.New("lookup: the file can't be read")

var errColumn = fmt.Errorf("%w: a column is not as it should be", ErrUnfit)

// chunk returns the values of a column in a row group. Only columns of single values can be read.
func (f *File) chunk(group int, c Column) (parquet.ColumnChunk, error) {
	leaf, ok := f.Schema().Lookup(c.Name)
	if !ok || leaf.MaxRepetitionLevel > 0 || leaf.MaxDefinitionLevel > 1 {
		return nil, errColumn
	}
	chunk := f.RowGroups()[group].ColumnChunks()[leaf.ColumnIndex]
	// Such integers are decoded to others here. Files that are written now have none.
	encodings := f.Metadata().RowGroups[group].Columns[leaf.ColumnIndex].MetaData.Encoding
	if datafile.Jumps(chunk.(*parquet.FileColumnChunk), encodings) {
		return nil, errColumn
	}
	return chunk, nil
}

// Size returns how many bytes some columns of a row group take in memory.
func (f *File) Size(group int, columns []Column) (bytes int64) {
	for _, c := range columns {
		if leaf, ok := f.Schema().Lookup(c.Name); ok {
			bytes += f.Metadata().RowGroups[group].Columns[leaf.ColumnIndex].MetaData.TotalUncompressedSize
		}
	}
	return bytes
}

// firstRow returns the number of a row group's first row in the file.
func (f *File) firstRow(group int) (row int64) {
	for _, g := range f.RowGroups()[:group] {
		row += g.NumRows()
	}
	return row
}

// Groups returns the row groups that may have one of the keys, by the least and the greatest value of the first column.
func (f *File) Groups(first Column, keys []Key) (groups []int, err error) {
	err = guarded(func() error {
		for g := range f.RowGroups() {
			least, greatest, ok, err := f.bounds(g, first)
			if err != nil {
				return err
			}
			for _, k := range keys {
				if !ok || !k[0].isBelow(least) && !greatest.isBelow(k[0]) {
					groups = append(groups, g)
					break
				}
			}
		}
		return nil
	})
	return groups, err
}

// bounds returns the least and the greatest value of a column in a row group; ok is false if they are not known.
func (f *File) bounds(group int, c Column) (least, greatest Value, ok bool, err error) {
	chunk, err := f.chunk(group, c)
	if err != nil {
		return least, greatest, false, err
	}
	lo, hi, ok := chunk.(*parquet.FileColumnChunk).Bounds()
	if !ok {
		return least, greatest, false, nil
	}
	return stored(lo, c.Type), stored(hi, c.Type), true, nil
}

// IsSorted reports whether the statistics of a column exclude all row groups but one or two, whatever key is sought.
func (f *File) IsSorted(c Column) (sorted bool, err error) {
	err = guarded(func() error {
		var last Value
		for g := range f.RowGroups() {
			least, greatest, ok, err := f.bounds(g, c)
			if err != nil || !ok || g > 0 && !last.isBelow(least) && last != least {
				return err
			}
			last = greatest
		}
		sorted = true
		return nil
	})
	return sorted, err
}

// pages calls each for every page of a column in a row group, with the number of its first row in the group.
func (f *File) pages(group int, c Column, each func(first int, p parquet.Page) error) error {
	chunk, err := f.chunk(group, c)
	if err != nil {
		return err
	}
	pages := chunk.Pages()
	defer pages.Close()
	for first := 0; ; {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = each(first, p)
		first += int(p.NumRows())
		parquet.Release(p)
		if err != nil {
			return err
		}
	}
}
