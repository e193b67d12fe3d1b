package crunch

import (
	"net/http"
	"strings"
	"testing"
)

// No answer of 204 or 201 stands for something that was not done: keys that ask for an effect have it or are refused.
func TestKeysThatAskForAnEffectHaveItOrAreRefused(t *testing.T) {
	path := people(t, "keys")
	own := must(t, 200, "GET", path, "").at("body.owner").(string)
	source := `{"body":{"dataset":"` + people(t, "keys of another") + `",`
	sent := map[[2]string]map[string]string{ // by request: the refused members and their values
		{"PATCH", ""}: {
			"streaming": `"streaming"`, "start_date": `"2026-01-01"`, "end_date": `"2026-01-01"`, "owner": `"x"`,
			"current_editor": `"x"`, "project": `"x"`, "dry_run": `true`,
		},
		{"PATCH", "variables/000003/"}: {
			"notes": `"n"`, "discarded": `true`, "derived": `true`, "categories": `[]`, "type": `"categorical"`,
		},
		{"PATCH", "variables/000001/"}: {"categories": `[]`},
		{"POST", "variables/"}:         {"notes": `"n"`, "discarded": `true`},
		{"POST", "forks/"}:             {"project": `"x"`, "owner": `"x"`, "archived": `true`},
		{"POST", "savepoints/"}:        {"notes": `"n"`, "force": `true`},
		{"POST", "actions/"}:           {"dry_run": `true`, "force": `true`},
		{"POST", "batches/"}:           {"dry_run": `true`},
		{"PATCH", "exclusion/"}:        {"discarded": `true`},
	}
	for request, members := range sent {
		before := must(t, 200, "GET", path+"actions/", "").text
		for member, value := range members {
			body := `{"body":{"name":"n","` + member + `":` + value + `}}`
			if strings.HasPrefix(request[1], "batches") {
				body = source + `"` + member + `":` + value + `}}`
			} else if request[0] == "PATCH" {
				body = `{"body":{"` + member + `":` + value + `}}`
			}
			got := ask(t, request[0], path+request[1], body)
			if got.status != 422 || !strings.Contains(got.text, member) && member != "type" {
				t.Errorf("%v %s: %d %s", request, body, got.status, got.text)
			}
		}
		if after := must(t, 200, "GET", path+"actions/", "").text; after != before {
			t.Errorf("%v: a refused request made a commit", request)
		}
	}
	must(t, 201, "POST", path+"forks/", `{"body":{"name":"f","project":"`+own+`","is_published":false}}`)
	// What is only about how things are shown, and what is not known at all, is ignored, as Crunch does.
	must(t, 201, "POST", path+"variables/", `{"body":{"name":"n","view":{"a":1},"format":{"a":1},"unknown":1}}`)
	must(t, 201, "POST", path+"batches/", source+`"workflow":["x"]}}`)
	must(t, 422, "POST", "/api/datasets/", `{"body":{"name":"d","owner":"x"}}`)
	must(t, 422, "POST", "/api/datasets/", `{"body":{"name":"d","project":"x"}}`)
	must(t, 201, "POST", "/api/datasets/", `{"body":{"name":"d","owner":"`+own+`"}}`)
}

func TestAVariablesTypeAndCategoriesChangeTogether(t *testing.T) {
	path := people(t, "types")
	sex, word := path+"variables/000002/", path+"variables/000003/"
	shows := func(at, kind string) {
		t.Helper()
		if got := must(t, 200, "GET", at, "").at("body.type"); got != kind {
			t.Errorf("%s is %v, want %s", at, got, kind)
		}
	}
	must(t, 204, "PATCH", sex, `{"body":{"type":"text"}}`)
	shows(sex, "text")
	must(t, 422, "PATCH", sex, `{"body":{"type":"categorical"}}`)
	must(t, 422, "PATCH", sex, `{"body":{"type":"categorical","categories":[]}}`)
	must(t, 204, "PATCH", sex, `{"body":{"type":"categorical","categories":[{"name":"F"},{"name":"M"}]}}`)
	shows(sex, "categorical")
	must(t, 422, "PATCH", sex, `{"body":{"type":"text","categories":[{"name":"F"}]}}`)
	must(t, 204, "PATCH", word, `{"body":{"categories":[{"name":"one"},{"name":"two"},{"name":"three"}]}}`)
	shows(word, "categorical")
	must(t, 204, "PATCH", word, `{"body":{"categories":[]}}`) // without any, it is text
	shows(word, "text")
}

// A dry run that is asked for in the query is not carried out, whatever the way in which it is asked for.
func TestNoRouteCarriesOutADryRun(t *testing.T) {
	path := people(t, "dry")
	before := must(t, 200, "GET", path+"actions/", "").text
	routes := 0
	for _, r := range (&Face{}).routes() {
		if r.method == http.MethodGet {
			continue
		}
		routes++
		at := strings.NewReplacer("/api/datasets/:dataset", strings.TrimSuffix(path, "/"), ":variable", "000003",
			":savepoint", "master__000000", ":source", "0", ":id", "0").Replace(r.path)
		for _, query := range []string{"?dry_run=true", "?dry_run=1", "?dry_run", "?dry_run=", "?a=b&dry_run=yes"} {
			got := ask(t, r.method, at+"/"+query, `{"body":{"name":"new"}}`)
			if got.status != 422 || got.code() != "no_effect" || got.at("field") != "dry_run" {
				t.Errorf("%s %s%s: %d %s", r.method, at, query, got.status, got.text)
			}
		}
	}
	if after := must(t, 200, "GET", path+"actions/", "").text; after != before || routes < 15 {
		t.Errorf("%d routes; the actions were %s and are %s", routes, before, after)
	}
	must(t, 204, "PATCH", path+"?dry_run=false", `{"body":{"notes":"done"}}`)
}
