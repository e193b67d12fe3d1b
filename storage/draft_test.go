package storage

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// A draft, and what is published with it, is plain data: nothing in it is held open. Whoever
// needs a connection, a lock or a function puts it into work.
func TestADraftIsPlainData(t *testing.T) {
	seen := map[reflect.Type]bool{
		reflect.TypeFor[snapshot.Snapshot](): true, // immutable; it has a function that finds files
		reflect.TypeFor[time.Time]():         true,
	}
	var walk func(where string, typ reflect.Type)
	walk = func(where string, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Func, reflect.Chan, reflect.UnsafePointer:
			t.Errorf("%s is a %s", where, typ.Kind())
		case reflect.Interface:
			if typ.NumMethod() > 0 { // an empty one is a value of JSON
				t.Errorf("%s is an interface", where)
			}
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(where, typ.Elem())
		case reflect.Map:
			walk(where, typ.Key())
			walk(where, typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				walk(where+"."+typ.Field(i).Name, typ.Field(i).Type)
			}
		}
	}
	walk("publication", reflect.TypeFor[publication]())
}

func file(id int64, kind schema.Kind, schemaID string) *catalog.File {
	return &catalog.File{ID: id, Kind: kind, SchemaID: schemaID}
}

// A draft leaves the files that were live, without those that it closes and with those that it opens and reopens, in
// the order of their ids; and the head that it is made on is as it was.
func TestADraftLeavesTheFilesThatItOpens(t *testing.T) {
	head := snapshot.New(snapshot.State{}, nil)
	head.Data = []*catalog.File{file(1, schema.Data, "a"), file(5, schema.Data, "a")}
	head.Rollbacks = []*catalog.File{file(6, schema.Rollback, "a")}
	head.Schemas["a"] = schema.Schema{Key: []int{1}}
	d := draftOn(head)
	d.commit.ID, d.commit.SchemaID = 9, "c"
	d.schema = schema.Schema{Key: []int{3}}
	d.closed = []*catalog.File{head.Data[1], head.Rollbacks[0]}
	d.opened = []*catalog.File{file(8, schema.Data, "c"), file(7, schema.Rollback, "c")}
	d.reopened, d.back = []*catalog.File{file(3, schema.Data, "b")}, map[string]schema.Schema{"b": {Key: []int{2}}}
	after := d.leaves()
	if got := ids(after.Data); !reflect.DeepEqual(got, []int64{1, 3, 8}) {
		t.Error(got)
	}
	if got := ids(after.Rollbacks); !reflect.DeepEqual(got, []int64{7}) {
		t.Error(got)
	}
	for id, key := range map[string]int{"a": 1, "b": 2, "c": 3} {
		if after.Schemas[id].Key[0] != key {
			t.Errorf("schema %s has the key %v", id, after.Schemas[id].Key)
		}
	}
	if len(head.Data) != 2 || len(head.Rollbacks) != 1 || len(head.Schemas) != 1 {
		t.Errorf("the head has become %+v", head)
	}
}

// A clone is another draft: what changes in it changes nothing in the first.
func TestACloneOfADraftSharesNothing(t *testing.T) {
	room := func(f *catalog.File) []*catalog.File { return append(make([]*catalog.File, 0, 4), f) }
	d := draft{
		opened: room(file(1, schema.Data, "a")), reopened: room(file(2, schema.Data, "a")),
		closed: room(file(3, schema.Data, "a")), back: map[string]schema.Schema{}, marks: map[int64]int64{},
	}
	c := d.clone()
	c.marks[1], c.back["b"] = 2, schema.Schema{}
	for _, files := range [][]*catalog.File{c.opened, c.reopened, c.closed} {
		files[0] = nil
	}
	if len(d.marks)+len(d.back) > 0 || d.opened[0] == nil || d.reopened[0] == nil || d.closed[0] == nil {
		t.Errorf("the draft has become %+v", d)
	}
}

// Parameters that were recorded stay as they were written: numbers past a double's, too.
func TestParametersStayAsTheyWereWritten(t *testing.T) {
	d := draft{commit: catalog.Commit{Params: json.RawMessage(`{"n":12345678901234567890123}`)}}
	d.setParam("key", "Variable.create")
	if want := `{"key":"Variable.create","n":12345678901234567890123}`; string(d.commit.Params) != want {
		t.Errorf("%s, not %s", d.commit.Params, want)
	}
}
