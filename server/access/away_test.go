package access_test

import (
	"errors"
	"testing"

	"github.com/rowback/rowback/server/access"
)

// away is a directory whose database can't be read.
type away struct{}

var errAway = errors.New("the database is away")

func (away) IsClosed() (bool, error)                 { return true, nil }
func (away) ByHash(access.Hash) (access.Held, error) { return access.Held{}, errAway }
func (away) ByID(string) (access.Held, error)        { return access.Held{}, errAway }
func (away) IsDisabled(string) (bool, error)         { return false, errAway }
func (away) Used(string)                             {}

// While users can't be read, no one is let in, nor told that a token or password is wrong; and no login counts as failed.
func TestWhileUsersCantBeRead(t *testing.T) {
	gate := access.New(access.Options{Fixed: users.Fixed(), Directory: away{}})
	says := func(how string, why *access.RefusedError) {
		t.Helper()
		if why == nil || !why.Unavailable || why.Code != "users_unavailable" {
			t.Errorf("%s: %+v", how, why)
		}
	}
	given := access.NewToken()
	for range 20 {
		for _, password := range []string{"t0", given} {
			c, known := gate.Identify(home, "Bearer "+password, "")
			if known || c.User != "" {
				t.Fatalf("%+v was let in", c)
			}
			says("a token", c.Refused)
			var why *access.RefusedError
			if session, err := gate.Login(home, "eva", password); session != "" || !errors.As(err, &why) {
				t.Fatalf("a login: %q, %v", session, err)
			}
			says("a login", why)
			c, _, _, err := gate.Basic(home, basic("eva:"+password))
			if !errors.As(err, &why) || c.User != "" {
				t.Fatalf("a name and a password: %+v, %v", c, err)
			}
			says("a name and a password", c.Refused)
		}
	}
	if _, known := gate.Identify(home, "Bearer wrong", ""); known {
		t.Error("a wrong token is let in")
	}
}

// briefly is a directory without users whose database is away when it is asked for the first time.
type briefly struct {
	away
	asked *bool
}

func (b briefly) IsClosed() (bool, error) {
	if *b.asked {
		return false, nil
	}
	*b.asked = true
	return false, errAway
}

// Users that can't be read in one moment and can be in the next make no login a wrong one.
func TestWhileUsersAreBrieflyAway(t *testing.T) {
	for how, login := range map[string]func(*access.Gate) error{
		"a login":  func(g *access.Gate) error { _, err := g.Login(home, "eva", "any"); return err },
		"a client": func(g *access.Gate) error { _, err := g.Vouch(home, "eva", "any"); return err },
		"a name and a password": func(g *access.Gate) error {
			_, _, _, err := g.Basic(home, basic("eva:any"))
			return err
		},
	} {
		gate := access.New(access.Options{Directory: briefly{asked: new(bool)}})
		var why *access.RefusedError
		if err := login(gate); !errors.As(err, &why) || why.Code != "users_unavailable" {
			t.Errorf("%s: %v", how, err)
		}
		if err := login(gate); err != nil {
			t.Errorf("%s, once they are there: %v", how, err)
		}
	}
}
