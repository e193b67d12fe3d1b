package lineage

import (
	"encoding/json"
	"errors"
	"testing"
)

// read reads a lineage that is right.
func read(t *testing.T, text string) Lineage {
	t.Helper()
	l, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLineagesAreCompared(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"nothing":       {`{}`, `{}`, `null`},
		"the same":      {`{"sources": [{"name": "a"}], "parameters": {"p": 1}}`, `{"parameters": {"p":1}, "sources": [{"name": "a"}]}`, `null`},
		"another order": {`{"sources": [{"name": "a"}, {"name": "b"}]}`, `{"sources": [{"name": "b"}, {"name": "a"}]}`, `null`},
		"a file that was changed, and one more": {
			`{"sources": [{"name": "a", "size": 1}]}`, `{"sources": [{"name": "b"}, {"name": "a", "size": 2}]}`,
			`{"sources":{"added":[{"name":"b"}],"changed":[{"from":{"name":"a","size":1},"to":{"name":"a","size":2}}]}}`,
		},
		"two files of one name": {
			`{"sources": [{"name": "a", "size": 1}, {"name": "a", "size": 2}]}`, `{"sources": [{"name": "a", "size": 3}]}`,
			`{"sources":{"added":[{"name":"a","size":3}],"removed":[{"name":"a","size":1},{"name":"a","size":2}]}}`,
		},
		"prompts without a name": {
			`{"prompts": [{"text": "x"}]}`, `{"prompts": [{"text": "y"}]}`,
			`{"prompts":{"added":[{"text":"y"}],"removed":[{"text":"x"}]}}`,
		},
		"parameters, code and run": {
			`{"parameters": {"p": 1, "q": 2}, "code": {"commit": "a"}}`, `{"parameters": {"p": "1"}, "run": {"id": "7"}}`,
			`{"parameters":{"p":{"from":1,"to":"1"},"q":{"from":2,"to":null}},` +
				`"code":{"from":{"commit":"a"},"to":null},"run":{"from":null,"to":{"id":"7"}}}`,
		},
	} {
		got, err := json.Marshal(Compare(read(t, c.from), read(t, c.to)))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

// What a state was made from adds up; of what there is one, the last counts.
func TestLineagesAddUp(t *testing.T) {
	all := read(t, `{"sources": [{"name": "a"}], "parameters": {"p": 1, "q": 1}, "run": {"id": "1"}}`).
		With(read(t, `{"sources": [{"name": "b"}, {"name": "a"}], "parameters": {"q": 2}, "code": {"commit": "c"}}`))
	got, err := json.Marshal(all)
	want := `{"sources":[{"name":"a"},{"name":"b"}],"parameters":{"p":1,"q":2},"code":{"commit":"c"},"run":{"id":"1"}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// The file that is sent becomes a source once, and what can't be read is left to be refused.
func TestASourceIsAdded(t *testing.T) {
	size := int64(3)
	s := Source{Name: "a.csv", SHA256: "ab", Size: &size}
	for metadata, want := range map[string]string{
		``:                        `{"lineage":{"sources":[{"name":"a.csv","sha256":"ab","size":3}]}}`,
		`{"x": 1}`:                `{"lineage":{"sources":[{"name":"a.csv","sha256":"ab","size":3}]},"x":1}`,
		`{"lineage": {"run":{}}}`: `{"lineage":{"run":{},"sources":[{"name":"a.csv","sha256":"ab","size":3}]}}`,
		`{"lineage": {"sources": [{"name": "b.csv", "sha256": "AB"}]}}`: `{"lineage": {"sources": [{"name": "b.csv", "sha256": "AB"}]}}`,
		`{"lineage": 1}`: `{"lineage": 1}`,
	} {
		if got, err := AddSource([]byte(metadata), s); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", metadata, got, err)
		}
	}
	if _, err := AddSource([]byte(`[1]`), s); err == nil {
		t.Error("metadata that is a list took a source")
	}
}

// What is wrong is named by its place.
func TestWhatIsWrongIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"models": ["x"]}`:               "lineage.models[0]",
		`{"sources": [{"name": "a"}, 1]}`: "lineage.sources[1]",
		`{"prompts": [null]}`:             "lineage.prompts[0]",
		`{"inputs": ["a", 5]}`:            "lineage.inputs[1]",
		`{"models": {"name": "x"}}`:       "lineage.models",
		`{"models": [{"nme": "x"}]}`:      "lineage.models[0].nme",
		`{"models": [{"name": 1}]}`:       "lineage.models.name",
		`{"inputs": [{"ref": 5}]}`:        "lineage.inputs.ref",
		`{"run": []}`:                     "lineage.run",
		`{"parameters": 1}`:               "lineage.parameters",
	} {
		var w *Wrong
		if _, err := Read([]byte(text)); !errors.As(err, &w) || w.Where != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What lets somebody in is refused wherever a URI has it; a name that only looks like it is none.
func TestSecretsInAddressesAreRefused(t *testing.T) {
	for uri, isRight := range map[string]bool{
		"s3://a/b?X-Amz-Signature=1":      false,
		"https://h/b?a=1&SIG=q":           false,
		"https://h/b?a;token=q":           false,
		"https://h/b?%74oken=q":           false,
		"https://h/b;token=q":             false,
		"https://h/b#access_token=q":      false,
		"https://tok@h/b":                 false,
		"ssh://git:pass@h/b":              false,
		"https://h/token=/key/b?keys=1#a": true,
		"ssh://git@h/b":                   true,
	} {
		text, err := json.Marshal(map[string]any{"sources": []any{map[string]string{"name": "a", "uri": uri}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(text); (err == nil) != isRight {
			t.Errorf("%s: %v", uri, err)
		}
	}
}
