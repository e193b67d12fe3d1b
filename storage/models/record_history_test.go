package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// changesOf returns the history of a record, one line a change, newest first.
func (b *bench) changesOf(dataset, key string) (lines []string) {
	b.Helper()
	list, more, err := b.RecordHistory(context.Background(), storage.RecordQuery{Dataset: dataset, Key: key, Limit: 100})
	if err != nil || more {
		b.Fatal(more, err)
	}
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("%d %s %s -> %s %v", c.Commit.ID, c.Change, c.Before, c.After, c.Columns))
	}
	return lines
}

func (b *bench) wantChanges(dataset, key string, want ...string) {
	b.Helper()
	if got := b.changesOf(dataset, key); !slices.Equal(got, want) {
		b.Errorf("the history of %s is\n%s\nwant\n%s", key, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestARecordsHistoryHasItsValuesAroundEachCommit(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id": 1, "n": 1}, {"id": 2, "n": 1}]`)
	b.JSON(d, catalog.Upsert, `[{"id": 1, "n": 2, "new": "x"}]`)
	b.JSON(d, catalog.Upsert, `[{"id": 2, "n": 3}]`)
	b.JSON(d, catalog.Overwrite, `[{"id": 1, "n": 2, "new": "x"}]`) // the same again
	gone := b.JSON(d, catalog.Delete, `[{"id": 1}]`)
	undo, err := b.TryRollback(d, gone.ID, storage.Stack)
	if err != nil {
		t.Fatal(err)
	}
	one, two := `{"id":1,"n":1}`, `{"id":1,"n":2,"new":"x"}`
	id := undo.ID
	b.wantChanges(d, "1",
		fmt.Sprintf("%d added  -> %s []", id, two), fmt.Sprintf("%d removed %s ->  []", id-1, two),
		fmt.Sprintf("%d modified %s -> %s [n new]", id-4, one, two), fmt.Sprintf("%d added  -> %s []", id-5, one))
}

// What can't hold the record, or displace it, is gone from the disk: it is not missed.
func TestARecordsHistoryOpensOnlyFilesThatMayHoldIt(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	for k := range 30 {
		b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id": %d, "n": 0}, {"id": %d, "n": 0}]`, 10*k, 10*k+5))
	}
	mine := []int64{21}
	for n := range 3 {
		for k := range 4 {
			c := b.JSON(d, catalog.Upsert, fmt.Sprintf(`[{"id": %d, "n": %d}]`, 50*(k+1), n+1))
			if k == 3 {
				mine = append(mine, c.ID)
			}
		}
	}
	removed, left := 0, 0
	files, err := filepath.Glob(filepath.Join(b.Dir, "objects", d, "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		var commit int64
		if _, err := fmt.Sscan(filepath.Base(filepath.Dir(path)), &commit); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(mine, commit) {
			left++
			continue
		}
		removed++
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.changesOf(d, "200"); len(got) != 4 || removed < 40 || left != 7 {
		t.Errorf("%d files are left of %d: %v", left, removed+left, got)
	}
}

func TestTheHistoryOfAForkAndOfAMergeHasWhatCameWithThem(t *testing.T) {
	b := open(t)
	ctx := context.Background()
	d := b.Create("d", "id")
	first := b.JSON(d, catalog.Append, `[{"id": "a", "n": 1}]`)
	f, err := b.Fork(ctx, d, storage.NewFork{}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	fork := f.Dataset.ID
	b.JSON(d, catalog.Upsert, `[{"id": "b", "n": 9}]`)
	there := b.JSON(fork, catalog.Upsert, `[{"id": "a", "n": 2}]`)
	old, changed := `{"id":"a","n":1}`, `{"id":"a","n":2}`
	b.wantChanges(fork, "a", fmt.Sprintf("%d modified %s -> %s [n]", there.ID, old, changed),
		fmt.Sprintf("%d added  -> %s []", first.ID, old))
	b.wantChanges(d, "a", fmt.Sprintf("%d added  -> %s []", first.ID, old))
	if _, err := b.Merge(ctx, d, storage.Merge{Source: fork}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	list, _, err := b.RecordHistory(ctx, storage.RecordQuery{Dataset: d, Key: "a", Limit: 1})
	if err != nil || len(list) != 1 || list[0].Commit.Hash != there.Hash || list[0].Commit.MergeCommitID == 0 ||
		string(list[0].Before) != old || string(list[0].After) != changed {
		t.Errorf("%+v, %v", list, err)
	}
}

// checkRecord compares the history of one key, read in small pages, with the model's consecutive states.
func (m *model) checkRecord(key int64) {
	m.Helper()
	ctx := context.Background()
	var want, got []string
	var before *row
	for _, c := range m.changes {
		after := c.state[key]
		switch {
		case before == nil && after != nil:
			want = append(want, fmt.Sprintf("%d added %s -> %s", c.id, "null", m.recordOf(after)))
		case before != nil && after == nil:
			want = append(want, fmt.Sprintf("%d removed %s -> %s", c.id, m.recordOf(before), "null"))
		case before != nil && !reflect.DeepEqual(before.values, after.values):
			want = append(want, fmt.Sprintf("%d modified %s -> %s", c.id, m.recordOf(before), m.recordOf(after)))
		}
		before = after
	}
	slices.Reverse(want)
	q := storage.RecordQuery{Dataset: m.dataset, Key: fmt.Sprint(key), Limit: 3}
	for more := true; more; {
		var list []storage.RecordChange
		var err error
		list, more, err = m.RecordHistory(ctx, q)
		if len(want) == 0 {
			m.refused(err, "record_not_found")
			return
		}
		m.must(err)
		for _, c := range list {
			got = append(got, fmt.Sprintf("%d %s %s -> %s", c.Commit.ID, c.Change, m.plain(c.Before), m.plain(c.After)))
			q.Before = c.Commit.ID
			if (c.Change == snapshot.Modified) != (len(c.Columns) > 0) {
				m.Errorf("%s by commit %d: columns %v", c.Change, c.Commit.ID, c.Columns)
			}
		}
	}
	if !slices.Equal(got, want) {
		m.Fatalf("the history of record %d is\n%s\nthe model has\n%s",
			key, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (m *model) recordOf(r *row) string { return storagetest.ToJSON(r.values) }

// plain is a record of the history as the model has it: without its key and nulls.
func (m *model) plain(record json.RawMessage) string {
	if record == nil {
		return "null"
	}
	v := map[string]any{}
	m.must(json.Unmarshal(record, &v))
	delete(v, m.keyName())
	return storagetest.ToJSON(clean(v))
}

// recordStep is a change of a record, as the difference of two states has it or as the record's history has it.
type recordStep struct {
	commit        int64
	change        string
	before, after any
}

// checkRecordHistories compares the histories of a dataset's records with the differences of consecutive states, of all
// commits, those that merges played included.
func (b *bench) checkRecordHistories(dataset string) {
	b.Helper()
	ctx := context.Background()
	commits, err := b.Actions(ctx, dataset, storage.ActionFilter{})
	if err != nil {
		b.Fatal(err)
	}
	slices.SortFunc(commits, func(x, y catalog.Commit) int { return int(x.ID - y.ID) })
	want := map[string][]recordStep{}
	for _, c := range commits {
		b.addSteps(want, dataset, c)
	}
	for key, steps := range want {
		list, _, err := b.RecordHistory(ctx, storage.RecordQuery{Dataset: dataset, Key: key, Limit: 1000})
		if err != nil {
			b.Fatal(err)
		}
		var got []recordStep
		for _, c := range slices.Backward(list) {
			got = append(got, recordStep{
				c.Commit.ID, c.Change, unmarshalled(b, string(c.Before)), unmarshalled(b, string(c.After)),
			})
		}
		if !reflect.DeepEqual(got, steps) {
			b.Fatalf("the history of %s in %s is\n%v\nthe states' differences are\n%v", key, dataset, got, steps)
		}
	}
}

// addSteps adds what a commit did to each record, by key.
func (b *bench) addSteps(to map[string][]recordStep, dataset string, c catalog.Commit) {
	b.Helper()
	ctx := context.Background()
	before, errBefore := b.Snapshot(ctx, dataset, fmt.Sprint(c.Previous))
	after, errAfter := b.Snapshot(ctx, dataset, fmt.Sprint(c.ID))
	conn, errConn := b.Conn(ctx)
	if err := errors.Join(errBefore, errAfter, errConn); err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	query, columns, err := snapshot.Diff(before, after).Records()
	if err != nil {
		b.Fatal(err)
	}
	query = fmt.Sprintf(`SELECT _change, CAST(%s AS VARCHAR), coalesce(CAST(to_json("before") AS VARCHAR), ''),
		coalesce(CAST(to_json("after") AS VARCHAR), '') FROM (%s)`, duck.Ident(columns[1].Name), query)
	if err := conn.Rows(ctx, query, func(scan duck.Scan) error {
		var change, key, before, after string
		err := scan(&change, &key, &before, &after)
		to[key] = append(to[key], recordStep{c.ID, change, unmarshalled(b, before), unmarshalled(b, after)})
		return err
	}); err != nil {
		b.Fatal(err)
	}
}

// unmarshalled reads JSON; empty text is nil.
func unmarshalled(b *bench, text string) (v any) {
	b.Helper()
	if text == "" || text == "null" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		b.Fatal(err)
	}
	return v
}

// A restore may bring back the schema from before the first record, when the key had no type.
func TestARecordsHistoryOutlivesTheTypeOfItsKey(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	empty := b.JSON(d, catalog.Delete, `[{"id": 1}]`)
	made := b.JSON(d, catalog.Append, `[{"id": 1, "n": 1}]`)
	back, err := b.Restore(context.Background(), d, fmt.Sprint(empty.ID), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	one := `{"id":1,"n":1}`
	b.wantChanges(d, "1",
		fmt.Sprintf("%d removed %s ->  []", back.ID, one), fmt.Sprintf("%d added  -> %s []", made.ID, one))
}

func TestARecordsHistoryTakesAKeyOfTheWiderTypeThatItsColumnHad(t *testing.T) {
	b := open(t)
	d := b.Create("d", "id")
	narrow, errNarrow := b.Generated(d, catalog.Append, "SELECT 1::INTEGER AS id")
	made, errWide := b.Generated(d, catalog.Append, "SELECT 3000000000::BIGINT AS id")
	if err := errors.Join(errNarrow, errWide); err != nil {
		t.Fatal(err)
	}
	back, err := b.Restore(context.Background(), d, fmt.Sprint(narrow.ID), storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	big := `{"id":3000000000}`
	b.wantChanges(d, "3000000000",
		fmt.Sprintf("%d removed %s ->  []", back.ID, big), fmt.Sprintf("%d added  -> %s []", made.ID, big))
}
