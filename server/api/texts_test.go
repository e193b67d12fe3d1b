package api

import (
	"strings"
	"testing"
)

func TestEveryDescriptionIsFilledAndEveryTextIsUsed(t *testing.T) {
	document := must(t, 200, "GET", "/openapi.json", "")
	if at := strings.Index(document.text, "${"); at >= 0 {
		t.Errorf("the document has %.60s…", document.text[at:])
	}
	for name, text := range texts {
		quoted, err := filled([]byte(`"${` + name + `}"`))
		if err != nil || !strings.Contains(document.text, string(quoted[1:len(quoted)-1])) {
			t.Errorf("no field has the text %s: %s, %v", name, text, err)
		}
	}
}

// A text becomes part of JSON, whatever it says.
func TestATextIsQuotedInTheDocument(t *testing.T) {
	got, err := filled([]byte(`{"description":"${query.sql}","other":"${no_text}"}`))
	if err != nil || !strings.Contains(string(got), `\"employees@1.0.0\"`) ||
		!strings.Contains(string(got), "${no_text}") {
		t.Errorf("%s, %v", got, err)
	}
}
