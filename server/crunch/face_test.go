package crunch

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"strings"
	"testing"
)

func TestADatasetIsFilledVariableByVariable(t *testing.T) {
	path := people(t, "filled")
	if got := column(t, path, "000001"); got != `[30,{"?":-1},50]` {
		t.Error(got)
	}
	if got := column(t, path, "000002"); got != `[1,2,{"?":-1}]` {
		t.Error(got)
	}
	summary := must(t, 200, "GET", path+"summary/", "")
	if summary.at("value.unweighted.total") != 3.0 || summary.at("value.columns") != 3.0 {
		t.Error(summary.text)
	}
	age := must(t, 200, "GET", path+"variables/000001/", "")
	if age.at("body.alias") != "age" || age.at("body.name") != "Age in years" || age.at("body.type") != "numeric" {
		t.Error(age.text)
	}
	counts := must(t, 200, "GET", path+"variables/000001/summary/", "")
	if counts.at("value.n_valid") != 2.0 || counts.at("value.n_missing") != 1.0 || counts.at("value.n_total") != 3.0 {
		t.Error(counts.text)
	}
	second := must(t, 200, "GET", path+"table/?offset=1&limit=1", "")
	if second.at("element") != tableElement || fmt.Sprint(second.at("data.000003")) != "[two]" {
		t.Error(second.text)
	}
}

func TestAnAnswersURLsAreServed(t *testing.T) {
	path := people(t, "linked")
	entity := must(t, 200, "GET", path, "")
	for _, kind := range []string{"catalogs", "fragments", "views"} {
		for name, url := range entity.body[kind].(map[string]any) {
			at := strings.TrimPrefix(url.(string), "http://example.com")
			if got := must(t, 200, "GET", at, ""); got.at("self") == nil {
				t.Errorf("%s at %s: %s", name, at, got.text)
			}
		}
	}
	if got := must(t, 200, "GET", "/api/datasets_by_name/linked/", ""); !strings.Contains(got.text, path) {
		t.Error(got.text)
	}
	for _, at := range []string{
		"/api", "/api/", "/api/feature_flag/?feature_name=x", "/api/users/eva/", "/api/progress/",
	} {
		must(t, 200, "GET", at, "")
	}
}

func TestRecordsAreUpdatedAndDeletedByCommand(t *testing.T) {
	path := people(t, "commanded")
	update := `{"command":"update","variables":{"age":{"value":41},"000002":{"value":2}},
		"filter":{"function":"==","args":[{"var":"word"},{"value":"one"}]}}`
	must(t, 204, "POST", path+"table/", update)
	if got := column(t, path, "000001") + column(t, path, "000002"); got != `[41,{"?":-1},50][2,2,{"?":-1}]` {
		t.Error(got)
	}
	each := `{"command":"update","variables":{"age":{"column":[1,2,3]}}}`
	must(t, 204, "POST", path+"table/", each)
	if got := column(t, path, "000001"); got != `[1,2,3]` {
		t.Error(got)
	}
	few := must(t, 422, "POST", path+"table/", `{"command":"update","variables":{"age":{"column":[1,2]}}}`)
	if few.body["field"] != "variables" || !strings.Contains(few.text, "2 values") {
		t.Error(few.text)
	}
	below3 := `{"function":"<","args":[{"var":"age"},{"value":3}]}`
	must(t, 204, "POST", path+"table/", `{"command":"delete","filter":`+below3+`}`)
	if got := column(t, path, "000001"); got != `[3]` {
		t.Error(got)
	}
	none := `{"command":"update","variables":{"age":{"value":9}},"filter":` + below3 + `}`
	must(t, 204, "POST", path+"table/", none)
	if got := column(t, path, "000001"); got != `[3]` {
		t.Errorf("an update that selects no record: %s", got)
	}
}

func TestExcludedRecordsAreNotSeenAndStay(t *testing.T) {
	path := people(t, "excluded")
	young := `{"expression":{"function":"<","args":[{"var":"age"},{"value":40}]}}`
	must(t, 204, "PATCH", path+"exclusion/", young)
	if got := must(t, 200, "GET", path+"summary/", ""); got.at("value.unweighted.total") != 2.0 {
		t.Error(got.text)
	}
	if got := column(t, path, "000003"); got != `["two","three"]` {
		t.Error(got)
	}
	shown := must(t, 200, "GET", path+"exclusion/", "")
	if shown.at("body.expression.function") != "<" {
		t.Error(shown.text)
	}
	must(t, 204, "POST", path+"table/", `{"command":"update","variables":{"word":{"value":"x"}}}`)
	must(t, 204, "PATCH", path+"exclusion/", `{"body":{"expression":{}}}`)
	if got := column(t, path, "000003"); got != `["one","x","x"]` {
		t.Errorf("an excluded record was changed: %s", got)
	}
	must(t, 422, "PATCH", path+"exclusion/", `{}`)
	must(t, 422, "PATCH", path+"exclusion/", `{"expression":{"var":"age"}}`)
}

