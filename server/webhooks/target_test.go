package webhooks

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestWhichAddressesArePublic(t *testing.T) {
	for _, text := range strings.Fields(`127.0.0.1 127.8.9.10 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255
		192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1
		239.255.255.255 240.0.0.1 255.255.255.255 192.88.99.1 :: ::1 fe80::1 fe80::1%eth0 fc00::1
		fd12:3456::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1
		64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 100::1
		3fff::1 5f00::1`) {
		if isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
	for _, text := range strings.Fields(`1.1.1.1 8.8.8.8 172.32.0.1 100.128.0.1 2606:4700::1111 2a00:1450::1
		::ffff:8.8.8.8`) {
		if !isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestWhichURLsAreAccepted(t *testing.T) {
	allowed, err := ParseAllowed([]string{"10.0.0.0/8", "192.168.1.7", "fd00::/8", "Hooks.Internal"})
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{
		"https://example.com", "https://example.com:8443/a/b?c=d", "https://8.8.8.8/", "https://[2606:4700::1111]/x",
		"https://10.1.2.3/", "http://10.1.2.3/", "http://192.168.1.7/", "http://hooks.internal/", "http://HOOKS.internal./",
		"https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://EXAMPLE.com/%0d%0a",
	} {
		if err := allowed.CheckURL(good); err != nil {
			t.Errorf("%s: it %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "example.com", "//example.com", "/hook", "http://example.com", "ftp://example.com", "file:///etc/passwd",
		"gopher://10.0.0.1", "https://", "https://:443", "https:example.com", "https://user@example.com",
		"https://user:pass@example.com", "https://example.com/#x", "https://example.com/a b",
		"https://example.com/\r\nX: y",
		"https://example.com\r\n", "https://exa\tmple.com", "https://127.0.0.1", "https://[::1]/",
		"https://[fe80::1%25eth0]/",
		"https://169.254.169.254/latest", "https://192.168.1.8/", "http://192.168.1.8/", "https://0.0.0.0/",
		"https://[::ffff:127.0.0.1]/", "https://example.com:0/", "https://example.com:99999/", "https://example.com:x/",
		"https://exämple.com/", "https://" + strings.Repeat("a", 2000), "javascript:alert(1)", "https://ex%00ample.com/",
		"https://example.com\x00/",
	} {
		if err := allowed.CheckURL(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestWhatMayBeAllowed(t *testing.T) {
	for _, bad := range []string{"", " ", "10.0.0.0/33", "host:80", "https://host", "a b", "*", "user@host"} {
		if _, err := ParseAllowed([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Addresses are checked when a connection is made: a name tells nothing of where it leads.
func TestANameThatLeadsHereIsRefused(t *testing.T) {
	reached := receive(t, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(reached.URL, "http://"), ":")
	for _, allowed := range [][]string{nil, {"10.0.0.0/8"}, {"other.host"}} {
		a, err := ParseAllowed(allowed)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"localhost", "LOCALHOST.", "127.0.0.1", "127.1", "[::1]", "0.0.0.0", "2130706433",
			"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]"} {
			conn, err := a.dial(t.Context(), "tcp", host+":"+port)
			if err == nil {
				conn.Close()
				t.Errorf("%s with %v: connected", host, allowed)
			}
			if host == "localhost" && !errors.Is(err, errNotAllowed) {
				t.Errorf("%s with %v: %v", host, allowed, err)
			}
		}
	}
	for _, allowed := range []string{"127.0.0.0/8", "localhost"} {
		a, err := ParseAllowed([]string{allowed, "::1"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		conn, err := a.dial(ctx, "tcp4", "localhost:"+port)
		cancel()
		if err != nil {
			t.Errorf("allowed by %s: %v", allowed, err)
			continue
		}
		conn.Close()
	}
	if got := reached.messages(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestHowLongToWait(t *testing.T) {
	s := Schedule{}.filled()
	total := time.Duration(0)
	for n := 1; n <= 20; n++ {
		d := s.wait(n)
		exact := min(s.Longest, s.First*time.Duration(pow3(n-1)))
		if d < exact*4/5 || d > exact*6/5+1 {
			t.Errorf("%d: %v", n, d)
		}
		total += d
	}
	if s.wait(1000) > s.Longest*6/5+1 || total < s.GiveUp {
		t.Error(total)
	}
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, " 5 ": 5 * time.Second, "-5": 0, "soon": 0, "1e3": 0, "99999999": 24 * time.Hour,
		"99999999999999999999": 0, "Sun, 29 Nov 2026 12:01:00 GMT": time.Minute, "Sun, 29 Nov 2026 11:00:00 GMT": 0,
		"Sun, 29 Nov 2099 11:00:00 GMT": 24 * time.Hour,
	} {
		if got := retryAfter(text, at); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func pow3(n int) int64 {
	out := int64(1)
	for range min(n, 20) {
		out *= 3
	}
	return out
}
