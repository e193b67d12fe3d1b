package access

import (
	"fmt"
	"slices"
)

// Role is what someone may do in a project. Each role includes the ones before it. The zero value means no role.
type Role int

// The roles. Public and Known are not given to anyone: they are what a route needs that needs no token, or any.
const (
	None       Role = iota
	Public          // anyone
	Known           // whoever has a valid token, with or without a role
	Reader          // read, compare, query
	Writer          // commit, roll back, fork, merge, savepoints, versions, tags; create datasets
	Maintainer      // schema, restore, delete, retention, vacuum, erase
	Admin           // users, tokens, projects; of all projects
)

// roleNames are the names of the roles that can be given, the least first.
var roleNames = []string{"reader", "writer", "maintainer", "admin"}

// String returns the name of a role that can be given; otherwise "none".
func (r Role) String() string {
	if r < Reader || r > Admin {
		return "none"
	}
	return roleNames[r-Reader]
}

// ParseRole reads the name of a role.
func ParseRole(name string) (Role, error) {
	i := slices.Index(roleNames, name)
	if i < 0 {
		return None, fmt.Errorf("%.40q is not a role. Use reader, writer, maintainer or admin", name)
	}
	return Reader + Role(i), nil
}

// Roles are the roles of a user by project; project 0 stands for all.
type Roles map[int64]Role

// Everywhere returns one role in all projects.
func Everywhere(r Role) Roles { return Roles{0: r} }

// In returns the role in a project.
func (r Roles) In(project int64) Role { return max(r[project], r[0]) }

// Within returns the roles that a token leaves of a user's: no more than its own, in its projects; nil: in all.
func (r Roles) Within(most Role, projects []int64) Roles {
	out := Roles{}
	if projects == nil {
		for project, role := range r {
			out[project] = min(role, most)
		}
		return out
	}
	for _, project := range projects {
		if role := min(r.In(project), most); role > None {
			out[project] = min(role, Maintainer) // an admin is one of all projects
		}
	}
	return out
}

// And returns the greater of two roles in each project.
func (r Roles) And(other Roles) Roles {
	out := Roles{}
	for _, all := range []Roles{r, other} {
		for project, role := range all {
			out[project] = max(out[project], role)
		}
	}
	return out
}