func TestAVariableIsCastChangedAndDropped(t *testing.T) {
	path := people(t, "changed")
	may := must(t, 200, "GET", path+"variables/000003/cast/?cast_as=categorical", "")
	if may.at("value.cast_as") != "categorical" || may.at("value.type") != "text" {
		t.Error(may.text)
	}
	must(t, 204, "POST", path+"variables/000003/cast/", `{"cast_as":"categorical"}`)
	word := must(t, 200, "GET", path+"variables/000003/", "")
	if list, _ := word.at("body.categories").([]any); word.at("body.type") != "categorical" || len(list) != 3 {
		t.Error(word.text)
	}
	if got := column(t, path, "000003"); got != `[1,3,2]` { // in the order of their names
		t.Error(got)
	}
	must(t, 422, "GET", path+"variables/000003/cast/?cast_as=array", "")
	must(t, 204, "PATCH", path+"variables/000001/", `{"body":{"alias":"years"}}`)
	age := must(t, 200, "GET", path+"variables/000001/", "")
	if age.at("body.alias") != "years" || age.at("body.name") != "Age in years" {
		t.Error(age.text)
	}
	must(t, 204, "DELETE", path+"variables/000001/", "")
	gone := must(t, 404, "GET", path+"variables/000001/", "")
	if gone.code() != "variable_not_found" || gone.body["message"] != gone.body["detail"] {
		t.Error(gone.text)
	}
}

func TestASavepointIsMadeOnceForAStateAndRevertedTo(t *testing.T) {
	path := people(t, "saved")
	made := must(t, 201, "POST", path+"savepoints/", `{"body":{"description":"before"}}`)
	first := must(t, 303, "GET", made.location(), "").location()
	again := must(t, 303, "POST", path+"savepoints/", `{"description":"again"}`)
	if again.location() != first {
		t.Errorf("%s, then %s", first, again.location())
	}
	entity := must(t, 200, "GET", first, "")
	if entity.at("body.description") != "before" {
		t.Error(entity.text)
	}
	must(t, 204, "PATCH", first, `{"body":{"description":"described"}}`)
	must(t, 204, "DELETE", path+"variables/000003/", "")
	must(t, 200, "GET", first+"revert/", "")
	reverting := must(t, 202, "POST", first+"revert/", "")
	if got := must(t, 200, "GET", reverting.location(), ""); got.at("value.progress") != 100.0 {
		t.Error(got.text)
	}
	if got := column(t, path, "000003"); got != `["one","two","three"]` {
		t.Error(got)
	}
}

func TestAForkIsMergedBack(t *testing.T) {
	path := people(t, "upstream")
	fork := must(t, 201, "POST", path+"forks/", `{"body":{"name":"mine","is_published":false}}`).location()
	if got := must(t, 200, "GET", fork, ""); got.at("body.is_published") != false || got.at("body.name") != "mine" {
		t.Error(got.text)
	}
	must(t, 204, "POST", fork+"table/", `{"command":"update","variables":{"word":{"value":"x"}}}`)
	delta := must(t, 200, "GET", fork+"actions/since_forking/", "")
	if list, _ := delta.at("value.actions").([]any); len(list) != 1 || delta.at("value.upstream.name") != "upstream" {
		t.Error(delta.text)
	}
	merge := fmt.Sprintf(`{"body":{"dataset":"http://example.com%s"}}`, fork)
	must(t, 204, "POST", path+"actions/", merge)
	if got := column(t, path, "000003"); got != `["x","x","x"]` {
		t.Error(got)
	}
	must(t, 204, "POST", path+"actions/", merge) // there is nothing left to play
	if got := must(t, 200, "GET", path+"forks/", ""); len(got.body["index"].(map[string]any)) != 1 {
		t.Error(got.text)
	}
	must(t, 204, "DELETE", fork, "")
	if got := must(t, 200, "GET", path+"forks/", ""); len(got.body["index"].(map[string]any)) != 0 {
		t.Error(got.text)
	}
}

