package cli

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Whatever command is given, a server that does not answer and a token that has expired are said in the same words,
// with the remedy and the exit code that the manual gives. The commands are those of the examples that talk to a server.
func TestEveryCommandSaysWhatIsWrongWithItsServer(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for name, text := range map[string]string{"people.csv": "id\n1\n", "report.sql": "SELECT 1"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expired := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"status":401,"code":"unauthorized","detail":"Send the header Authorization: Bearer TOKEN."}`))
	}))
	defer expired.Close()
	parser, err := newParser(&program{}, console{}, nil) // one for all: it takes longer to make than to ask
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, path := range slices.Sorted(maps.Keys(examples)) {
		for _, line := range examples[path] {
			if strings.Contains(line, "/mnt") || strings.Contains(line, "--data") || path == "repair" {
				continue // of a directory; repair has exit codes of its own
			}
			for _, c := range []struct {
				server string
				code   int
				says   []string
			}{
				{"http://127.0.0.1:1", exitUnavailable, []string{"the server at http://127.0.0.1:1 can't be reached", "Does it run"}},
				{expired.URL, exitRefused, []string{"the token is not valid", "rowback login", "--api-key"}},
			} {
				out, isRemote, said := saidBy(t, parser, shellWords(line)[1:], c.server)
				if !isRemote {
					continue
				}
				asked++
				for _, part := range c.says {
					if !strings.Contains(fmt.Sprint(said), part) {
						t.Errorf("%s says %q, without %q", line, said, part)
					}
				}
				if exitCodeOf(said) != c.code || strings.Contains(fmt.Sprint(said), "\n") || out != "" {
					t.Errorf("%s ends with %d, %v, and prints %q", line, exitCodeOf(said), said, out)
				}
			}
		}
	}
	if asked < 160 {
		t.Errorf("only %d times was a server asked", asked)
	}
}

// saidBy runs a command line, if it is one that talks to a server, and returns its error and what it printed.
func saidBy(t *testing.T, parser *kong.Kong, words []string, server string) (out string, isRemote bool, said error) {
	t.Helper()
	words = append(slices.Clone(words), "--api-key", "rbk_x")
	if words[0] == "login" {
		words[1] = server
	} else {
		words = append(words, "--server", server)
	}
	parsed, err := parser.Parse(words)
	if err != nil {
		return "", false, nil // it has no such flags
	}
	var printed bytes.Buffer
	if err := connect(parsed); err != nil {
		return "", true, err
	}
	said = parsed.Run(console{in: strings.NewReader(`{"id":1}`), out: &printed, err: io.Discard})
	return printed.String(), true, said
}
