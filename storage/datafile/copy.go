package datafile

import (
	"cmp"
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

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// rewrittenSuffix is appended to the name of a file while it is rewritten in another encoding.
const rewrittenSuffix = ".delta"

// WrittenPaths returns the paths that CopyQuery may write to for a given path.
func WrittenPaths(path string) []string { return []string{path, path + rewrittenSuffix} }

// Pages is the version of the pages of a file. Both are read by what this project tests with (the manual lists it); but
// some readers can't skip rows in pages of version 2, which are smaller, and faster to read and to write.
type Pages int

// The versions. 0 stands for the default: of stored files 2, of files for others 1.
const (
	PagesV1 Pages = 1
	PagesV2 Pages = 2
)

// CopyQuery writes the rows of a query to a new file at path, with DuckDB, and returns how many there were. options are
// more options of COPY. Pages have version 1 in place of 2 where no reader but DuckDB could read those: see jumps.
// After an error, no partial file is left.
func CopyQuery(
	ctx context.Context, conn *duck.Conn, query, path string, pages Pages, options string, params ...duck.Param,
) (rows int64, err error) {
	defer func() {
		if err != nil {
			removeUnfinished(path)
		}
	}()
	rows, err = written(conn.Batch(ctx, copyTo(query, path, pages, options), params...))
	if err != nil || pages == PagesV1 {
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
	again := "FROM read_parquet(" + duck.Text(first) + ", hive_partitioning = false)"
	_, err = conn.Exec(ctx, copyTo(again, path, PagesV1, options))
	return rows, errors.Join(err, os.Remove(first))
}

// Most bytes of texts that DuckDB keeps to find those that come again, while it writes a file: by default, it allocates
// a page of a MiB for each column of texts, however few rows there are.
const (
	dictionaryBytes = 64 << 20 // of all columns
	leastDictionary = 16 << 10 // of each
)

// Dictionaries returns the option of COPY that bounds the memory for texts in a file of columns; empty for the default.
func Dictionaries(columns []schema.Column) string {
	texts := 0
	for _, c := range columns {
		texts += textsIn(c.Type)
	}
	if texts <= dictionaryBytes>>20 {
		return ""
	}
	return fmt.Sprintf("STRING_DICTIONARY_PAGE_SIZE_LIMIT %d", max(dictionaryBytes/texts, leastDictionary))
}

// textsIn returns how many columns of texts or bytes a type is in a file.
func textsIn(t schema.Type) (n int) {
	switch t.Name {
	case schema.Varchar, schema.JSON, schema.Blob:
		n++
	}
	for _, f := range t.Fields {
		n += textsIn(f.Type)
	}
	for _, inner := range []*schema.Type{t.Key, t.Elem} {
		if inner != nil {
			n += textsIn(*inner)
		}
	}
	return n
}

// removeUnfinished removes what a failed COPY may have left: DuckDB writes to a temporary name and renames the file if
// the target exists.
func removeUnfinished(path string) {
	for _, p := range WrittenPaths(path) {
		temporary := filepath.Join(filepath.Dir(p), "tmp_"+filepath.Base(p))
		os.Remove(p)         //nolint:errcheck // the next start empties the directory
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
func copyTo(query, path string, pages Pages, options string) string {
	if options != "" {
		options = ", " + options
	}
	return fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v%d%s)",
		query, duck.Text(path), cmp.Or(pages, PagesV2), options)
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
			if Jumps(chunk.(*parquet.FileColumnChunk), f.Metadata().RowGroups[g].Columns[i].MetaData.Encoding) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Jumps reports whether a chunk of a column, in some encodings, has such integers.
func Jumps(c *parquet.FileColumnChunk, encodings []format.Encoding) bool {
	return c.Type().Kind() == parquet.Int32 && slices.Contains(encodings, format.DeltaBinaryPacked) && farApart(c)
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
