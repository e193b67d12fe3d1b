package datafile

import (
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
)

// position is a row of a file of position deletes, with the field ids that Iceberg reserves.
type position struct {
	File string `parquet:"file_path,id(2147483546),dict"`
	Pos  int64  `parquet:"pos,id(2147483545),delta"`
}

// Positions are rows of one file that are deleted, ascending.
type Positions struct {
	File string // its URI
	Rows []int64
}

// positionsAtOnce is how many rows are encoded together.
const positionsAtOnce = 4096

// EncodePositions writes a file of position deletes, as Iceberg defines it, of files in the order of their URIs. Its
// pages have version 1, which every reader reads.
func EncodePositions(out io.Writer, files []Positions) (err error) {
	w := parquet.NewGenericWriter[position](out, parquet.Compression(&parquet.Zstd), parquet.DataPageVersion(1),
		parquet.MaxRowsPerRowGroup(groupRows*16))
	defer func() { err = errors.Join(err, w.Close()) }()
	batch := make([]position, 0, positionsAtOnce)
	for _, f := range files {
		for _, pos := range f.Rows {
			if batch = append(batch, position{f.File, pos}); len(batch) < positionsAtOnce {
				continue
			}
			if _, err := w.Write(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	_, err = w.Write(batch)
	return err
}
