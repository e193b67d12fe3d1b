package access

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Web decides which web pages may send requests here. A browser sends a page's requests with all that its visitor has:
// a place on the server's machine, or a cookie. So a page must be the server's own.
//
// Two rules do that. Host is what the browser takes the server for: a name that someone else has pointed at the server
// (DNS rebinding) makes their page the server's own, so only names that the server knows are taken. Addresses cannot be
// rebound. Origin, Sec-Fetch-Site and Referer tell which page sends a request. Programs send none of these.
type Web struct {
	names   map[string]bool // what the server is known by, here
	public  map[string]bool // and to the world
	anyAddr bool            // the server listens on every address of its machine
}

// NewWeb returns the rules of a server that listens on an address, as host:port, and is known by further names.
func NewWeb(listen string, names []string) (Web, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return Web{}, fmt.Errorf("%s: write it as host:port", listen)
	}
	w := Web{names: map[string]bool{"localhost": true}, public: map[string]bool{}}
	if addr, ok := parseAddr(host); host == "" || ok && addr.IsUnspecified() {
		w.anyAddr = true
	} else {
		w.names[plain(host)] = true
	}
	for _, name := range names {
		if _, isAddr := parseAddr(name); name == "" || strings.ContainsAny(name, "/@, ") || strings.Contains(name, ":") && !isAddr {
			return Web{}, fmt.Errorf("--host %s: write the name alone, without scheme, port or path", name)
		}
		w.public[plain(name)] = true
	}
	return w, nil
}

// Knows reports whether a Host header, a name or address with or without a port, is the server's.
func (w Web) Knows(host string) bool {
	name, _ := splitHost(host)
	if w.names[name] || w.public[name] {
		return true
	}
	addr, ok := parseAddr(name)
	return ok && (addr.IsLoopback() || w.anyAddr)
}

// Foreign reports whether a request was sent by a page that is not the server's own, by its headers Host, Origin,
// Sec-Fetch-Site and Referer. What only shares the server's site, such as a page on another port, is foreign too.
func (w Web) Foreign(host, origin, site, referer string) bool {
	if origin != "" && !w.own(host, origin) {
		return true
	}
	if site != "" && site != "same-origin" && site != "none" {
		return true
	}
	return origin == "" && site == "" && referer != "" && !w.own(host, referer)
}

// own reports whether a URL is one of the server's pages: on the same host and port as the request. Behind a proxy that
// puts another Host in its place, it is one of the names that the server was given, on the usual port.
func (w Web) own(host, text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	name, port := splitHost(u.Host)
	ownName, ownPort := splitHost(host)
	if name == ownName && portOf(port, u.Scheme) == portOf(ownPort, u.Scheme) {
		return name != ""
	}
	return w.public[name] && portOf(port, u.Scheme) == portOf("", u.Scheme)
}

func portOf(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	}
	return "80"
}

// splitHost takes the port off a host, and writes the rest in one way.
func splitHost(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		return plain(name), port
	}
	return plain(host), ""
}

func plain(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

func parseAddr(name string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return addr.Unmap(), err == nil
}
