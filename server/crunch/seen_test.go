package crunch

import (
	"strings"
	"testing"
)

// Clients give values for the records that they see. The others have none.
func TestANewVariableHasValuesForTheRecordsThatAreSeen(t *testing.T) {
	path := people(t, "seen")
	exclude := func(text string) {
		t.Helper()
		must(t, 204, "PATCH", path+"exclusion/", `{"expression":`+text+`}`)
	}
	values := func(id, want string) {
		t.Helper()
		if got := column(t, path, id); got != want {
			t.Errorf("%s has %s, want %s", id, got, want)
		}
	}
	exclude(`{"function":"==","args":[{"var":"word"},{"value":"two"}]}`)
	for _, wrong := range []string{`[1]`, `[1,2,3]`, `[1,2,3,4]`} {
		got := must(t, 422, "POST", path+"variables/", `{"body":{"name":"n","type":"numeric","values":`+wrong+`}}`)
		if got.code() != "values_count" || !strings.Contains(got.text, "2 records that are not excluded") {
			t.Errorf("%s: %s", wrong, got.text)
		}
	}
	must(t, 201, "POST", path+"variables/", `{"body":{"name":"n","type":"numeric","values":[1,3]}}`)
	must(t, 201, "POST", path+"variables/", `{"body":{"name":"c","type":"categorical","values":[{"?":-1},"x"],
		"categories":[{"id":7,"name":"x"}]}}`)
	must(t, 201, "POST", path+"variables/", `{"body":{"name":"none","type":"text"}}`)
	values("000004", `[1,3]`)
	values("000005", `[{"?":-1},7]`)
	exclude(`{}`)
	values("000004", `[1,{"?":-1},3]`)
	values("000005", `[{"?":-1},{"?":-1},7]`)
	exclude(`{"function":"is_valid","args":[{"var":"word"}]}`) // of which there are none left
	must(t, 422, "POST", path+"variables/", `{"body":{"name":"m","type":"numeric","values":[1]}}`)
	must(t, 201, "POST", path+"variables/", `{"body":{"name":"m","type":"numeric","values":[]}}`)
}
