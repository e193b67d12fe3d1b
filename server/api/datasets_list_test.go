package api

import (
	"fmt"
	"net/url"
	"testing"
)

// A search is paged by a cursor, as every list is, and says how many there are.
func TestDatasetsAreFoundPageByPage(t *testing.T) {
	for i := range 3 {
		must(t, 201, "POST", datasets, fmt.Sprintf(`{"name":"findable %d","project_id":78,"key":["id"]}`, 11-i))
	}
	path := datasets + "/findable%2011?project_id=78"
	must(t, 201, "POST", datasets+"/findable%2011/commits?mode=append&project_id=78", `[{"id":1}]`)
	if size := must(t, 200, "GET", path, "").body["bytes"].(float64); size <= 0 {
		t.Errorf("a dataset with a file has %v bytes", size)
	}
	var names []any
	for cursor, pages := "", 0; pages == 0 || cursor != "" && pages < 10; pages++ {
		got := must(t, 200, "GET", datasets+"?text=findable&sort=name&limit=2&cursor="+url.QueryEscape(cursor), "")
		if got.body["total"] != 3.0 {
			t.Errorf("the total is %v", got.body["total"])
		}
		for _, d := range got.body["datasets"].([]any) {
			names = append(names, d.(map[string]any)["name"])
		}
		cursor, _ = got.body["next_cursor"].(string)
	}
	if fmt.Sprint(names) != "[findable 9 findable 10 findable 11]" {
		t.Errorf("found: %v", names)
	}
	largest := must(t, 200, "GET", datasets+"?text=findable&sort=-bytes&limit=1", "").body["datasets"].([]any)
	if name := largest[0].(map[string]any)["name"]; name != "findable 11" {
		t.Errorf("the largest is %v", name)
	}
}

func TestADatasetListRefusesWhatItCanNotSortBy(t *testing.T) {
	for query, field := range map[string]string{
		"sort=size": "sort", "sort=-": "sort", "sort=--name": "sort", "sort=name&cursor=" + *cursor("3"): "cursor",
	} {
		got := ask(t, "GET", datasets+"?"+query, "")
		if got.status != 422 || got.field() != field {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
}

// The list says of each dataset how many versions it has; the monitor can be asked about some alone.
func TestAListHasVersions(t *testing.T) {
	path := dataset(t, "versioned-in-a-list")
	id := must(t, 200, "GET", path, "").body["id"].(string)
	increment := `{"project_id":1,"dataset_name":"versioned-in-a-list","description":"x","version_type":"major"}`
	first := func() map[string]any {
		got := must(t, 200, "GET", datasets+"?text="+id, "").body["datasets"].([]any)
		return got[0].(map[string]any)
	}
	if d := first(); d["versions"] != 0.0 || d["latest_version"] != nil {
		t.Errorf("without a version: %v, %v", d["versions"], d["latest_version"])
	}
	made := must(t, 200, "POST", datasets+"/versions/increment", increment)
	if d := first(); d["versions"] != 1.0 || d["latest_version"] != made.body["new_version"] {
		t.Errorf("%v, %v; made %s", d["versions"], d["latest_version"], made.text)
	}
	other := dataset(t, "no-version")
	otherID := must(t, 200, "GET", other, "").body["id"].(string)
	got := must(t, 200, "GET", "/api/v1/monitor/versions?dataset_id="+id+","+otherID+",gone", "")
	if list := got.body["unversioned_datasets"].([]any); len(list) != 1 || list[0].(map[string]any)["dataset_id"] != otherID {
		t.Errorf("the monitor of two: %s", got.text)
	}
}
