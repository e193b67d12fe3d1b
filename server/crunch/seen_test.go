package crunch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
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

// Clients give values in the order of the key, whatever the order is in which the records came.
func TestValuesForTheRecordsThatAreSeenAreInTheOrderOfTheKey(t *testing.T) {
	made, err := keeper.CreateDataset(t.Context(),
		storage.NewDataset{ProjectID: 1, Name: "seen in order", Key: []string{"id"}}, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	body := `[{"id":4,"word":"d"},{"id":1,"word":"a"},{"id":3,"word":"c"},{"id":2,"word":"b"}]`
	if _, err := keeper.Commit(t.Context(), made.Dataset.ID, storage.Change{
		Mode: catalog.Append, Upload: intake.Upload{Format: intake.JSON, Body: []byte(body), Size: int64(len(body))},
	}); err != nil {
		t.Fatal(err)
	}
	path := "/api/datasets/" + made.Dataset.ID + "/"
	must(t, 204, "PATCH", path+"exclusion/", `{"expression":{"function":"==","args":[{"var":"word"},{"value":"b"}]}}`)
	must(t, 201, "POST", path+"variables/", `{"body":{"name":"n","type":"numeric","values":[1,3,4]}}`)
	must(t, 204, "PATCH", path+"exclusion/", `{"expression":{}}`)
	shown := must(t, 200, "GET", path+"table/?limit=4", "")
	if got := fmt.Sprint(shown.at("data")); !strings.Contains(got, "[1 map[?:-1] 3 4]") {
		t.Error(shown.text)
	}
}
