package access_test

import (
	"testing"

	"github.com/rowback/rowback/server/access"
)

func newWeb(t *testing.T, listen string, names ...string) access.Web {
	t.Helper()
	w, err := access.NewWeb(listen, names)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTheNamesOfAServer(t *testing.T) {
	for _, c := range []struct {
		listen string
		host   string
		known  bool
	}{
		{"127.0.0.1:8000", "127.0.0.1:8000", true},
		{"127.0.0.1:8000", "localhost:8000", true},
		{"127.0.0.1:8000", "LOCALHOST.", true},
		{"127.0.0.1:8000", "[::1]:9", true},
		{"127.0.0.1:8000", "127.1.2.3", true},
		{"127.0.0.1:8000", "[::ffff:127.0.0.1]", true},
		{"127.0.0.1:8000", "data.example.com", true},
		{"127.0.0.1:8000", "Data.Example.Com:443", true},
		{"127.0.0.1:8000", "evil.example.com", false},
		{"127.0.0.1:8000", "example.com", false},
		{"127.0.0.1:8000", "localhost.example.com", false},
		{"127.0.0.1:8000", "127.0.0.1.example.com", false},
		{"127.0.0.1:8000", "192.0.2.7", false},
		{"127.0.0.1:8000", "0.0.0.0", false},
		{"127.0.0.1:8000", "", false},
		{"127.0.0.1:8000", "localhost:8000@evil", false},
		{"192.0.2.7:8000", "192.0.2.7:8000", true},
		{"192.0.2.7:8000", "192.0.2.8:8000", false},
		{"0.0.0.0:8000", "192.0.2.8:8000", true},
		{":8000", "[2001:db8::1]", true},
		{"[::]:8000", "evil.example.com", false},
		{"db.local:8000", "db.local:8000", true},
	} {
		w := newWeb(t, c.listen, "data.example.com")
		if w.Knows(c.host) != c.known {
			t.Errorf("a server on %s knows %q: %v", c.listen, c.host, !c.known)
		}
	}
}

func TestPagesOfOtherSites(t *testing.T) {
	for _, c := range []struct {
		host, origin, site, referer string
		foreign                     bool
	}{
		{"localhost:8000", "", "", "", false},
		{"localhost:8000", "http://localhost:8000", "", "", false},
		{"localhost:8000", "http://localhost:8000", "same-origin", "", false},
		{"localhost:8000", "", "none", "", false},
		{"localhost:8000", "", "none", "http://evil.example.com/", false}, // a browser's own word is better
		{"localhost:8000", "", "", "http://localhost:8000/docs/", false},
		{"localhost", "http://localhost", "", "", false},
		{"[::1]:8000", "http://[::1]:8000", "", "", false},
		{"data.example.com", "https://data.example.com", "", "", false},
		{"data.example.com:443", "https://data.example.com", "", "", false},
		{"localhost:8000", "https://data.example.com", "", "", false}, // behind a proxy
		{"localhost:8000", "http://evil.example.com", "", "", true},
		{"localhost:8000", "http://localhost:3000", "", "", true},
		{"localhost:8000", "http://localhost", "", "", true},
		{"localhost:8000", "https://data.example.com:8443", "", "", true},
		{"localhost:8000", "http://127.0.0.1:8000", "", "", true},
		{"127.0.0.1:8000", "http://127.0.0.1", "", "", true},
		{"localhost:8000", "null", "", "", true},
		{"localhost:8000", "file://", "", "", true},
		{"localhost:8000", "http://localhost:8000, http://localhost:8000", "", "", true},
		{"localhost:8000", "chrome-extension://localhost:8000", "", "", true},
		{"localhost:8000", "http://localhost:8000", "cross-site", "", true},
		{"localhost:8000", "", "cross-site", "", true},
		{"localhost:8000", "", "same-site", "", true},
		{"localhost:8000", "", "same-origin, cross-site", "", true},
		{"localhost:8000", "", "", "http://evil.example.com/localhost:8000", true},
		{"localhost:8000", "", "", "http://localhost:8000@evil.example.com/", true},
		{"localhost:8000", "", "", "nonsense", true},
	} {
		w := newWeb(t, "127.0.0.1:8000", "data.example.com")
		if w.Foreign(c.host, c.origin, c.site, c.referer) != c.foreign {
			t.Errorf("%+v: %v", c, !c.foreign)
		}
	}
}

func TestAHostIsANameAlone(t *testing.T) {
	for _, name := range []string{
		"", "http://data.example.com", "data.example.com:8000", "data.example.com/x", "a b", "a,b",
	} {
		if _, err := access.NewWeb("127.0.0.1:8000", []string{name}); err == nil {
			t.Errorf("--host %q is taken", name)
		}
	}
	if w := newWeb(t, "127.0.0.1:8000", "192.0.2.9", "[2001:db8::1]"); !w.Knows("192.0.2.9:80") ||
		!w.Knows("[2001:db8::1]:80") {
		t.Error("an IP address is not accepted as a --host name")
	}
}
