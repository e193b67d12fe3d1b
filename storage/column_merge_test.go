package storage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// sides is a dataset with three records of three columns, and a fork of it.
func (b *bench) sides(g catalog.Granularity) (d, f string) {
	b.Helper()
	s, err := b.CreateDataset(context.Background(),
		storage.NewDataset{ProjectID: 1, Name: "up", Key: []string{"id"}, MergeGranularity: g}, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	d = s.Dataset.ID
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a","y":1},{"id":2,"x":"b","y":2},{"id":3,"x":"c","y":3}]`)
	return d, b.MakeFork(d, "fork", "head")
}

func TestChangesOfDifferentColumnsOfARecordBothStand(t *testing.T) {
	b := open(t)
	d, f := b.sides("")
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(f, catalog.Upsert, `[{"id":1,"z":true},{"id":2,"y":20}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"y":10},{"id":2,"y":20,"w":"here"}]`)
	before := b.Rows(d, "head", true)
	m := b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"A","y":10,"w":null,"z":true}`, `{"id":2,"x":"b","y":20,"w":"here","z":null}`,
		`{"id":3,"x":"c","y":3,"w":null,"z":null}`)
	b.since(f)
	if again := b.MakeMerge(f, d); again.Commit.ID != 0 {
		t.Errorf("%+v", again)
	}
	b.MakeMerge(d, f)
	if a, c := b.Rows(d, "head", false), b.Rows(f, "head", false); !sameRecords(a, c) {
		t.Errorf("%v\n%v", a, c)
	}
	b.Sound()
	if _, err := b.TryRollback(d, m.Commit.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if after := b.Rows(d, "head", true); !slices.Equal(before, after) {
		t.Errorf("%v, before %v", after, before)
	}
	b.Sound()
}

// sameRecords compares records whatever the order of their columns.
func sameRecords(a, b []string) bool {
	read := func(lines []string) (out []string) {
		for _, line := range lines {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				panic(err)
			}
			out = append(out, storagetest.ToJSON(fields))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(read(a), read(b))
}

func TestByRowChangesOfOneRecordConflict(t *testing.T) {
	b := open(t)
	d, f := b.sides(catalog.ByRow)
	b.JSON(f, catalog.Upsert, `[{"id":1,"x":"A"}]`)
	b.JSON(d, catalog.Upsert, `[{"id":1,"y":10}]`)
	out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true})
	want := `[{"column":"x","base":"a","ours":"a","theirs":"A"},{"column":"y","base":1,"ours":10,"theirs":1}]`
	if got := storagetest.ToJSON(out.Conflicts[0].Records[0].Cells); got != want {
		t.Error(got)
	}
	b.conflicts(d, f, storage.Merge{Autorollback: true}) // a fork merges as its upstream does
	g := catalog.ByColumn
	_, err := b.EditDataset(context.Background(), d, storage.Edit{MergeGranularity: &g}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"A","y":10}`, `{"id":2,"x":"b","y":2}`, `{"id":3,"x":"c","y":3}`)
	b.Sound()
}

// Records of many columns are merged in slices of them.
func TestWideRecordsMergeByColumn(t *testing.T) {
	const columns = snapshot.SliceColumns + 2
	const last = columns - 1
	csv := func(changed ...int) string {
		names, values := []string{"id"}, []string{"1"}
		for i := range columns {
			names = append(names, fmt.Sprint("c", i))
			v := i + 1
			if slices.Contains(changed, i) {
				v = -v
			}
			values = append(values, fmt.Sprint(v))
		}
		return strings.Join(names, ",") + "\n" + strings.Join(values, ",") + "\n"
	}
	b := open(t)
	d := b.Create("wide", "id")
	b.Put(d, catalog.Append, intake.CSV, csv())
	f := b.MakeFork(d, "fork", "head")
	b.Put(f, catalog.Upsert, intake.CSV, csv(0, 600, last))
	b.Put(d, catalog.Upsert, intake.CSV, csv(1, 600, last-1))
	b.MakeMerge(f, d)
	var got map[string]float64
	if err := json.Unmarshal([]byte(b.Rows(d, "head", false)[0]), &got); err != nil {
		t.Fatal(err)
	}
	for i := range columns {
		want := float64(i + 1)
		if slices.Contains([]int{0, 1, 600, last - 1, last}, i) {
			want = -want
		}
		if v := got[fmt.Sprint("c", i)]; v != want {
			t.Errorf("c%d is %v, want %v", i, v, want)
		}
	}
	b.JSON(f, catalog.Upsert, fmt.Sprintf(`[{"id":1,"c1":7,"c5":7,"c%d":7}]`, last-1))
	out, _ := b.conflicts(f, d, storage.Merge{Autorollback: true})
	want := fmt.Sprintf(`[{"column":"c1","base":2,"ours":-2,"theirs":7},{"column":"c%d","base":%d,"ours":%d,"theirs":7}]`,
		last-1, last, -last)
	if got := storagetest.ToJSON(out.Conflicts[0].Records[0].Cells); got != want {
		t.Error(got)
	}
	b.Sound()
}
