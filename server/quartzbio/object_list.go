package quartzbio

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
)

// listObjects lists objects of one vault, or of all that the caller sees.
func (f *Face) listObjects(c *fiber.Ctx) error {
	// There are no shortcuts to follow.
	if err := checkQuery(c, "vault_id", "vault_name", "account_domain", "full_path", "path", "object_type", "filename",
		"parent_object_id", "ancestor_id", "recursive", "depth", "q", "query", "ordering", "allow_multiple", "glob",
		"permission", "follow_shortcuts"); err != nil {
		return err
	}
	if order := strings.TrimPrefix(c.Query("ordering"), "-"); order != "" && order != "path" && order != "filename" {
		return oneOf("ordering", c.Query("ordering"), "path or filename, with - before it for the reverse")
	}
	all, err := f.wantedObjects(c)
	if err != nil {
		return err
	}
	kept := all
	if all, err = filterObjects(c, all); err != nil {
		return err
	}
	if all, err = namedObjects(c, all); err != nil {
		return err
	}
	return showList(c, all, func(o object) (objectView, error) { return f.viewObject(c.UserContext(), o, kept) })
}

// wantedObjects lists all objects of the vaults that a request names.
func (f *Face) wantedObjects(c *fiber.Ctx) (out []object, err error) {
	var wanted []vault
	if id := c.Query("vault_id"); id != "" {
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, refused("vault_id", "must be an integer")
		}
		v, err := f.vaultByID(c, number, access.Reader)
		if err != nil {
			return nil, err
		}
		wanted = []vault{v}
	} else if wanted, err = f.vaults(c); err != nil {
		return nil, err
	}
	of, name, _ := strings.Cut(c.Query("full_path"), ":")
	name, _, _ = strings.Cut(name, ":")
	for _, v := range wanted {
		if c.Query("full_path") != "" && (of != domain || name != v.name) ||
			c.Query("vault_name", v.name) != v.name || c.Query("account_domain", domain) != domain {
			continue
		}
		all, err := f.objectsIn(c.UserContext(), v)
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	// One that someone else's personal vault has is named by that vault alone.
	if len(out) == 0 && c.Query("full_path") != "" && strings.HasPrefix(name, "user-") {
		if number, err := strconv.ParseInt(strings.TrimPrefix(name, "user-"), 10, 64); err == nil && number > 0 {
			v, err := f.vaultByID(c, -number, access.Reader)
			if err == nil {
				return f.objectsIn(c.UserContext(), v)
			}
		}
	}
	return out, nil
}

// filterObjects keeps those of the objects that a request selects, in its order.
func filterObjects(c *fiber.Ctx, all []object) ([]object, error) {
	within, depth := "", -1
	for _, name := range []string{"parent_object_id", "ancestor_id"} {
		id := c.Query(name)
		if id == "" {
			continue
		}
		i := slices.IndexFunc(all, func(o object) bool { return o.id == id })
		if i < 0 {
			return nil, nil
		}
		within = all[i].path + "/"
		if name == "parent_object_id" {
			depth = strings.Count(within, "/") - 1
		}
	}
	if c.Query("depth") != "" {
		n, err := count(c, "depth", 0, 0)
		if err != nil {
			return nil, err
		}
		depth = n
	}
	kind, full := c.Query("object_type"), c.Query("full_path")
	about := strings.ToLower(cmp.Or(c.Query("q"), c.Query("query")))
	out := slices.DeleteFunc(slices.Clone(all), func(o object) bool {
		return kind != "" && o.kind != kind || full != "" && o.fullPath() != full ||
			c.Query("path", o.path) != o.path || c.Query("filename", o.filename()) != o.filename() ||
			!strings.HasPrefix(o.path, within) || depth >= 0 && strings.Count(o.path, "/")-1 != depth ||
			!strings.Contains(strings.ToLower(o.path), about)
	})
	switch c.Query("ordering") {
	case "filename", "-filename":
		slices.SortStableFunc(out, func(a, b object) int { return strings.Compare(a.filename(), b.filename()) })
	}
	if strings.HasPrefix(c.Query("ordering"), "-") {
		slices.Reverse(out)
	}
	return out, nil
}
