package output

import "testing"

func TestLooseJSONBecomesStrict(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":NaN,"b":[-Infinity,inf,1]}`:   `{"a":null,"b":[null,null,1]}`,
		`{"a":[1, ] ,"nan":"NaN \" inf,]"}`: `{"a":[1 ] ,"nan":"NaN \" inf,]"}`,
		`{"a":{"b":1,"b":2}}`:               `{"a":{"b":1,"b":2}}`,
		`{"inf":"Infinity"}`:                `{"inf":"Infinity"}`,
	} {
		if got := strict(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
