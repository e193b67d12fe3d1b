package api

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

func TestALimitIsFrom1To1000(t *testing.T) {
	for asked, want := range map[int]int{1: 1, 1000: 1000, 7: 7} {
		if got, err := (pageIn{Limit: &asked}).limit(); got != want || err != nil {
			t.Errorf("%d: %d, %v", asked, got, err)
		}
	}
	if got, err := (pageIn{}).limit(); got != 100 || err != nil {
		t.Errorf("none: %d, %v", got, err)
	}
	for _, asked := range []int{0, -1, 1001} {
		if _, err := (pageIn{Limit: &asked}).limit(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d: %v", asked, err)
		}
	}
}

func TestACursorReadsBack(t *testing.T) {
	for _, last := range []string{"", "1", "a b/ü?"} {
		if got, err := (pageIn{Cursor: *cursor(last)}).after(); got != last || err != nil {
			t.Errorf("%q: %q, %v", last, got, err)
		}
	}
	if _, err := (pageIn{Cursor: "***"}).after(); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestAPageGoesOnAfterTheCommitOfItsCursor(t *testing.T) {
	two, list := 2, []catalog.Commit{{ID: 9}, {ID: 7}, {ID: 4}, {ID: 2}}
	page, next, err := pageIn{Limit: &two}.page(list)
	if err != nil || len(page) != 2 || page[1].ID != 7 || next == nil {
		t.Fatalf("%v, %v, %v", page, next, err)
	}
	// A commit that came since does not move the next page.
	page, next, err = pageIn{Limit: &two, Cursor: *next}.page(append([]catalog.Commit{{ID: 11}}, list...))
	if err != nil || len(page) != 2 || page[0].ID != 4 || page[1].ID != 2 || next != nil {
		t.Errorf("%v, %v, %v", page, next, err)
	}
	for _, wrong := range []string{*cursor("5"), "!", *cursor("x")} {
		if _, _, err := (pageIn{Cursor: wrong}).page(list); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// Walking the pages of a list meets each of its entries once, in the order of the whole list.
func TestPagesCoverAListOnce(t *testing.T) {
	for i := range 3 {
		must(t, 201, "POST", datasets, fmt.Sprintf(`{"name":"page %d","project_id":77}`, i))
	}
	for path, c := range map[string]struct {
		name, id string
		want     int
	}{
		employees + "/commits?":     {"commits", "id", 3},
		employees + "/actions?":     {"actions", "commit_id", 3},
		datasets + "?project_id=77": {"datasets", "id", 3},
	} {
		var seen []any
		for cursor, pages := "", 0; pages == 0 || cursor != "" && pages < 10; pages++ {
			got := must(t, 200, "GET", path+"&limit=1&cursor="+url.QueryEscape(cursor), "")
			for _, entry := range got.body[c.name].([]any) {
				seen = append(seen, entry.(map[string]any)[c.id])
			}
			cursor, _ = got.body["next_cursor"].(string)
		}
		var want []any
		for _, entry := range must(t, 200, "GET", path, "").body[c.name].([]any) {
			want = append(want, entry.(map[string]any)[c.id])
		}
		if len(want) < c.want || fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", path, seen, want)
		}
	}
}

func TestAListRefusesACursorThatIsNotItsOwn(t *testing.T) {
	for _, path := range []string{employees + "/commits", employees + "/actions", employees + "/merges"} {
		got := ask(t, "GET", path+"?cursor="+*cursor("not a number"), "")
		if got.status != 422 || got.field() != "cursor" {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
}

func TestADatasetIsMadeEditedDeletedAndBroughtBack(t *testing.T) {
	made := must(t, 201, "POST", datasets, `{"name":"life","key":["id"],"description":"first","metadata":{"a":1,"b":2}}`)
	path := made.header.Get("Location")
	if path != datasets+"/"+fmt.Sprint(made.body["id"]) || made.body["head"] != 0.0 || made.body["upstream_id"] != nil {
		t.Errorf("%s, %s", path, made.text)
	}
	edited := must(t, 200, "PATCH", path+"?expected_head=0", `{"name":"lives","metadata":{"a":null,"c":3}}`)
	if edited.body["name"] != "lives" || edited.body["description"] != "first" || edited.body["head"] == 0.0 ||
		fmt.Sprint(edited.body["metadata"]) != "map[b:2 c:3]" {
		t.Error(edited.text)
	}
	if got := ask(t, "PATCH", path+"?expected_head=0", `{"name":"x"}`); got.status != 409 {
		t.Errorf("%d %s", got.status, got.text)
	}
	must(t, 204, "DELETE", path, "")
	must(t, 404, "GET", datasets+"/lives", "")
	back := must(t, 200, "POST", path+"/undelete", "")
	if back.body["name"] != "lives" || back.body["deleted_at"] != nil {
		t.Error(back.text)
	}
}

func TestADatasetsNameIsGivenOnceInAProject(t *testing.T) {
	if got := ask(t, "POST", datasets, `{"name":"employees"}`); got.status != 409 {
		t.Errorf("%d %s", got.status, got.text)
	}
	must(t, 201, "POST", datasets, `{"name":"employees","project_id":5}`)
	if got := must(t, 200, "GET", employees+"?project_id=5", ""); got.body["head"] != 0.0 {
		t.Error(got.text)
	}
}

func TestRefsAndSchemaAreThoseOfTheDataset(t *testing.T) {
	refs := must(t, 200, "GET", employees+"/refs", "")
	if refs.body["head"] != 3.0 || len(refs.body["versions"].([]any)) != 2 {
		t.Error(refs.text)
	}
	schema := must(t, 200, "GET", employees+"/schema?ref=1.0.0", "")
	if fmt.Sprint(schema.body["key"]) != "[id]" || len(schema.body["columns"].([]any)) != 3 ||
		schema.body["commit"] != 1.0 {
		t.Error(schema.text)
	}
	valid := must(t, 200, "GET", employees+"/validation", "")
	if valid.body["valid"] != true || valid.body["files"] == 0.0 || valid.body["commit"] != 3.0 {
		t.Error(valid.text)
	}
}
