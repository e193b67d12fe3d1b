package snapshot_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// A state that is read in strips of its columns has the records of one that is read by one scan: in every format, from
// one file and from several, where rows are displaced and where none are, and with their places.
func TestAStateInStripsIsThatOfOneScan(t *testing.T) {
	for _, key := range [][]string{{"before", "in_a"}, nil} {
		l := open(t, key...)
		refs := []string{l.commit("append", l.records(20, 17)), l.commit("append", numbered(l.records(30, 17), 100))}
		if key != nil {
			refs = append(refs, l.commit("upsert", l.records(25, 19)),
				l.commit("delete", `[{"before":"0","in_a":3},{"before":"1","in_a":4}]`))
		}
		for _, ref := range refs {
			whole, err := l.Snapshot(context.Background(), l.dataset, ref)
			if err != nil {
				t.Fatal(err)
			}
			for _, most := range []int{1, 5, 8} {
				l.sameRows(whole, whole.InStrips(most))
			}
		}
	}
}

// numbered returns records with other keys.
func numbered(records string, from int) string {
	return strings.ReplaceAll(records, `"in_a":`, `"in_a":`+strings.Repeat("1", from/50))
}

// sameRows compares what two snapshots of a state read.
func (l *listings) sameRows(whole, strips *snapshot.Snapshot) {
	l.Helper()
	statements := func(s *snapshot.Snapshot) (out []snapshot.Listing) {
		out = append(out, snapshot.Listing{SQL: s.StoredTable() + s.ByKey(), Columns: s.TableColumns()},
			snapshot.Listing{SQL: s.PlacedTable() + " ORDER BY _file, _pos"})
		for _, f := range s.Files() { // each for itself, as files with very many columns are
			for _, scan := range s.DigestScans([]*catalog.File{f}) {
				out = append(out, snapshot.Listing{SQL: scan.SQL})
			}
		}
		return out
	}
	want, got := statements(whole), statements(strips)
	for i := range want {
		if strings.Contains(want[i].SQL, "POSITIONAL") || !strings.Contains(got[i].SQL, "POSITIONAL") {
			l.Fatalf("not one scan:\n%s\nor not strips:\n%s", want[i].SQL, got[i].SQL)
		}
		for _, format := range []intake.Format{intake.Arrow, intake.Parquet, intake.CSV, intake.JSON, intake.NDJSON} {
			if want[i].Columns == nil && format != intake.Arrow {
				continue
			}
			if a, b := l.written(want[i], format), l.written(got[i], format); !bytes.Equal(a, b) {
				l.Errorf("in strips, %s is\n%.2000s\nnot\n%.2000s\n%s", format, b, a, got[i].SQL)
			}
		}
	}
}
