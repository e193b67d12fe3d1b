package access

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Web decides which web pages may send requests here. A browser sends a page's requests with everything its visitor
// has: access to the server's machine, or a cookie. So a page must be the server's own.
//
// Two rules do that. Host is the name under which the browser knows the server: a name that someone else has pointed at
// it (DNS rebinding) makes their page the server's own, so only known names are accepted. Addresses cannot be rebound.
// Origin, Sec-Fetch-Site and Referer say which page sends a request. Programs send none of these.
type Web struct {
	names   map[string]bool // the server's names on this machine
	public  map[string]bool // and those given with --host
	anyAddr bool            // the server listens on every address of its machine
}

// NewWeb returns the rules for a server that listens on an address, as host:port, and has further names.
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
		if _, isAddr := parseAddr(name); name == "" || strings.ContainsAny(name, "/@, ") || strings.Contains(name, ":") &&
			!isAddr {
			return Web{}, fmt.Errorf("--host %s: give the name alone, without scheme, port or path", name)
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
// Sec-Fetch-Site and Referer. A page that only shares the server's site, such as one on another port, is foreign too.
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
// replaces Host, it is one of the names given with --host, on the default port.
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

// portOf returns the port that a URL means: without one, that of its scheme.
func portOf(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	}
	return "80"
}

// splitHost removes the port from a host, and normalizes the rest.
func splitHost(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		return plain(name), port
	}
	return plain(host), ""
}

// plain returns a host's name in the one form in which names are compared.
func plain(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// parseAddr reads an address as URLs have it, with or without brackets.
func parseAddr(name string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return addr.Unmap(), err == nil
}
