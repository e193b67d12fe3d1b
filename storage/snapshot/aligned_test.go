package snapshot_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/snapshot"
)

// counted counts what differs by a join, and beside each other.
func (l *listings) counted(from, to string) (joined, beside snapshot.Counts, aligned bool) {
	l.Helper()
	ctx := context.Background()
	conn, err := l.Conn(ctx)
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close()
	if joined, err = l.diff(from, to).Count(ctx, conn); err != nil {
		l.Fatal(err)
	}
	if beside, aligned, err = l.diff(from, to).CountAligned(ctx, conn); err != nil {
		l.Fatal(err)
	}
	return joined, beside, aligned
}

// edition is a whole file: a record for each key, with values of some columns.
func (l *listings) edition(keys []int, columns ...string) string {
	rows := make([]string, len(keys))
	for i, k := range keys {
		rows[i] = fmt.Sprintf(`{"id":%d,"part":"é%d"`, k, k%3)
		for _, c := range columns {
			rows[i] += fmt.Sprintf(`,%q:%d`, c, l.Int64())
		}
		rows[i] += "}"
	}
	return "[" + strings.Join(rows, ",") + "]"
}

// Sides that are counted beside each other have the counts of a join, and sides with other keys are not counted so.
func TestSidesWithTheSameKeysAreCountedBesideEachOther(t *testing.T) {
	l := open(t, "id", "part")
	keys := l.Perm(5000) // more than are looked at first
	first := l.commit("append", l.edition(keys, "a", "b"))
	second := l.commit("overwrite", l.edition(keys, "a", "c"))
	swapped := slices.Clone(keys)
	swapped[4000], swapped[4001] = swapped[4001], swapped[4000]
	l.commit("delete", l.edition(keys))
	third := l.commit("append", l.edition(swapped, "a", "b"))
	fourth := l.commit("upsert", l.edition(keys[:100], "b"))
	l.commit("delete", l.edition(keys[:1]))
	fifth := l.commit("append", l.edition([]int{6000}, "a"))
	for _, c := range []struct {
		from, to string
		aligned  bool
	}{
		{first, second, true}, {second, first, true},
		{first, third, false}, // two records in another order, past those that are looked at first
		{third, fourth, true},
		{fourth, fifth, false}, // as many records on both sides, of other keys
		{first, "0", false}, {"0", first, false},
	} {
		joined, beside, aligned := l.counted(c.from, c.to)
		if aligned != c.aligned || aligned && !reflect.DeepEqual(joined, beside) {
			t.Errorf("%s to %s: aligned %t, want %t: %+v, by a join %+v", c.from, c.to, aligned, c.aligned, beside, joined)
		}
		if !aligned && beside.Modified != 0 {
			t.Errorf("%s to %s: %d records are counted, although they are not aligned", c.from, c.to, beside.Modified)
		}
	}
}

// A new edition of a whole large file is counted so.
func TestALargeEditionIsCountedBesideTheOneBefore(t *testing.T) {
	l := open(t, "in_a")
	from := l.commit("append", l.records(130_000, 3))
	to := l.commit("overwrite", l.records(130_000, 3))
	joined, beside, aligned := l.counted(from, to)
	if !aligned || !reflect.DeepEqual(joined, beside) {
		t.Errorf("aligned %t: %+v, by a join %+v", aligned, beside, joined)
	}
}
