package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/fault"
)

func TestAnUnknownNameIsRefusedWithTheMostSimilarOne(t *testing.T) {
	known := []string{"expected_head", "dry_run", "message", "key"}
	for name, nearest := range map[string]any{
		"expected-head": "expected_head", "ExpectedHead": "expected_head", "expectedhed": "expected_head",
		"dryRun": "dry_run", "dry-run": "dry_run", "mesage": "message", "kye": "key", "project": nil, "x": nil,
	} {
		err := unknown("parameter", "at."+name, name, known)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != "unknown_parameter" || e.Fields["parameter"] != "at."+name ||
			e.Fields["nearest"] != nearest {
			t.Errorf("%s: %v, %v", name, err, e.Fields)
		}
		if nearest == nil && !strings.Contains(e.Detail, "It takes expected_head, dry_run, message, key.") {
			t.Errorf("%s: %s", name, e.Detail)
		}
	}
	if err := unknown("field", "x", "x", nil); !strings.Contains(err.Error(), "takes none") {
		t.Error(err)
	}
	long := strings.Repeat("x", 1000)
	if err := unknown("field", long, long, known); len(err.Error()) > 300 {
		t.Errorf("a long name is repeated: %d bytes", len(err.Error()))
	}
}

// members has what a body may have.
type members struct {
	shared
	Name  string `json:"name"`
	Given string // its own name
	Skip  string `json:"-"`
	Deep  *struct {
		On bool `json:"on"`
	} `json:"deep"`
	List []struct {
		ID int `json:"id"`
	} `json:"list"`
	Free map[string]any  `json:"free"`
	Raw  json.RawMessage `json:"raw"`
}

func TestUnknownMembersAreFoundAtAnyDepth(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a","Given":"b","deep":{"on":true},"list":[{"id":1}],"free":{"any":1},"raw":{"any":1}}`: "",
		`{"nam":"a"}`:                        "nam",
		`{"who":"a"}`:                        "who", // it comes from the path
		`{"Skip":"a"}`:                       "Skip",
		`{"deep":{"off":1}}`:                 "deep.off",
		`{"deep":null,"list":null}`:          "",
		`{"list":[{"id":1},{"id":2,"x":1}]}`: "list[1].x",
		`{"list":{"x":1}}`:                   "", // of the wrong type: decoding it fails
		`[1]`:                                "",
	} {
		err := checkFields([]byte(text), reflect.TypeFor[members](), "")
		var e *fault.Error
		if want == "" && err != nil || want != "" && (!errors.As(err, &e) || e.Fields["field"] != want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A null in a change would leave the field as it is, which is not what it says.
func TestANullInAChangeIsRefused(t *testing.T) {
	for body, field := range map[string]string{
		`{"description": null}`: "description", `{"a": 1, "quality_column": null}`: "quality_column",
		`{"description": ""}`: "", `{"metadata": {"k": null}}`: "", `[null]`: "", `null`: "",
	} {
		err := checkNulls("PATCH", []byte(body))
		var e *fault.Error
		if errors.As(err, &e) != (field != "") || e != nil && e.Fields["field"] != field {
			t.Errorf("%s: %v, want field %q", body, err, field)
		}
		if err := checkNulls("POST", []byte(body)); err != nil {
			t.Errorf("%s in a POST: %v", body, err)
		}
	}
}
