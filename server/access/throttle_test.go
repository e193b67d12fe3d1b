package access_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
)

// seconds returns how long a login has to wait; 0 if it was let in or was wrong.
func seconds(err error) int {
	var often *access.TooManyError
	if errors.As(err, &often) {
		return often.Seconds()
	}
	return 0
}

func TestLoginsThatFailTooOftenWait(t *testing.T) {
	gate, clock := gateAt(users)
	for i := range 10 {
		if _, err := gate.Login(home, fmt.Sprint("name", i), "wrong"); !errors.Is(err, access.ErrWrong) {
			t.Fatalf("login %d: %v", i, err)
		}
	}
	if _, err := gate.Login(home, "eva", "t0"); seconds(err) != 6 || gate.Wait(home) != 6*time.Second {
		t.Errorf("the right password after ten wrong ones: %v", err)
	}
	if _, _, _, err := gate.Basic(home, basic("eva:t0")); seconds(err) != 6 {
		t.Errorf("the same as Basic: %v", err)
	}
	if _, err := gate.Login(netip.MustParseAddr("192.0.2.1"), "eva", "t0"); err != nil {
		t.Errorf("from another address: %v", err)
	}
	if c, _ := gate.Identify(home, "Bearer t0", ""); c.User != "eva" {
		t.Error("a token is refused because logins failed")
	}
	clock.wait(6 * time.Second)
	if _, err := gate.Login(home, "eva", "t0"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestLoginsOfOneNameWaitWhereverTheyComeFrom(t *testing.T) {
	gate, _ := gateAt(users)
	for i := range 10 {
		gate.Login(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), " EVA ", "wrong")
	}
	if _, err := gate.Login(home, "eva", "t0"); seconds(err) == 0 {
		t.Errorf("eva: %v", err)
	}
	if _, err := gate.Login(home, "max", "t1"); err != nil {
		t.Errorf("max: %v", err)
	}
}

func TestLoginsThatSucceedCostNothing(t *testing.T) {
	gate, _ := gateAt(users)
	for range 1000 {
		if _, err := gate.Login(home, "eva", "t0"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestANetworkOfIPv6IsOneAddress(t *testing.T) {
	gate, _ := gateAt(users)
	for i := range 10 {
		gate.Login(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)), fmt.Sprint("name", i), "wrong")
	}
	if gate.Wait(netip.MustParseAddr("2001:db8::ffff")) == 0 || gate.Wait(netip.MustParseAddr("2001:db8:0:1::1")) != 0 {
		t.Error("addresses of one network are counted one by one, or those of two together")
	}
}

// The entry with the most failures is kept longest, whatever many others do.
func TestManyFailuresAreForgottenFewestFirst(t *testing.T) {
	gate, _ := gateAt(users)
	for range 10 {
		gate.Login(home, "", "wrong")
	}
	for i := range 12_000 {
		gate.Login(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), "", "wrong")
	}
	if gate.Wait(home) == 0 {
		t.Error("ten failures are forgotten before one")
	}
}

// slow is a directory whose answers wait, as those of a database do.
type slow struct {
	asked   chan struct{} // receives each look-up
	answers chan struct{} // lets one look-up answer
}

func (slow) IsClosed() (bool, error)          { return true, nil }
func (slow) IsDisabled(string) (bool, error)  { return false, nil }
func (slow) ByID(string) (access.Held, error) { return access.Held{}, access.ErrUnknown }
func (slow) Used(string)                      {}
func (s slow) ByHash(access.Hash) (access.Held, error) {
	s.asked <- struct{}{}
	<-s.answers
	return access.Held{}, access.ErrUnknown
}

// A login that waits for the database holds up no other, and many logins at once are no more guesses than one after
// the other.
func TestLoginsAreCheckedBesideEachOther(t *testing.T) {
	users := slow{make(chan struct{}, 40), make(chan struct{})}
	gate := access.New(access.Options{Directory: users})
	elsewhere := netip.MustParseAddr("192.0.2.1")
	outcomes := make(chan error, 40)
	login := func(from netip.Addr, name string) {
		_, err := gate.Login(from, name, access.NewToken())
		outcomes <- err
	}
	for i := range 20 {
		go login(home, fmt.Sprint("name", i))
	}
	for range 10 {
		<-users.asked
	}
	go login(elsewhere, "eva")
	<-users.asked // beside the ten that still wait
	if gate.Wait(home) != 0 || gate.Wait(elsewhere) != 0 {
		t.Error("logins count as failed before they have")
	}
	close(users.answers)
	wrong, often := 0, 0
	for range 21 {
		switch err := <-outcomes; {
		case errors.Is(err, access.ErrWrong):
			wrong++
		case seconds(err) > 0:
			often++
		}
	}
	if wrong != 11 || often != 10 || len(users.asked) != 0 {
		t.Errorf("%d were checked, %d refused, %d asked too many", wrong, often, len(users.asked))
	}
}

func TestWaitsInWords(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "1 second", time.Millisecond: "1 second", time.Second: "1 second", time.Second + 1: "2 seconds",
		6 * time.Second: "6 seconds",
	} {
		if got := access.WaitText(wait); got != want {
			t.Errorf("%s: %s; want %s", wait, got, want)
		}
	}
}
