package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
)

// DuckDB cuts off the nanoseconds of timestamps in INT96, and has a type of its own for geometries. Files with these
// are read from a copy in which both are binaries, and timestamps are made of them here.

// readable returns the SQL of the rows of an upload's files as they are stored; option is one more option of
// read_parquet. The paths are those of the files that it reads; none, where it changes what is in them.
func readable(
	ctx context.Context, conn *duck.Conn, u Upload, footer []datafile.UploadColumn,
) (paths []string, from func(option string) string, err error) {
	var int96 []datafile.UploadColumn
	var names []string
	geometries := false
	for _, c := range footer {
		geometries = geometries || c.Geometries
		if c.Int96 == datafile.Nanoseconds || c.Int96 == datafile.UnknownInt96 {
			int96, names = append(int96, c), append(names, c.Name)
		}
	}
	plain, err := plainPaths(u, geometries || len(int96) > 0, names)
	if err != nil {
		return nil, nil, err
	}
	read := func(option string) string { return scanParquet(plain, option) }
	replaced, err := timestamps(ctx, conn, int96, read(""))
	if err != nil || replaced == "" {
		return plain, read, err
	}
	return nil, func(option string) string {
		all := "* REPLACE (" + replaced + ")"
		if option != "" && len(plain) > 1 {
			all += ", file_index" // which * does not have
		}
		return "(SELECT " + all + " FROM " + read(option) + ")"
	}, nil
}

// plainPaths returns the paths of an upload's files; where they are to be read plainly, of copies.
func plainPaths(u Upload, plainly bool, int96 []string) (paths []string, err error) {
	if plainly {
		if err := os.MkdirAll(u.Parts, 0o700); err != nil {
			return nil, err
		}
	}
	for i, f := range u.files() {
		path := f.Path
		if plainly {
			path = filepath.Join(u.Parts, fmt.Sprintf("plain-%d.parquet", i))
			if err := datafile.Plainly(f.Path, path, int96); err != nil {
				return nil, notCopied(err)
			}
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// scanParquet is the SQL of the rows of files with the same columns, which are in any order.
func scanParquet(paths []string, option string) string {
	if len(paths) == 1 {
		return "read_parquet(" + duck.Text(paths[0]) + ", hive_partitioning = false" + option + ")"
	}
	return "read_parquet(" + duck.Texts(paths) + ", hive_partitioning = false, union_by_name = true" + option + ")"
}

// notCopied returns the error for a file that could not be copied: its own fault, unless the disk's.
func notCopied(err error) error {
	if disk := new(fs.PathError); errors.As(err, &disk) {
		return err
	}
	return malformed("the Parquet file can't be read: its footer is damaged")
}

// timestamps returns the SQL of columns made of the bytes of INT96: with nanoseconds if one has parts of microseconds.
func timestamps(
	ctx context.Context, conn *duck.Conn, columns []datafile.UploadColumn, from string,
) (list string, err error) {
	var made []string
	for _, c := range columns {
		parts := duck.Parts{"column": duck.Ident(c.Name), "from": from}
		nanos := c.Int96 == datafile.Nanoseconds
		if !nanos {
			if err := conn.Row(ctx, duck.Fill(anyNanos, parts), &nanos); err != nil {
				return "", err
			}
		}
		form := int96Micros
		if nanos {
			form = int96Nanos
		}
		made = append(made, duck.Fill(form, parts))
	}
	return strings.Join(made, ", "), nil
}

// The parts of INT96 values, the least significant byte first: eight of the nanosecond of the day, four of the day,
// which is 2440588 on 1 January 1970.
const (
	nanosOfDay = `CAST('0x' || substr(hex({column}), 15, 2) || substr(hex({column}), 13, 2) ||
		substr(hex({column}), 11, 2) || substr(hex({column}), 9, 2) || substr(hex({column}), 7, 2) ||
		substr(hex({column}), 5, 2) || substr(hex({column}), 3, 2) || substr(hex({column}), 1, 2) AS BIGINT)`
	daysOf = `(CAST('0x' || substr(hex({column}), 23, 2) || substr(hex({column}), 21, 2) ||
		substr(hex({column}), 19, 2) || substr(hex({column}), 17, 2) AS BIGINT) - 2440588)`
	anyNanos    = `SELECT coalesce(bool_or(` + nanosOfDay + ` % 1000 <> 0), false) FROM {from}`
	int96Micros = `make_timestamp(` + daysOf + ` * 86400000000 + ` + nanosOfDay + ` // 1000) AS {column}`
	int96Nanos  = `make_timestamp_ns(CAST(CAST(` + daysOf + ` AS HUGEINT) * 86400000000000 + ` + nanosOfDay +
		` AS BIGINT)) AS {column}`
)
