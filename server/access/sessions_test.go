package access_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
)

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time       { return c.Time }
func (c *clock) wait(d time.Duration) { c.Time = c.Add(d) }
func newClock() *clock                { return &clock{time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)} }
func gateAt(tokens access.Tokens) (*access.Gate, *clock) {
	c := newClock()
	return access.NewGate(tokens, c.now), c
}

func start(t *testing.T, g *access.Gate, user string) string {
	t.Helper()
	session, err := g.Login(home, user, "any")
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func owner(g *access.Gate, session string) string {
	c, _ := g.Identify(home, "", session)
	return c.User
}

func TestASessionEndsWithItsLogout(t *testing.T) {
	gate, _ := gateAt(nil)
	one, other := start(t, gate, "ada"), start(t, gate, "ada")
	if one == other {
		t.Fatal("two sessions have one id")
	}
	gate.Logout(one)
	gate.Logout("nothing")
	if owner(gate, one) != "" || owner(gate, other) != "ada" {
		t.Errorf("after the logout of one session: %q, %q", owner(gate, one), owner(gate, other))
	}
}

func TestASessionEndsInTime(t *testing.T) {
	gate, clock := gateAt(nil)
	session := start(t, gate, "ada")
	for range 7 { // it is used, so that it is not idle for a day
		clock.wait(24*time.Hour - time.Second)
		if owner(gate, session) != "ada" {
			t.Fatal("it ended early")
		}
	}
	clock.wait(7 * time.Second)
	if owner(gate, session) != "" {
		t.Error("it did not end")
	}
}

func TestASessionEndsWhenItIsNotUsed(t *testing.T) {
	gate, clock := gateAt(nil)
	session := start(t, gate, "ada")
	clock.wait(24*time.Hour - time.Second)
	if owner(gate, session) != "ada" {
		t.Error("it ended early")
	}
	clock.wait(24 * time.Hour)
	if owner(gate, session) != "" {
		t.Error("it did not end")
	}
}

func TestTheSessionsOfOneUserAreBounded(t *testing.T) {
	gate, _ := gateAt(nil)
	bens := start(t, gate, "ben")
	var adas []string
	for range 101 {
		adas = append(adas, start(t, gate, "ada"))
	}
	if owner(gate, adas[0]) != "" || owner(gate, adas[1]) != "ada" || owner(gate, bens) != "ben" {
		t.Errorf("ada's first session is %q's, the second %q's, ben's %q's", owner(gate, adas[0]), owner(gate, adas[1]),
			owner(gate, bens))
	}
}

func TestTheSessionsOfAllUsersAreBounded(t *testing.T) {
	gate, _ := gateAt(nil)
	first := start(t, gate, "user")
	for i := range 10_000 {
		start(t, gate, fmt.Sprint("user", i))
	}
	if owner(gate, first) != "" {
		t.Error("the oldest session has not ended")
	}
}
