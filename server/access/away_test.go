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
