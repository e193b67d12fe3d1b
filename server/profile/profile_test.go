package profile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAProfileIsForItsUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rowback", "profiles.json")
	empty, err := Load(path)
	if err != nil || len(empty.By) != 0 {
		t.Fatalf("%v, %v", empty, err)
	}
	want := Profiles{Current: "work", By: map[string]Profile{"work": {Server: "https://data.example.com", Token: "t0"}}}
	if err := want.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others can read the tokens, and the answer is %v", err)
	}
}

func TestAFileThatCanNotBeReadIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profiles.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestTheProfileOfAServer(t *testing.T) {
	known := Profiles{Current: "a", By: map[string]Profile{"a": {"http://x", "1"}, "b": {"http://y", "2"}}}
	for name, want := range map[string]string{"": "1", "a": "1", "b": "2"} {
		if got, err := known.Of(name); err != nil || got.Token != want {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if _, err := known.Of("c"); err == nil {
		t.Error("there is no profile c")
	}
	if known.At("http://y").Token != "2" || known.At("http://z").Token != "" {
		t.Error("a token is for its server")
	}
}
