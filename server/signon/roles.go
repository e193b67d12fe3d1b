package signon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fault"
)

// GroupRole is the role that a group of the provider's has in a project.
type GroupRole struct {
	Group   string
	Role    access.Role
	Project string // its name or number; *: all
}

// ParseRole reads GROUP=ROLE or GROUP=ROLE@PROJECT. Groups may have an equals sign in their names.
func ParseRole(text string) (g GroupRole, err error) {
	i := strings.LastIndex(text, "=")
	if i < 1 {
		return g, fmt.Errorf("%q: write it as GROUP=ROLE or GROUP=ROLE@PROJECT", text)
	}
	g.Group, g.Project = text[:i], "*"
	name, project, bounded := strings.Cut(text[i+1:], "@")
	if bounded {
		g.Project = project
	}
	if g.Role, err = access.ParseRole(name); err != nil {
		return g, err
	}
	switch {
	case g.Project == "":
		return g, fmt.Errorf("%q: the project after @ is missing", text)
	case g.Role == access.Admin && g.Project != "*":
		return g, fmt.Errorf("%q: an admin is one of all projects: leave @%s out", text, g.Project)
	}
	return g, nil
}

// Roles returns what the groups of an identity may do; ErrUnknown: another provider vouched for it. A project that does
// not exist yet gives no role in it.
func (p *Provider) Roles(ctx context.Context, of access.Identity) (access.Roles, error) {
	out := access.Roles{}
	// A session may be of a provider that was configured before, which has no say any more.
	if of.Issuer != p.Issuer {
		return nil, access.ErrUnknown
	}
	for _, g := range p.Grants {
		if !slices.Contains(of.Groups, g.Group) {
			continue
		}
		id, err := p.Projects(ctx, g.Project)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[id] = max(out[id], g.Role)
	}
	return out, nil
}
