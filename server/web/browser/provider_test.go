package browser

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// provider starts the identity provider of fixtures/providers, with one user, and returns its issuer.
func provider(t *testing.T) (issuer string) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "oidc"), "./oidc")
	build.Dir = filepath.Join("..", "..", "..", "fixtures", "providers") // a module of its own
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the provider: %v\n%s", err, out)
	}
	users := filepath.Join(dir, "users.json")
	text := `{"1":{"Username":"ada","Password":"a","Email":"ada@example.com","EmailVerified":true,"Groups":["team"]}}`
	if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "oidc"), users)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// Whoever has an account at the provider is led there by a link, logs in there, and is back on the page that they
// wanted; logged out, the link is there again.
func TestAPersonLogsInAtTheProvider(t *testing.T) {
	chromium(t)
	issuer := provider(t)
	s, err := start("root-token-of-the-tests", "--oidc-issuer", issuer, "--oidc-client-id", "rowback",
		"--oidc-client-secret", "secret", "--oidc-role", "team=reader")
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	b := visit(t, s, "/datasets/employees/history?x=1")
	b.allow("a request elsewhere: " + issuer)
	b.at("/login")
	link := "Log in with " + strings.TrimPrefix(issuer, "http://")
	b.see(link)
	b.accessible()
	b.click("link", link)
	b.until("the provider asks for no password", func() bool {
		var there bool
		b.eval("location.origin === "+strconv.Quote(strings.TrimSuffix(issuer, "/"))+
			" && document.querySelector('[name=password]') !== null", &there)
		return there
	})
	for field, value := range map[string]string{"username": "ada", "password": "a"} {
		b.eval("document.querySelector('[name="+field+"]').value = "+strconv.Quote(value), nil)
	}
	b.eval("document.querySelector('[name=password]').focus()", nil)
	b.press(kb.Enter)
	b.at("/datasets/employees/history?x=1")
	b.see("ada@example.com")
	b.click("button", "Log out")
	b.at("/login")
	b.see(link)

	// A login that was begun elsewhere ends on a page that says so, and leads back.
	answer, err := http.Get(s.url + "/api/v1/login/callback?code=x&state=y")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a login that no one began: %d", answer.StatusCode)
	}
}
