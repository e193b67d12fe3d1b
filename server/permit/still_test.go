package permit_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/fault"
)

// directory has one token, which stands for what a test says.
type directory struct {
	roles access.Roles
	err   error
}

func (*directory) IsClosed() (bool, error)                   { return true, nil }
func (*directory) IsDisabled(string) (bool, error)           { return false, nil }
func (*directory) Used(string)                               {}
func (d *directory) ByHash(access.Hash) (access.Held, error) { return d.ByID("") }
func (d *directory) ByID(string) (access.Held, error) {
	return access.Held{ID: "tok_1", User: "ada", Roles: d.roles}, d.err
}

// What may not be seen any more is refused, and nothing else: neither a lesser role that still sees it, nor a database
// that is away for a moment.
func TestWhatStillMayBeSeen(t *testing.T) {
	reader, admin := access.Roles{1: access.Reader, 2: access.Writer}, access.Everywhere(access.Admin)
	for name, c := range map[string]struct {
		before, after access.Roles
		err           error
		refused       bool
	}{
		"the same":                {reader, reader, nil, false},
		"more":                    {reader, admin, nil, false},
		"a lesser role":           {reader, access.Roles{1: access.Reader, 2: access.Reader}, nil, false},
		"one project less":        {reader, access.Roles{1: access.Reader}, nil, true},
		"no project":              {reader, nil, nil, true},
		"an admin no more":        {admin, access.Everywhere(access.Maintainer), nil, true},
		"all projects no more":    {access.Everywhere(access.Reader), access.Roles{1: access.Reader}, nil, true},
		"removed":                 {reader, nil, access.ErrUnknown, true},
		"users that are not read": {reader, nil, errors.New("the database is away"), false},
	} {
		d := &directory{roles: c.before}
		caller, known := access.New(access.Options{Directory: d}).Identify(netip.Addr{}, "Bearer "+access.NewToken(), "")
		if !known {
			t.Fatal(name)
		}
		d.roles, d.err = c.after, c.err
		if err := permit.Still(caller); (err != nil) != c.refused || err != nil && fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Work ends once its caller is gone, and is not looked at once it has ended.
func TestWorkEndsWithItsCaller(t *testing.T) {
	d := &directory{roles: access.Everywhere(access.Reader)}
	caller, _ := access.New(access.Options{Directory: d}).Identify(netip.Addr{}, "Bearer "+access.NewToken(), "")
	d.err = access.ErrUnknown
	ctx, cancel := context.WithCancelCause(context.Background())
	permit.While(ctx, caller, cancel)
	if fault.KindOf(context.Cause(ctx)) != fault.Forbidden {
		t.Error(context.Cause(ctx))
	}
	over, end := context.WithTimeout(context.Background(), time.Millisecond)
	defer end()
	permit.While(over, caller, func(cause error) { t.Error("it was ended after its end:", cause) })
}

// provider vouches for ada for a minute.
type provider struct{ until time.Time }

func (p provider) Verify(context.Context, string) (access.Identity, error) {
	return access.Identity{Subject: "1", User: "ada", ExpiresAt: p.until}, nil
}
func (provider) Roles(context.Context, access.Identity) (access.Roles, error) {
	return access.Everywhere(access.Reader), nil
}

// members have ada, unless she was disabled.
type members struct{ isDisabled bool }

func (m *members) Admit(access.Identity) (access.Roles, error) {
	if m.isDisabled {
		return nil, &access.RefusedError{Why: "The user is disabled."}
	}
	return nil, nil
}

// What was begun with an identity provider's token goes on when that ends, which is soon, and ends with its user.
func TestATokenOfAProviderMayEnd(t *testing.T) {
	now, here := time.Now(), &members{}
	gate := access.New(access.Options{
		Provider: provider{now.Add(time.Minute)}, Members: here, Now: func() time.Time { return now },
	})
	caller, known := gate.Identify(netip.Addr{}, "Bearer eyJ.a.b", "")
	if !known {
		t.Fatal(caller)
	}
	now = now.Add(time.Hour)
	if err := permit.Still(caller); err != nil || caller.Again().IsKnown() {
		t.Errorf("%v; known to a new change: %v", err, caller.Again().IsKnown())
	}
	here.isDisabled = true
	if err := permit.Still(caller); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("her user is disabled: %v", err)
	}
}