// upload sends a file as the clients do, and returns the path of its source.
func upload(t *testing.T, text string) string {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	out, err := w.CreateFormFile("uploaded_file", "more.csv")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(out, text)
	w.Close()
	return must(t, 201, "POST", "/api/sources/", body.String(), "Content-Type", w.FormDataContentType()).location()
}

func TestAFileIsUploadedAndAppended(t *testing.T) {
	path := people(t, "appended")
	source := upload(t, "word,age,sex\nfour,60,F\n")
	if got := must(t, 200, "GET", source, ""); got.at("body.name") != "more.csv" || got.at("body.size") != 23.0 {
		t.Error(got.text)
	}
	batch := must(t, 201, "POST", path+"batches/", fmt.Sprintf(`{"body":{"source":"http://example.com%s"}}`, source))
	if got := must(t, 200, "GET", batch.location(), ""); got.at("body.status") != appendedStatus {
		t.Error(got.text)
	}
	if got := column(t, path, "000001") + column(t, path, "000002"); got != `[30,{"?":-1},50,60][1,2,{"?":-1},1]` {
		t.Error(got)
	}
	wrong := upload(t, "word,sex\nfive,X\n")
	refused := must(t, 201, "POST", path+"batches/", fmt.Sprintf(`{"body":{"source":%q}}`, wrong))
	status := must(t, 200, "GET", refused.location(), "")
	if status.at("body.status") != errorStatus || !strings.Contains(status.text, "not one of its categories") {
		t.Error(status.text)
	}
	if got := must(t, 200, "GET", path+"batches/", ""); len(got.body["index"].(map[string]any)) != 1 {
		t.Errorf("a refused batch left something: %s", got.text)
	}
	must(t, 204, "DELETE", source, "")
	if got := must(t, 404, "GET", source, ""); got.code() != "source_not_found" {
		t.Error(got.text)
	}
}

func TestAnotherDatasetIsAppended(t *testing.T) {
	from, to := people(t, "from"), people(t, "to")
	body := fmt.Sprintf(`{"body":{"dataset":%q,"filter":{"function":">","args":[{"var":"age"},{"value":40}]}},
		"savepoint":true}`, from)
	batch := must(t, 201, "POST", to+"batches/", body)
	if got := must(t, 200, "GET", batch.location(), ""); got.at("body.status") != appendedStatus {
		t.Error(got.text)
	}
	if got := column(t, to, "000003"); got != `["one","two","three","three"]` {
		t.Error(got)
	}
	if got := must(t, 200, "GET", to+"savepoints/", ""); !strings.Contains(got.text, `"Before appending from"`) {
		t.Error(got.text)
	}
	if got := must(t, 422, "POST", to+"batches/", fmt.Sprintf(`{"body":{"dataset":%q}}`, to)); got.body["field"] !=
		"dataset" {
		t.Error(got.text)
	}
}

func TestAnUploadThatHasNoFileIsRefused(t *testing.T) {
	for _, c := range []struct {
		body, media string
		status      int
	}{
		{"", "", 415}, {"a,b", "text/csv", 415}, {"", "multipart/form-data", 415},
		{"--x--\r\n", "multipart/form-data; boundary=x", 422},
		{"--x\r\nContent-Dis", "multipart/form-data; boundary=x", 400},
		{"--x\r\nContent-Disposition: form-data; name=\"uploaded_file\"\r\n\r\nid", "multipart/form-data; boundary=x", 400},
	} {
		if got := ask(t, "POST", "/api/sources/", c.body, "Content-Type", c.media); got.status != c.status {
			t.Errorf("%q as %q: %d %s", c.body, c.media, got.status, got.text)
		}
	}
}

func TestWhatIsNotServedIsAnsweredAsTheClientsExpect(t *testing.T) {
	path := people(t, "refusals")
	for _, c := range []struct {
		method, target, body string
		status               int
	}{
		{"GET", "/api/nothing/", "", 404},
		{"GET", "/api/datasets/nothing/", "", 404},
		{"PUT", path, "", 405},
		{"GET", path + "variables/x/", "", 404},
		{"GET", path + "actions/x/", "", 404},
		{"GET", path + "batches/x/", "", 404},
		{"GET", path + "table/?limit=-1", "", 422},
		{"POST", "/api/datasets/", `{"body":{}}`, 422},
		{"POST", "/api/datasets/?dry_run=true", `{"body":{"name":"x"}}`, 422},
		{"POST", "/api/datasets/", `{"body":{"name":"refusals","force":false}}`, 409},
		{"PATCH", path, `{"body":{"current_editor":"/api/users/other/"}}`, 422},
		{"PATCH", path + "?expected_head=99", `{"body":{"name":"x"}}`, 409},
		{"POST", path + "variables/", `{"body":{"name":"age","type":"text"}}`, 409},
		{"POST", path + "actions/", `{"body":{}}`, 422},
	} {
		got := ask(t, c.method, c.target, c.body)
		if got.status != c.status || got.body["message"] == nil || got.body["message"] != got.body["description"] {
			t.Errorf("%s %s: %d %s", c.method, c.target, got.status, got.text)
		}
		if c.status == 405 && got.header.Get("Allow") != "GET, PATCH, DELETE" {
			t.Errorf("%v", got.header)
		}
	}
}

