package datafile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"rowback/storage/duck"
)

// rewrittenSuffix ends the name that a file has while it is written anew.
const rewrittenSuffix = ".delta"

// WrittenPaths are the paths that CopyQuery writes to, given one.
func WrittenPaths(path string) []string { return []string{path, path + rewrittenSuffix} }

// CopyQuery writes the rows of a query to a new file at path, by DuckDB, and returns how many they were. options are
// more options of COPY. Pages are version 2, which are smaller and faster to read and write, but where other readers
// could not read them.
//
// Nothing is left of a file that was not written to its end.
func CopyQuery(ctx context.Context, conn *duck.Conn, query, path, options string, params ...duck.Param) (rows int64, err error) {
	defer func() {
		if err != nil {
			removeUnfinished(path)
		}
	}()
	rows, err = written(conn.Batch(ctx, copyTo(query, path, "PARQUET_VERSION v2", options), params...))
	if err != nil {
		return rows, err
	}
	far, err := jumps(path)
	if err != nil || !far {
		return rows, err
	}
	first := WrittenPaths(path)[1]
	if err := os.Rename(path, first); err != nil {
		return rows, err
	}
	_, err = conn.Exec(ctx, copyTo("FROM read_parquet("+duck.Text(first)+", hive_partitioning = false)", path, options))
	return rows, errors.Join(err, os.Remove(first))
}

// removeUnfinished removes what a COPY that failed may have left: DuckDB writes beside a file that is there already, and
// then moves.
func removeUnfinished(path string) {
	for _, p := range WrittenPaths(path) {
		os.Remove(p)                                                       //nolint:errcheck // the next start empties the folder
		os.Remove(filepath.Join(filepath.Dir(p), "tmp_"+filepath.Base(p))) //nolint:errcheck // the same
	}
}

// written reads the result of a COPY: how many rows it has written.
func written(result arrow.RecordBatch, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer result.Release()
	return result.Column(0).(*array.Int64).Value(0), nil
}

func copyTo(query, path string, options ...string) string {
	all := "FORMAT parquet, COMPRESSION zstd"
	for _, o := range options {
		if o != "" {
			all += ", " + o
		}
	}
	return fmt.Sprintf("COPY (%s) TO %s (%s)", query, duck.Text(path), all)
}

// jumps reports whether a file has 32-bit integers that lie too far apart for DuckDB's delta encoding: it writes their
// differences with more than 32 bits, which DuckDB reads and others refuse.
func jumps(path string) (bool, error) {
	in, size, err := open(path)
	if err != nil {
		return false, err
	}
	defer in.Close()
	f, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return false, err
	}
	for g, group := range f.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			encodings := f.Metadata().RowGroups[g].Columns[i].MetaData.Encoding
			if chunk.Type().Kind() == parquet.Int32 && slices.Contains(encodings, format.DeltaBinaryPacked) && farApart(chunk.(*parquet.FileColumnChunk)) {
				return true, nil
			}
		}
	}
	return false, nil
}

func farApart(c *parquet.FileColumnChunk) bool {
	least, greatest, ok := c.Bounds()
	if !ok {
		return c.NumValues() > 0 // not told
	}
	if l, isInt := logical(c.Type()).(*format.IntType); isInt && !l.IsSigned {
		return greatest.Uint32() > math.MaxInt32 // alone, too: the first value is written with more than 32 bits
	}
	return int64(greatest.Int32())-int64(least.Int32()) > 1<<31-1
}
