// Package datafile writes data files and rollback files as Parquet, and reads their footers (design, section 1).
//
// A data file has the dataset's columns, _id where that is the key, and _commit. A rollback file has the same, and
// _file and _pos: where each row lived. Columns carry their field ids; the file's key-value metadata names its dataset,
// commit, kind and id, so that a file in another's place is noticed. Pages are version 2, compressed with zstd.
// Few rows are encoded by parquet-go (a third of a millisecond), many are written by DuckDB.
package datafile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rowback/storage/duck"
	"rowback/storage/schema"
)

// Spec is what a file is to be.
type Spec struct {
	Kind    schema.Kind
	Dataset string
	Commit  int64
	File    int64           // its id
	Columns []schema.Column // the dataset's columns, _id among them where it is the key
}

// All returns the spec's columns with those that the server adds.
func (s Spec) All() []schema.Column {
	out := append(slices.Clone(s.Columns), schema.Column{ID: schema.CommitID, Name: schema.CommitColumn, Type: schema.Of(schema.Bigint)})
	if s.Kind == schema.Rollback {
		out = append(out,
			schema.Column{ID: schema.FileID, Name: schema.FileColumn, Type: schema.Of(schema.Bigint)},
			schema.Column{ID: schema.PosID, Name: schema.PosColumn, Type: schema.Of(schema.Bigint)})
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

func (s Spec) metadata() map[string]string {
	return map[string]string{
		datasetKey: s.Dataset, commitKey: fmt.Sprint(s.Commit), kindKey: string(s.Kind), fileKey: fmt.Sprint(s.File),
	}
}

// Copy writes the rows of a query to a new file at path, by DuckDB, and returns how many they were. The query's columns
// must be those of the spec, in order, then _commit, and _file and _pos for a rollback file.
func Copy(ctx context.Context, conn *duck.Conn, query, path string, spec Spec) (rows int64, err error) {
	return CopySome(ctx, conn, query, path, spec, spec.All())
}

// CopySome is Copy for some of a file's columns, which the query has in that order: Join makes one file of all.
func CopySome(ctx context.Context, conn *duck.Conn, query, path string, spec Spec, columns []schema.Column) (rows int64, err error) {
	names := make([]string, len(columns))
	ids := make([]string, len(columns))
	for i, c := range columns {
		names[i] = duck.Ident(c.Name)
		ids[i] = fmt.Sprintf("%s: %d", names[i], c.ID)
	}
	meta := spec.metadata()
	pairs := make([]string, 0, len(meta))
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		pairs = append(pairs, duck.Ident(k)+": "+duck.Text(meta[k]))
	}
	named := fmt.Sprintf("SELECT * FROM (%s) AS t(%s)", query, strings.Join(names, ", "))
	return CopyQuery(ctx, conn, named, path, fmt.Sprintf("FIELD_IDS {%s}, KV_METADATA {%s}", strings.Join(ids, ", "), strings.Join(pairs, ", ")))
}
