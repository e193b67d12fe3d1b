package quartzbio

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
)

// namedObjects keeps those of the objects that a pattern of the client's commands names, and in which the caller has a
// permission.
func namedObjects(c *fiber.Ctx, all []object) ([]object, error) {
	if permission := c.Query("permission"); permission != "" {
		if _, known := permissionsIn(host.Caller(c), home)[permission]; !known {
			return nil, oneOf("permission", permission, "read, write or admin")
		}
		all = slices.DeleteFunc(all, func(o object) bool {
			return !permissionsIn(host.Caller(c), o.vault.project())[permission]
		})
	}
	glob := c.Query("glob")
	if glob == "" {
		return all, nil
	}
	pattern, err := globbed(glob, domain+":"+personal(userNumber(host.User(c))).name)
	if err != nil {
		return nil, refused("glob", "is not a pattern of full paths")
	}
	return slices.DeleteFunc(all, func(o object) bool { return !pattern.MatchString(o.fullPath()) }), nil
}

// globbed returns the expression of a pattern of full paths, in which * and ? stand for a part of one name, and ** for
// several names. The domain may be missing, and so may the vault: it is the caller's own then.
func globbed(glob, own string) (*regexp.Regexp, error) {
	vault, p, named := strings.Cut(glob, ":/")
	switch {
	case strings.HasPrefix(glob, "~"):
		vault, p = own, strings.TrimPrefix(strings.TrimPrefix(glob, "~"), "/")
	case strings.HasPrefix(glob, "*/"): // in any vault
		vault, p = domain+":*", strings.TrimPrefix(glob, "*/")
	case !named:
		vault, p = own, strings.TrimPrefix(glob, "/")
	case !strings.Contains(vault, ":"):
		vault = domain + ":" + vault
	}
	var pattern strings.Builder
	for rest := vault + ":/" + strings.TrimSuffix(p, "/"); rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**"):
			pattern.WriteString(".*")
			rest = strings.TrimLeft(rest, "*")
			continue
		case rest[0] == '*':
			pattern.WriteString("[^/]*")
		case rest[0] == '?':
			pattern.WriteString("[^/]")
		default:
			pattern.WriteString(regexp.QuoteMeta(rest[:1]))
		}
		rest = rest[1:]
	}
	return regexp.Compile("(?s)^" + pattern.String() + "$")
}
