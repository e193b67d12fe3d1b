package crunch

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
)

// typed makes a dataset of one record with a column of each type, named after the type in lower case.
func typed(t *testing.T, name string) string {
	t.Helper()
	at := must(t, 201, "POST", "/api/datasets/", fmt.Sprintf(`{"body":{"name":%q}}`, name)).location()
	must(t, 201, "POST", at+"variables/", `{"body":{"name":"fraction","type":"numeric","values":[0.125]}}`)
	must(t, 201, "POST", at+"variables/", `{"body":{"name":"moment","type":"datetime","values":["2026-01-31T10:00:00"]}}`)
	for _, v := range [][2]string{
		{"BOOLEAN", "true"}, {"DATE", `"2026-01-31"`}, {"TIMESTAMP", `"2026-01-31T00:00:00"`}, {"DECIMAL(6,2)", `"7.50"`},
		{"VARCHAR", `"x"`}, {"BIGINT", "1"}, {"TIMESTAMPTZ", `"2026-01-31T00:00:00Z"`},
	} {
		alias, _, _ := strings.Cut(strings.ToLower(v[0]), "(")
		_, _, err := keeper.CreateVariable(context.Background(), path.Base(at), storage.NewVariable{
			Name: alias, Type: v[0], Values: []json.RawMessage{json.RawMessage(v[1])},
		}, storage.Request{User: "eva"})
		if err != nil {
			t.Fatal(err)
		}
	}
	return at
}

// types are the types of a dataset's columns, by name.
func types(t *testing.T, at string) string {
	t.Helper()
	s, err := keeper.State(context.Background(), path.Base(at), "head")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range s.Schema.Columns {
		out = append(out, c.Name+" "+c.Type.String())
	}
	return strings.Join(out, ", ")
}

// An update never makes another value of the one that the client sent, nor another type of the column.
func TestAnUpdateTakesExactlyWhatTheTypeOfTheVariableHolds(t *testing.T) {
	at := typed(t, "exact")
	before, data := types(t, at), must(t, 200, "GET", at+"table/", "").at("data")
	call := func(function, args string) string { return `{"function":"` + function + `","args":[` + args + `]}` }
	for _, c := range [][2]string{
		{"boolean", `{"value":1}`}, {"boolean", `{"value":"yes"}`}, {"boolean", `{"value":"1"}`},
		{"boolean", `{"var":"bigint"}`},
		{"date", `{"value":"2026-01-31T10:00:00"}`}, {"date", `{"value":20260131}`}, {"date", `{"var":"moment"}`},
		{"date", `{"value":"2026-01-31T00:00:00+02:00"}`},
		{"timestamp", `{"value":"2026-01-31T10:00:00+02:00"}`}, {"timestamp", `{"value":"2026-01-31T10:00:00.1234567"}`},
		{"timestamp", `{"value":true}`}, {"timestamptz", `{"value":"2026-01-31T10:00:00.1234567Z"}`},
		{"decimal", `{"value":7.255}`}, {"decimal", `{"value":12345}`}, {"decimal", `{"value":true}`},
		{"decimal", `{"value":"7"}`},
		{"decimal", call("+", `{"var":"decimal"},{"value":0.001}`)}, {"decimal", `{"var":"fraction"}`},
		{"decimal", `{"value":1e-3}`},
		{"varchar", `{"value":7}`}, {"varchar", `{"value":true}`}, {"varchar", `{"var":"bigint"}`},
		{"bigint", `{"value":true}`}, {"bigint", `{"value":"7"}`},
	} {
		got := ask(t, "POST", at+"table/", `{"command":"update","variables":{"`+c[0]+`":`+c[1]+`}}`)
		if got.status != 422 {
			t.Errorf("%s = %s: %d %s", c[0], c[1], got.status, got.text)
		}
	}
	if after := types(t, at); after != before {
		t.Errorf("the types were %s and are %s", before, after)
	}
	if after := must(t, 200, "GET", at+"table/", "").at("data"); fmt.Sprint(after) != fmt.Sprint(data) {
		t.Errorf("the values were %v and are %v", data, after)
	}
	for _, c := range [][2]string{
		{"boolean", `{"value":false}`}, {"boolean", `{"value":"true"}`},
		{"boolean", call("<", `{"var":"bigint"},{"value":2}`)},
		{"boolean", `{"value":null}`}, {"date", `{"value":"2026-02-01"}`}, {"date", `{"value":"2026-02-01T00:00:00"}`},
		{"date", `{"var":"timestamp"}`}, {"timestamp", `{"value":"2026-01-31T10:00:00.123456000"}`},
		{"timestamp", `{"var":"date"}`},
		{"timestamptz", `{"value":"2026-01-31T10:00:00+02:00"}`}, {"decimal", `{"value":7.2e0}`},
		{"decimal", `{"value":-9999.99}`},
		{"decimal", call("/", `{"var":"decimal"},{"value":3}`)}, {"decimal", `{"var":"bigint"}`},
		{"varchar", `{"value":"7"}`},
		{"varchar", `{"value":{"?":-1}}`}, {"bigint", `{"value":9007199254740993}`},
	} {
		must(t, 204, "POST", at+"table/", `{"command":"update","variables":{"`+c[0]+`":`+c[1]+`}}`)
	}
	if after := types(t, at); after != before {
		t.Errorf("the types were %s and are %s", before, after)
	}
	s, _ := keeper.State(context.Background(), path.Base(at), "head")
	c, _ := s.Schema.ByName("bigint")
	got := must(t, 200, "GET", at+"variables/"+variableID(c)+"/values/", "").text
	if !strings.Contains(got, "9007199254740993") {
		t.Error(got)
	}
}
