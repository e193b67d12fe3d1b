package snapshot

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// stripColumns is the most columns that one scan reads of files with few values. DuckDB's Parquet reader prepares all
// columns of a scan once for each of them, so that a scan takes time quadratic in its columns. Scans of some of them
// each, put beside each other row by row, take time in proportion. More and smaller strips would not help: each scan
// looks through all columns of the file when it is planned.
const stripColumns = 1500

// stripValues is the most values of files that are read in strips: one thread puts them beside each other. Of more
// values, the scan takes longer than its preparation, and all threads read.
const stripValues = 4_000_000

// read is the SQL of a scan of files: with those of its columns that statements on the snapshot name, if there are very
// many, else with all.
func (s *Snapshot) read(files []*catalog.File, numbered bool) string {
	return s.readSome(files, s.namesIn(files[0]), numbered)
}

// namesIn returns the snapshot's columns as a file names them.
func (s *Snapshot) namesIn(f *catalog.File) (names []string) {
	fs := s.SchemaOf(f)
	for _, c := range s.Schema.Stored() {
		if own, ok := fs.ByID(c.ID); ok {
			names = append(names, own.Name)
		}
	}
	return append(names, schema.CommitColumn)
}

// readSome returns the SQL of a scan of some columns of files, with row numbers or without.
func (s *Snapshot) readSome(files []*catalog.File, names []string, numbered bool) string {
	all := s.ReadFiles(files)
	if numbered {
		all = s.readNumbered(files)
	}
	most := cmp.Or(s.strip, stripColumns)
	if len(names) <= most || rowsOf(files)*int64(len(names)) > stripValues {
		return all
	}
	var strips []string
	for some := range slices.Chunk(names, most) {
		list := make([]string, len(some))
		for i, name := range some {
			list[i] = duck.Ident(name)
		}
		if numbered && len(strips) == 0 {
			list = append(list, "file_row_number")
			if len(files) > 1 {
				list = append(list, "file_index")
			}
		}
		strips = append(strips, duck.Fill(oneStrip, duck.Parts{"columns": strings.Join(list, ", "), "files": all}))
	}
	return "(SELECT * FROM " + strings.Join(strips, " POSITIONAL JOIN ") + ")"
}

const oneStrip = `(SELECT {columns} FROM {files})`

func rowsOf(files []*catalog.File) (rows int64) {
	for _, f := range files {
		rows += f.Rows
	}
	return rows
}
