package signon

import (
	"errors"
	"testing"

	"github.com/rowback/rowback/server/access"
)

// Sessions outlive a restart with another provider. What the one before said of groups does not count then.
func TestGroupsOfAnotherProviderGiveNoRole(t *testing.T) {
	p, err := New(Options{
		Issuer: "https://sso.example.com", ClientID: "rowback",
		Grants: []GroupRole{{Group: "admins", Role: access.Admin, Project: "*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	of := access.Identity{Issuer: "https://before.example.com", Subject: "1", User: "ada", Groups: []string{"admins"}}
	if roles, err := p.Roles(t.Context(), of); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("another provider's: %v %v", roles, err)
	}
}