func TestARequestWithAKeyIsDoneOnce(t *testing.T) {
	body := `{"body":{"name":"once"}}`
	first := must(t, 201, "POST", "/api/datasets/", body, "Idempotency-Key", "once")
	again := must(t, 201, "POST", "/api/datasets/", body, "Idempotency-Key", "once")
	if first.location() != again.location() {
		t.Errorf("%s, then %s", first.location(), again.location())
	}
	if got := ask(t, "POST", "/api/datasets/", `{"body":{"name":"twice"}}`, "Idempotency-Key", "once"); got.status < 400 {
		t.Errorf("another request under the key: %d %s", got.status, got.text)
	}
}

func TestADeclaredKeyStays(t *testing.T) {
	path := people(t, "keyless")
	if got := must(t, 200, "GET", path+"pk/", ""); fmt.Sprint(got.at("body.pk")) != "[]" {
		t.Error(got.text)
	}
	must(t, 204, "DELETE", path+"pk/", "")
}

func TestALoginSetsACookieThatEndsWithTheLogout(t *testing.T) {
	login := `{"email":"anyone@x.org","password":"t0"}`
	told := must(t, 204, "POST", "/api/login/", login, "Authorization", "")
	cookie, _, _ := strings.Cut(told.header.Get("Set-Cookie"), ";")
	if !strings.HasPrefix(cookie, "token=") || !strings.Contains(told.header.Get("Set-Cookie"), "HttpOnly") {
		t.Fatal(told.header)
	}
	root := must(t, 200, "GET", "/api/", "", "Authorization", "", "Cookie", cookie)
	if root.at("urls.user_url") != "http://example.com/api/users/eva/" {
		t.Error(root.text)
	}
	must(t, 204, "POST", "/api/logout/", "", "Authorization", "", "Cookie", cookie)
	for what, headers := range map[string][]string{
		"no token": {"Authorization", ""}, "a session that has ended": {"Authorization", "", "Cookie", cookie},
		"another token": {"Authorization", "Bearer t1"},
	} {
		got := ask(t, "GET", "/api/", "", headers...)
		if got.status != 401 || got.at("urls.login_url") != "http://example.com/api/login/" {
			t.Errorf("%s: %d %s", what, got.status, got.text)
		}
	}
	must(t, 401, "POST", "/api/login/", `{"email":"eva","password":"wrong"}`, "Authorization", "")
}

// The actions come in pages where a client asks for that, and each page leads to the next.
func TestActionsInPages(t *testing.T) {
	path := people(t, "paged")
	for _, value := range []string{"x", "y", "z"} {
		must(t, 204, "POST", path+"table/", `{"command":"update","variables":{"word":{"value":"`+value+`"}}}`)
	}
	all := must(t, 200, "GET", path+"actions/", "")
	if _, more := all.at("views").(map[string]any)["next"]; more {
		t.Errorf("all have a next page: %s", all.text)
	}
	seen, pages := map[string]any{}, 0
	for next := path + "actions/?limit=2&sort=datetime"; next != ""; pages++ {
		page := must(t, 200, "GET", next, "")
		index := page.at("index").(map[string]any)
		if len(index) > 2 {
			t.Errorf("%s has %d actions", next, len(index))
		}
		maps.Copy(seen, index)
		url, _ := page.at("views").(map[string]any)["next"].(string)
		_, next, _ = strings.Cut(url, "/api/")
		if next != "" {
			next = "/api/" + next
		}
	}
	if len(seen) != len(all.at("index").(map[string]any)) || pages != (len(seen)+1)/2 {
		t.Errorf("%d actions in %d pages: %s", len(seen), pages, all.text)
	}
	must(t, 422, "GET", path+"actions/?limit=some", "")
}
