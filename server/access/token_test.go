package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/access"
)

func TestATokenIsRecognizedByItsForm(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		token := access.NewToken()
		if seen[token] || !access.IsToken(token) || len(token) != 53 || access.CheckToken(token) != nil {
			t.Fatal(token)
		}
		seen[token] = true
		i := 4 + len(seen)%43
		other := byte('0')
		if token[i] == other {
			other = '1'
		}
		for _, wrong := range []string{
			token[:52], token + "0", token[1:], token[:i] + string(other) + token[i+1:], strings.ToUpper(token), " " + token, "",
		} {
			if access.IsToken(wrong) {
				t.Errorf("%q passes for a token", wrong)
			}
		}
	}
}

func TestUserNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"eva": true, "eva@example.com": true, "Éva Ünicode 名": true, strings.Repeat("a", 255): true, "a/b": true,
		"": false, strings.Repeat("a", 256): false, "a\nb": false, "a\x00b": false, "a\u0085b": false, " eva": false,
		"eva ": false,
		"a:b":  false, "\xff": false, access.NewToken(): false, "rbk_x": false, "session.x": false, access.Anonymous: false,
	} {
		if err := access.CheckUserName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAFileOfTokens(t *testing.T) {
	hex := fmt.Sprintf("%x", access.HashOf("t1"))
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) (access.Fixed, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return access.ReadFile(path)
	}
	all, err := write("# those of the pipeline\n\neva:t0\n  max:sha256:" + hex + "  reader \r\nEva Müller:t2 writer\n")
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	gate := access.New(access.Options{Fixed: all})
	for token, want := range map[string]struct {
		user string
		role access.Role
	}{"t0": {"eva", access.Admin}, "t1": {"max", access.Reader}, "t2": {"Eva Müller", access.Writer}} {
		c, _ := gate.Identify(home, "Bearer "+token, "")
		if c.User != want.user || c.Role(7) != want.role || c.Token != "file" {
			t.Errorf("%s: %+v", token, c)
		}
	}
	for _, wrong := range []string{
		"eva", ":t0", "eva:", "eva:t0 owner", "eva:t0 reader x", "eva:sha256:12", "eva:sha256:" + hex[:63] + "x",
		"eva:t0\nmax:t0", "a\tb:t0", "eva:a;b", "eva:t1\nmax:sha256:" + hex,
	} {
		if all, err := write(wrong); err == nil || strings.Contains(err.Error(), "t0") || all != nil {
			t.Errorf("%q: %v, %v", wrong, all, err)
		}
	}
}

// A session stands for the token that it was opened with: it ends with the token, and has no more rights.
func TestASessionEndsWithItsToken(t *testing.T) {
	fixed := access.Tokens{"t0": "eva"}.Fixed()
	fixed[access.HashOf("t1")] = access.FixedUser{Name: "max", Role: access.Reader, Source: "file"}
	gate := access.New(access.Options{Fixed: fixed})
	session, err := gate.Login(home, "whoever", "t1")
	if err != nil {
		t.Fatal(err)
	}
	c, known := gate.Identify(home, "", session)
	if !known || c.User != "max" || c.Role(1) != access.Reader || c.IsAdmin() || len(c.Session) != 12 ||
		strings.Contains(session, c.Session) {
		t.Errorf("%+v", c)
	}
	if _, err := gate.Login(home, "max", session); err == nil {
		t.Error("a session opens another")
	}
	gate.Replace(access.Tokens{"t0": "eva"}.Fixed())
	if again, known := gate.Identify(home, "", session); known || c.Again().IsKnown() {
		t.Errorf("%+v after its token is gone", again)
	}
	gate.Replace(nil)
	if _, known := gate.Identify(home, "Bearer anything", ""); known || gate.IsOpen() {
		t.Error("a server whose tokens are gone lets everyone in")
	}
}
