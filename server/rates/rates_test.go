package rates

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
)

func TestABucketHoldsTenSecondsAndFillsAtTheRate(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := New(5, func() time.Time { return now })
	for i := range 50 {
		if d := l.Take("a"); !d.Allowed || d.Remaining != 49-i {
			t.Fatalf("request %d: %+v", i, d)
		}
	}
	d := l.Take("a")
	if d.Allowed || d.Seconds() != 1 || d.Policy() != `"requests";q=50;w=10` || d.State() != `"requests";r=0;t=10` {
		t.Errorf("%+v, %s, %s", d, d.Policy(), d.State())
	}
	if !l.Take("b").Allowed || l.Refused() != 1 {
		t.Error("another bucket is empty too")
	}
	now = now.Add(-time.Hour) // the clock is put back: nobody is locked out, and nobody gets more
	if l.Take("a").Allowed {
		t.Error("a request was allowed when the clock was put back")
	}
	now = now.Add(time.Hour + time.Second)
	for i := range 5 {
		if !l.Take("a").Allowed {
			t.Errorf("request %d after a second", i)
		}
	}
	if l.Take("a").Allowed {
		t.Error("a sixth request after a second")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	l := New(1, nil)
	for i := range maxBuckets {
		l.Take(fmt.Sprint(i))
	}
	l.Take("0") // the next to go is 1
	for i := range 100 {
		l.Take(fmt.Sprint("new", i))
	}
	if len(l.buckets) != maxBuckets || l.order.Len() != maxBuckets || l.buckets["0"] == nil || l.buckets["1"] != nil {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestWhatRequestsAreCountedBy(t *testing.T) {
	at := netip.MustParseAddr
	ada := access.Caller{User: "ada", Address: at("10.0.0.1")}
	for _, c := range []struct {
		caller access.Caller
		open   bool
		key    string
	}{
		{ada, false, "user ada"},
		{ada, true, "address 10.0.0.1"}, // anyone may log in as ada
		{access.Caller{Address: at("10.0.0.1")}, false, "address 10.0.0.1"},
		{access.Caller{Address: at("::ffff:10.0.0.1")}, false, "address 10.0.0.1"},
		{access.Caller{Address: at("2001:db8::1:2:3:4")}, false, "address 2001:db8::"},
		{access.Caller{User: "address 10.0.0.1"}, false, "user address 10.0.0.1"},
	} {
		if got := Key(c.caller, c.open); got != c.key {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if New(0, nil) != nil {
		t.Error("0 is a limit")
	}
}
