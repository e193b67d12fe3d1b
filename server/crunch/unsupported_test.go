package crunch

import (
	"strings"
	"testing"
)

// What Crunch has and Rowback does not is refused by its name, with what there is, wherever expressions are taken.
func TestExpressionsOfCrunchThatAreNotSupportedAreRefusedByName(t *testing.T) {
	path := people(t, "unsupported")
	for name, text := range map[string]string{
		"fill":    `{"function":"fill","args":[{"var":"sex"},{"map":{"1":{"var":"age"}}}]}`,
		"rollup":  `{"function":"rollup","args":[{"var":"age"},{"value":"M"}]}`,
		"bin":     `{"function":"bin","args":[{"var":"age"}]}`,
		"array":   `{"function":"array","args":[{"function":"select","args":[{"map":{"1":{"var":"age"}}}]}]}`,
		"adapt":   `{"function":"adapt","args":[{"dataset":"/api/datasets/d/"},{"variable":"/api/datasets/d/variables/1/"}]}`,
		"join":    `{"function":"join","args":{"left":{"var":"age"}}}`,
		"trim":    `{"function":"trim","args":["age",1]}`,
		"lookup":  `{"function":"lookup","args":[{"variable":"/api/datasets/d/variables/000001/"},{"var":"nothing"}]}`,
		"as_bool": `{"function":"as_bool","args":[null]}`,
	} {
		for where, body := range map[string][3]string{
			"derivation": {"POST", "variables/", `{"body":{"name":"new","derivation":` + text + `}}`},
			"exclusion":  {"PATCH", "exclusion/", `{"expression":` + text + `}`},
			"filter":     {"POST", "table/", `{"command":"delete","filter":` + text + `}`},
			"nested":     {"PATCH", "exclusion/", `{"expression":{"function":"not","args":[` + text + `]}}`},
		} {
			got := ask(t, body[0], path+body[1], body[2])
			if says := `unknown function "` + name + `"; the functions are +, -`; got.status != 422 ||
				got.code() != "invalid_expression" || !strings.Contains(got.text, strings.ReplaceAll(says, `"`, `\"`)) {
				t.Errorf("%s in %s: %d %s", name, where, got.status, got.text)
			}
		}
	}
	got := ask(t, "PATCH", path+"exclusion/",
		`{"expression":{"function":"is_valid","args":[{"map":{"1":{"var":"age"}}}]}}`)
	if got.status != 422 || !strings.Contains(got.text, "map") {
		t.Errorf("a map: %d %s", got.status, got.text)
	}
}
