package intake

import (
	"fmt"
	"slices"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
)

// inspectAll reads the footers of an upload's files. They must have the same columns, in any order: what it returns is
// the first, with what any of them needs to be read, and how many rows come before each.
func inspectAll(u Upload) (all datafile.UploadFile, starts []int64, err error) {
	rows := int64(0)
	for i, f := range u.files() {
		found, err := inspectOne(f)
		if err != nil {
			return all, nil, err
		}
		if i == 0 {
			all = found
		} else if err := alike(&all, found, u.Files[0].Name, f.Name); err != nil {
			return all, nil, err
		}
		starts = append(starts, rows)
		rows += found.Rows
	}
	return all, starts, nil
}

// inspectOne reads the footer of a file.
func inspectOne(f File) (datafile.UploadFile, error) {
	found, err := datafile.Inspect(f.Path)
	if err != nil {
		return found, malformed("the Parquet file%s can't be read: %s", called(f), err)
	}
	names := make([]Offered, len(found.Columns))
	for i, c := range found.Columns {
		names[i].Name = c.Name
		if c.Trouble != "" {
			return found, misshapen("column %q%s %s", c.Name, in(f), c.Trouble)
		}
	}
	return found, checkNames(names) // DuckDB would rename the columns
}

// called and in are what an error says of a file that has a name.
func called(f File) string {
	if f.Name == "" {
		return ""
	}
	return " " + f.Name
}

func in(f File) string {
	if f.Name == "" {
		return ""
	}
	return " of " + f.Name
}

// alike requires that a file has the columns of the first one, and adds what it needs to be read.
func alike(all *datafile.UploadFile, found datafile.UploadFile, first, name string) error {
	const remedy = "Files of one commit have the same columns; commit the others by themselves"
	for i := range all.Columns {
		c := &all.Columns[i]
		at := slices.IndexFunc(found.Columns, func(o datafile.UploadColumn) bool { return o.Name == c.Name })
		if at < 0 {
			return misshapen("%s has column %q and %s has not. %s", first, c.Name, name, remedy)
		}
		other := found.Columns[at]
		if c.Shape != other.Shape {
			return misshapen("column %q is %s in %s and %s in %s. %s", c.Name, c.Shape, first, other.Shape, name, remedy)
		}
		c.Geometries = c.Geometries || other.Geometries
		c.Int96 = c.Int96.With(other.Int96)
	}
	for _, c := range found.Columns {
		if !slices.ContainsFunc(all.Columns, func(o datafile.UploadColumn) bool { return o.Name == c.Name }) {
			return misshapen("%s has column %q and %s has not. %s", name, c.Name, first, remedy)
		}
	}
	return nil
}

// rowNumber returns the SQL of a row's number among those of all files, which begin with these numbers.
func rowNumber(starts []int64) string {
	if len(starts) == 1 {
		return "s.file_row_number"
	}
	return fmt.Sprintf("s.file_row_number + %s[CAST(s.file_index AS BIGINT) + 1]", duck.Ints(starts))
}
