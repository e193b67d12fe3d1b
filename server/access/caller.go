package access

import "net/netip"

// Caller is who sends a request, and what they may do. The zero value is someone unknown, who may do nothing.
type Caller struct {
	User    string     // the name of the user; empty: not known
	Token   string     // the id of the token, also where a session stands for it; empty: none
	Session string     // a short id of the session, which does not open it; empty: none
	Counted string     // what tells the token from all others; a session counts as the token it stands for; empty: none
	Address netip.Addr // where the request comes from
	Roles   Roles
	Refused *RefusedError // why the credential was refused; nil if there is nothing more to say

	// who that is, and what they may do, as of now, whether or not what a provider vouched with has ended; nil: the same
	again func(mayHaveEnded bool) Caller
}

// Again returns the caller as of now. Someone whose token was revoked, or who was removed or disabled, is not known any
// more.
func (c Caller) Again() Caller {
	if c.again == nil {
		return c
	}
	return c.again(false)
}

// Begun is Again for what was begun with a valid credential and still goes on. An identity provider's token lasts
// minutes, and may have ended since: its user counts.
func (c Caller) Begun() Caller {
	if c.again == nil {
		return c
	}
	return c.again(true)
}

// isUncertain reports whether it can't be found out at the moment who the caller is.
func (c Caller) isUncertain() bool { return c.Refused != nil && c.Refused.Unavailable }

// IsOperators reports whether the caller showed a token that the operator gave at the start, or a session for one.
func (c Caller) IsOperators() bool { return c.Token == fromOption || c.Token == fromFile }

// IsKnown reports whether a valid token or session came with the request, or none is needed.
func (c Caller) IsKnown() bool { return c.User != "" }

// Role returns the caller's role in a project; None: the caller is not to know of the project.
func (c Caller) Role(project int64) Role { return c.Roles.In(project) }

// May reports whether the caller may do in a project what needs a role.
func (c Caller) May(project int64, role Role) bool {
	switch role {
	case None:
		return false
	case Public:
		return true
	case Known:
		return c.IsKnown()
	case Admin:
		return c.IsAdmin()
	}
	return c.IsKnown() && c.Role(project) >= role
}

// MaySomewhere reports whether the caller has a role, or one above it, in any project.
func (c Caller) MaySomewhere(role Role) bool {
	for project := range c.Roles {
		if c.May(project, role) {
			return true
		}
	}
	return false
}

// IsAdmin reports whether the caller may do everything.
func (c Caller) IsAdmin() bool { return c.IsKnown() && c.Roles[0] >= Admin }
