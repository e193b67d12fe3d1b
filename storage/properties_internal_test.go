package storage

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// propertyNames are the names that the properties have in JSON.
func propertyNames() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[catalog.Properties]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// filled is properties none of which is empty.
func filled(t *testing.T) catalog.Properties {
	t.Helper()
	p := catalog.Properties{
		Name: "a", Description: "a", Metadata: catalog.Metadata{"a": "a"}, QualityColumn: "a", CategoryColumn: "a",
		Required: []string{"a"}, Notes: "a", Archived: true, Unpublished: true, MergeGranularity: catalog.ByColumn,
		Exclusion: &catalog.Exclusion{Condition: "true"}, Retention: &catalog.Retention{Commits: new(int64)},
		Gates: []catalog.Gate{{Name: "a"}},
	}
	for i := range reflect.TypeFor[catalog.Properties]().NumField() {
		if reflect.ValueOf(p).Field(i).IsZero() {
			t.Fatalf("give the property %s a value here", reflect.TypeFor[catalog.Properties]().Field(i).Name)
		}
	}
	return p
}

// A property that is missing from the list would be kept by no rollback, changed by no edit and told by no log.
func TestEveryPropertyIsOnTheList(t *testing.T) {
	all := filled(t)
	got, want := changedFields(catalog.Properties{}, all), propertyNames()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the list has %v, of %v", got, want)
	}
	if back := withFields(catalog.Properties{}, all, got); !reflect.DeepEqual(back, all) {
		t.Errorf("taken from another they are %+v, want %+v", back, all)
	}
}

// Those that an edit can't give by itself are bound to the columns first.
func TestAnEditChangesAndTellsEveryProperty(t *testing.T) {
	text, list, yes, no, row := "b", []string{"b"}, true, false, catalog.ByRow
	e := Edit{
		Name: &text, Description: &text, Metadata: catalog.Metadata{"b": "b"}, QualityColumn: &text, CategoryColumn: &text,
		Required: &list, Notes: &text, Archived: &no, Published: &yes, MergeGranularity: &row,
		Retention: &catalog.Retention{Versions: true, Savepoints: true, Tags: true},
	}
	before := filled(t)
	d := draftOn(&snapshot.Snapshot{State: snapshot.State{Properties: before}})
	d.commit.Params = json.RawMessage("{}")
	e.apply(&d.properties)
	d.properties.Exclusion, d.properties.Gates = nil, nil
	if changed := changedFields(before, d.properties); len(changed) != len(propertyNames()) {
		t.Errorf("changed are %v, of %v", changed, propertyNames())
	}
	d.tellEdit(before)
	var told map[string]any
	if err := json.Unmarshal(d.commit.Params, &told); err != nil || len(told) != len(propertyNames()) {
		t.Errorf("told is %v, %v", told, err)
	}
	if told["published"] != true || told["exclusion"] != "" || told["merge_granularity"] != "row" {
		t.Errorf("told is %v", told)
	}
}

// Whoever makes a copy works on it: of an archived dataset or of a draft, the copy is neither.
func TestACopyHasWhatIsSaidOfTheRecords(t *testing.T) {
	all := filled(t)
	left := changedFields(all, ofCopy(all, "b"))
	slices.Sort(left)
	if want := []string{"archived", "draft", "name"}; !slices.Equal(left, want) {
		t.Errorf("a copy does not have %v, want %v", left, want)
	}
}

// Whatever a dataset can have but an exclusion and gates, which read columns, it can be made with.
func TestADatasetIsMadeWithEveryProperty(t *testing.T) {
	n := NewDataset{
		Name: "a", Description: "a", Metadata: catalog.Metadata{"a": "a"}, QualityColumn: "a", CategoryColumn: "a",
		Required: []string{"a"}, Notes: "a", Archived: true, Unpublished: true,
		Retention: &catalog.Retention{Commits: new(int64)},
	}
	if missing := changedFields(filled(t), n.properties()); !slices.Equal(missing, []string{"exclusion", "gates"}) {
		t.Errorf("it is made without %v", missing)
	}
}
