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
	"rowback/storage/schema"
)

// rewrittenSuffix is appended to the name of a file while it is rewritten in another encoding.
const rewrittenSuffix = ".delta"

// WrittenPaths returns the paths that CopyQuery may write to for a given path.
func WrittenPaths(path string) []string { return []string{path, path + rewrittenSuffix} }

// CopyQuery writes the rows of a query to a new file at path, with DuckDB, and returns how many there were. options are
// more options of COPY. Pages have version 2, which is smaller and faster to read and write, unless other readers could
// not read them: see jumps. After an error, no partial file is left.
func CopyQuery(
	ctx context.Context, conn *duck.Conn, query, path, options string, params ...duck.Param,
) (rows int64, err error) {
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

// CopyForOthers is CopyQuery for a file that leaves the store. Its pages have version 1, which every reader of Parquet
// can read: some can't skip rows in pages of version 2. columns are those of the query.
func CopyForOthers(
	ctx context.Context, conn *duck.Conn, query, path string, columns []schema.Column, params ...duck.Param,
) (rows int64, err error) {
	statement := copyTo(query, path, "PARQUET_VERSION v1", pairsOption(metadataOf(columns)))
	if rows, err = written(conn.Batch(ctx, statement, params...)); err != nil {
		removeUnfinished(path)
	}
	return rows, err
}

// removeUnfinished removes what a failed COPY may have left: DuckDB writes to a temporary name and renames the file if
// the target exists.
func removeUnfinished(path string) {
	for _, p := range WrittenPaths(path) {
		temporary := filepath.Join(filepath.Dir(p), "tmp_"+filepath.Base(p))
		os.Remove(p)         //nolint:errcheck // the next start empties the folder
		os.Remove(temporary) //nolint:errcheck // the same
	}
}

// written returns the number of rows in the result of a COPY.
func written(result arrow.RecordBatch, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer result.Release()
	return result.Column(0).(*array.Int64).Value(0), nil
}

// copyTo is the statement that writes the rows of a query to a file.
func copyTo(query, path string, options ...string) string {
	all := "FORMAT parquet, COMPRESSION zstd"
	for _, o := range options {
		if o != "" {
			all += ", " + o
		}
	}
	return fmt.Sprintf("COPY (%s) TO %s (%s)", query, duck.Text(path), all)
}

// jumps reports whether a file has 32-bit integers too far apart for DuckDB's delta encoding: it writes their
// differences with more than 32 bits, which DuckDB can read and other readers refuse.
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
			if chunk.Type().Kind() == parquet.Int32 && slices.Contains(encodings, format.DeltaBinaryPacked) &&
				farApart(chunk.(*parquet.FileColumnChunk)) {
				return true, nil
			}
		}
	}
	return false, nil
}

// farApart reports whether two values of a chunk of 32-bit integers may differ by more than 31 bits.
func farApart(c *parquet.FileColumnChunk) bool {
	least, greatest, ok := c.Bounds()
	if !ok {
		return c.NumValues() > 0 // no bounds are recorded
	}
	if l, isInt := logical(c.Type()).(*format.IntType); isInt && !l.IsSigned {
		return greatest.Uint32() > math.MaxInt32 // even a single one: the first value is written with more than 32 bits
	}
	return int64(greatest.Int32())-int64(least.Int32()) > 1<<31-1
}
