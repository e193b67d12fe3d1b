package rates

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
)

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// at returns someone unknown at an address.
func at(address string) access.Caller { return access.Caller{Address: netip.MustParseAddr(address)} }

// with returns a user with a token.
func with(user, token string) access.Caller {
	return access.Caller{User: user, Counted: token, Address: netip.MustParseAddr("10.0.0.1")}
}

func TestABucketHoldsTenSecondsAndFillsAtTheRate(t *testing.T) {
	at := &clock{time.Unix(1_000_000, 0)}
	l := New(Limits{PerSecond: 5}, at.now)
	ada, ben := with("ada", "1"), with("ben", "2")
	for i := range 50 {
		if d := l.Take(ada, false); !d.Allowed || d.Remaining != 49-i {
			t.Fatalf("request %d: %+v", i, d)
		}
	}
	d := l.Take(ada, false)
	if d.Allowed || d.Seconds() != 1 || d.Policy() != `"requests";q=50;w=10` || d.State() != `"requests";r=0;t=10` {
		t.Errorf("%+v, %s, %s", d, d.Policy(), d.State())
	}
	if !l.Take(ben, false).Allowed || l.Refused() != 1 {
		t.Error("another bucket is empty too")
	}
	at.Time = at.Add(-time.Hour) // the clock is put back: nobody is locked out, and nobody gets more
	if l.Take(ada, false).Allowed {
		t.Error("a request was allowed when the clock was put back")
	}
	at.Time = at.Add(time.Hour + time.Second)
	for i := range 5 {
		if !l.Take(ada, false).Allowed {
			t.Errorf("request %d after a second", i)
		}
	}
	if l.Take(ada, false).Allowed {
		t.Error("a sixth request after a second")
	}
}

// One token uses up what it may, which leaves the user's others their part; more tokens do not allow more than the user
// may have; and what one token is refused does not count for the user.
func TestATokenAndItsUserEachHaveALimit(t *testing.T) {
	at := &clock{time.Unix(1_000_000, 0)}
	l := New(Limits{PerSecond: 5, PerToken: 2}, at.now)
	first := l.Take(with("ada", "1"), false)
	if first.State() != `"token";r=19;t=1` || first.Policy() != `"token";q=20;w=10` {
		t.Errorf("of the token and the user, the token has less: %s", first.State())
	}
	for range 19 {
		l.Take(with("ada", "1"), false)
	}
	for range 100 {
		if d := l.Take(with("ada", "1"), false); d.Allowed || d.Option != "--token-rate-limit" || d.Retry != time.Second/2 {
			t.Fatalf("a token has used up what it may: %+v", d)
		}
	}
	allowed := 0
	for token := range 100 {
		for range 3 {
			d := l.Take(with("ada", fmt.Sprint("made", token)), false)
			if d.Allowed {
				allowed++
			} else if d.Option != "--rate-limit" || d.Name != "requests" {
				t.Fatalf("a hundred tokens: %+v", d)
			}
		}
	}
	if allowed != 30 {
		t.Errorf("100 tokens of ada's allowed %d requests beside the 20 of the first, and not the 30 that were left", allowed)
	}
	if !l.Take(with("ben", "9"), false).Allowed {
		t.Error("ben's requests count for ada")
	}
	at.Time = at.Add(time.Second) // ada has five more, and the first token two
	allowed = 0
	for range 5 {
		if l.Take(with("ada", "1"), false).Allowed {
			allowed++
		}
	}
	if allowed != 2 {
		t.Errorf("after a second, the token allowed %d requests", allowed)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	l := New(Limits{PerSecond: 1, PerToken: 1}, nil)
	l.Take(with("ada", "1"), false)
	for i := range maxBuckets {
		l.Take(access.Caller{User: fmt.Sprint(i), Counted: fmt.Sprint(i)}, false)
		l.Take(at(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)), false)
	}
	l.Take(access.Caller{User: "0", Counted: "0"}, false) // the next to go is 1
	for i := range 100 {
		l.Take(access.Caller{User: fmt.Sprint("new", i), Counted: fmt.Sprint("new", i)}, false)
	}
	for _, of := range []*table{l.users, l.tokens} {
		if len(of.buckets) != maxBuckets || of.order.Len() != maxBuckets || of.buckets["0"] == nil || of.buckets["1"] != nil {
			t.Errorf("%d buckets", len(of.buckets))
		}
	}
	if len(l.addresses.buckets) != maxBuckets {
		t.Errorf("%d buckets of addresses", len(l.addresses.buckets))
	}
}

// What strangers send displaces no bucket of a user.
func TestAddressesDoNotDisplaceUsers(t *testing.T) {
	l := New(Limits{PerSecond: 1}, (&clock{time.Unix(1_000_000, 0)}).now)
	for range 10 {
		l.Take(with("ada", "1"), false)
	}
	for i := range maxBuckets + 1 {
		l.Take(at(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)), false)
	}
	if l.Take(with("ada", "1"), false).Allowed {
		t.Error("ada's bucket is full again")
	}
}

func TestWhatRequestsAreCountedBy(t *testing.T) {
	ada := with("ada", "1")
	for _, c := range []struct {
		caller access.Caller
		open   bool
		key    string
	}{
		{ada, false, "ada 1"},
		{with("ada", ""), false, "ada"},
		{ada, true, "10.0.0.1"}, // anyone may log in as ada
		{at("10.0.0.1"), false, "10.0.0.1"},
		{access.Caller{Counted: "1", Address: ada.Address}, false, "10.0.0.1"}, // a token that is not valid
		{at("::ffff:10.0.0.1"), false, "10.0.0.1"},
		{at("2001:db8::1:2:3:4"), false, "2001:db8::"},
	} {
		l := New(Limits{PerSecond: 1, PerToken: 1}, nil)
		l.Take(c.caller, c.open)
		var got string
		for _, of := range []*table{l.users, l.addresses, l.tokens} {
			for key := range of.buckets {
				if got != "" {
					got += " "
				}
				got += key
			}
		}
		if got != c.key {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if New(Limits{}, nil) != nil {
		t.Error("0 is a limit")
	}
}
