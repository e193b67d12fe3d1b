package webhooks

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a name server whose answers a test changes. Every name has the address.
type names struct {
	address atomic.Pointer[netip.Addr]
	asked   atomic.Int64
}

// resolveBy has all names of this process looked up there, until the test ends.
func (n *names) resolveBy(t *testing.T) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go n.serve(conn)
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = before; conn.Close() })
}

func (n *names) serve(conn net.PacketConn) {
	room := make([]byte, 1500)
	for {
		got, from, err := conn.ReadFrom(room)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(room[:got]) != nil || len(m.Questions) != 1 {
			continue
		}
		n.asked.Add(1)
		m.Response, m.Additionals = true, nil
		is, of := *n.address.Load(), m.Questions[0]
		header := dnsmessage.ResourceHeader{Name: of.Name, Type: of.Type, Class: of.Class}
		switch {
		case of.Type == dnsmessage.TypeA && is.Is4():
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: is.As4()}}}
		case of.Type == dnsmessage.TypeAAAA && is.Is6():
			m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: is.As16()}}}
		}
		if packed, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

// A name that leads to the internet when someone looks, and to this machine or its network when the message is sent
// (DNS rebinding), gets nothing, in whatever form the address comes.
func TestANameThatIsReboundIsRefused(t *testing.T) {
	w, to, dns := newWorld(t, func(o *Options) { o.Allowed = Allowed{} }), receive(t, nil), &names{}
	public := netip.MustParseAddr("93.184.216.34")
	dns.address.Store(&public)
	dns.resolveBy(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(to.URL, "http://"), ":")
	h := w.hook(Hook{URL: "https://rebinds.example.com:" + port + "/"})
	if all, err := net.LookupHost("rebinds.example.com"); err != nil || len(all) != 1 || all[0] != public.String() {
		t.Fatal(all, err)
	}
	for _, text := range strings.Fields(`127.0.0.1 10.0.0.1 192.168.0.1 169.254.169.254 0.0.0.0 ::1 fd00::1 fe80::1
		::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::`) {
		rebound := netip.MustParseAddr(text)
		dns.address.Store(&rebound)
		before := dns.asked.Load()
		got, err := w.hooks.Test(t.Context(), h.ID)
		if err != nil || got.Delivered || got.Problem != "The host's address "+errNotAllowed.Error()+"." {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if dns.asked.Load() == before {
			t.Errorf("%s: the name was not looked up anew", text)
		}
	}
	if got := to.messages(); len(got) != 0 {
		t.Error(got)
	}
}
