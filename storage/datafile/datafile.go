// Package datafile writes data files and rollback files as Parquet, and reads their footers (design, section 1). A data
// file has the dataset's columns, _id if that is the key, and _commit. A rollback file has the same and _file and _pos,
// the place of each row. Columns carry their field ids. The file's key-value metadata names its dataset, commit, kind
// and id, so that a misplaced file is noticed. Pages are compressed with zstd. Small files are encoded by parquet-go,
// in a third of a millisecond; large ones are written by DuckDB.
package datafile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Spec describes a file to be written.
type Spec struct {
	Kind    schema.Kind
	Dataset string
	Commit  int64
	File    int64           // the file's id
	Columns []schema.Column // the dataset's columns, including _id if it is the key
	Pages   Pages           // 0: version 2

	// Plain is for values that must come back bit by bit: DuckDB's dictionaries take 0.0 and -0.0 for the same.
	Plain bool
}

// All returns all columns of the file: the spec's, then those that the server adds.
func (s Spec) All() []schema.Column {
	commit := schema.Column{ID: schema.CommitID, Name: schema.CommitColumn, Type: schema.Of(schema.Bigint)}
	out := append(slices.Clone(s.Columns), commit)
	if s.Kind != schema.Data {
		out = append(out,
			schema.Column{ID: schema.FileID, Name: schema.FileColumn, Type: schema.Of(schema.Bigint)},
			schema.Column{ID: schema.PosID, Name: schema.PosColumn, Type: schema.Of(schema.Bigint)})
	}
	if s.Kind == schema.CompactedRollback {
		out = append(out, schema.Column{ID: schema.EndID, Name: schema.EndColumn, Type: schema.Of(schema.Bigint)})
	}
	return out
}

// Keys of a file's key-value metadata.
const (
	datasetKey = "rowback.dataset"
	commitKey  = "rowback.commit"
	kindKey    = "rowback.kind"
	fileKey    = "rowback.file"
)

// metadata is what the file says of itself, so that a file that was put in the place of another is noticed, and what
// its columns are beyond their types.
func (s Spec) metadata() map[string]string {
	pairs := metadataOf(s.Columns)
	pairs[datasetKey], pairs[commitKey] = s.Dataset, fmt.Sprint(s.Commit)
	pairs[kindKey], pairs[fileKey] = string(s.Kind), fmt.Sprint(s.File)
	return pairs
}

// pairsOption is the option of COPY that writes key-value metadata; empty, if there is none.
func pairsOption(meta map[string]string) string {
	if len(meta) == 0 {
		return ""
	}
	pairs := make([]string, 0, len(meta))
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		pairs = append(pairs, duck.Ident(k)+": "+duck.Text(meta[k]))
	}
	return "KV_METADATA {" + strings.Join(pairs, ", ") + "}"
}

// groupRows is how many rows a row group has. DuckDB writes a column of a row group as one page, so whoever looks up a
// record decompresses all of it: half of DuckDB's own 122,880 rows halve that. A scan of two columns takes up to an
// eighth more, one of all columns no more, and a file is a hundredth larger. Fewer rows cost scans more than they save.
const groupRows = 61_440

// Copy writes the rows of a query to a new file at path, with DuckDB, and returns how many there were. The query's
// columns must be those of the spec, in order, then _commit, and _file and _pos for a rollback file.
func Copy(ctx context.Context, conn *duck.Conn, query, path string, spec Spec) (rows int64, err error) {
	return CopySome(ctx, conn, query, path, spec, spec.All())
}

// CopySome is Copy for a file with some of the columns, in the order of the query. Join combines such files.
func CopySome(
	ctx context.Context, conn *duck.Conn, query, path string, spec Spec, columns []schema.Column,
) (rows int64, err error) {
	names := make([]string, len(columns))
	ids := make([]string, len(columns))
	for i, c := range columns {
		names[i] = duck.Ident(c.Name)
		ids[i] = fmt.Sprintf("%s: %d", names[i], c.ID)
	}
	named := fmt.Sprintf("SELECT * FROM (%s) AS t(%s)", query, strings.Join(names, ", "))
	options := fmt.Sprintf("ROW_GROUP_SIZE %d, FIELD_IDS {%s}, %s",
		groupRows, strings.Join(ids, ", "), pairsOption(spec.metadata()))
	if spec.Plain {
		options += ", DICTIONARY_SIZE_LIMIT 0"
	}
	return CopyQuery(ctx, conn, named, path, spec.Pages, options)
}
