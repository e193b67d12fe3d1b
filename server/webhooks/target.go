package webhooks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Allowed are the destinations within the server's own network that messages may go to: networks, and host names. By
// default there are none, so that whoever may make a webhook can't reach with the server's help what only the server
// can reach.
type Allowed struct {
	networks []netip.Prefix
	hosts    []string
}

// ParseAllowed reads the values of --webhook-allow: each an address, a network as 10.0.0.0/8, or a host name.
func ParseAllowed(values []string) (a Allowed, err error) {
	for _, v := range values {
		v = strings.TrimSpace(v)
		if network, err := netip.ParsePrefix(v); err == nil {
			a.networks = append(a.networks, network.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(v); err == nil {
			a.networks = append(a.networks, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
			continue
		}
		if v == "" || strings.ContainsAny(v, "/:@*?# ") {
			return a, fmt.Errorf("%q is neither an address, a network such as 10.0.0.0/8, nor a host name", v)
		}
		a.hosts = append(a.hosts, plainHost(v))
	}
	return a, nil
}

// plainHost is a host name as it is compared: without case, and without the dot of the root.
func plainHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// host reports whether a host is allowed by name, whatever its addresses, or is an address that is allowed.
func (a Allowed) host(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return a.listed(ip)
	}
	return slices.Contains(a.hosts, plainHost(host))
}

// listed reports whether an address is in one of the networks.
func (a Allowed) listed(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(a.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// errNotAllowed refuses an address within the server's own network. Like all errors of CheckURL it is the end of a
// sentence.
var errNotAllowed = errors.New("is not public, and not allowed by --webhook-allow")

// check refuses addresses that are not public, unless they are allowed.
func (a Allowed) check(ip netip.Addr) error {
	if a.listed(ip) || isPublic(ip) {
		return nil
	}
	return errNotAllowed
}

// notPublic are the networks that lead elsewhere than to one host of the internet, besides those that netip knows: the
// special-purpose registries of IANA.
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4",
	// IPv6 that stands for IPv4 (compatible, translated, Teredo, 6to4) would get around the rules for that.
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16",
	"100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// isPublic reports whether an address is one host of the internet.
func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// maxURL is the most bytes of a webhook's URL.
const maxURL = 2000

// CheckURL refuses a URL that messages can't go to. The error is the end of a sentence. Names are resolved when a
// message is sent, and their addresses checked then.
func (a Allowed) CheckURL(text string) error {
	if len(text) > maxURL {
		return fmt.Errorf("must have at most %d bytes", maxURL)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return errors.New("must not have spaces or control characters")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Hostname() == "" || !isASCII(u.Host) {
		return errors.New("must be a URL, such as https://example.com/hook")
	}
	return a.checkParts(u)
}

// checkParts is CheckURL for a URL that could be read.
func (a Allowed) checkParts(u *url.URL) error {
	switch {
	case u.User != nil:
		return errors.New("must not have a user or a password; receivers check the signature")
	case u.Fragment != "":
		return errors.New("must not have a fragment")
	case u.Scheme == "http" && !a.host(u.Hostname()):
		return errors.New("must begin with https://, unless --webhook-allow names its host")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must begin with https://")
	case strings.Contains(u.Hostname(), "%"):
		return errors.New("must not have a zone")
	}
	if _, err := net.LookupPort("tcp", portOf(u)); err != nil || portOf(u) == "0" {
		return errors.New("has a port that does not exist")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := a.check(ip); err != nil {
			return fmt.Errorf("has an address that %w", err)
		}
	}
	return nil
}

// portOf returns a URL's port.
func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return u.Scheme
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}
