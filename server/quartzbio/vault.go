package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// home is the project that the personal vaults are in.
const home = 1

// vault is a project or, of a user, the folder user-<number> in the first project.
type vault struct {
	id          int64 // the project's; of a personal vault, the negative of the user's number
	name        string
	description string
	createdAt   time.Time
}

// personal returns a user's vault.
func personal(number int64) vault {
	return vault{id: -number, name: "user-" + strconv.FormatInt(number, 10)}
}

// isPersonal reports whether a vault is a user's.
func (v vault) isPersonal() bool { return v.id < 0 }

// project returns the project that the vault is in.
func (v vault) project() int64 {
	if v.isPersonal() {
		return home
	}
	return v.id
}

// fullPath is how the client names the vault.
func (v vault) fullPath() string { return domain + ":" + v.name }

// personalFolder matches the first folder of what is in a personal vault.
var personalFolder = regexp.MustCompile(`^/user-([1-9][0-9]{0,9})(/|$)`)

// vaultOf returns the vault that has a path of a project, and the path in it.
func vaultOf(in vault, path string) (vault, string) {
	match := personalFolder.FindStringSubmatch(path)
	if in.id != home || match == nil {
		return in, path
	}
	number, _ := strconv.ParseInt(match[1], 10, 64) // it is a number
	v := personal(number)
	return v, cmp.Or(strings.TrimPrefix(path, "/"+v.name), "/")
}

// vaults returns the vaults of projects that the caller sees, by id, and last their personal one.
func (f *Face) vaults(c *fiber.Ctx) ([]vault, error) {
	ctx := c.UserContext()
	counts, err := f.store.CountDatasets(ctx)
	if err != nil {
		return nil, err
	}
	all := map[int64]vault{home: {id: home, name: strconv.Itoa(home)}}
	for id := range counts {
		all[id] = vault{id: id, name: strconv.FormatInt(id, 10)}
	}
	named, err := f.options.Projects.Projects(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range named {
		v := vault{p.ID, p.Name, p.Description, p.CreatedAt}
		if strings.ContainsAny(p.Name, ":/") || p.Name == "~" { // the client could not name it
			v.name = strconv.FormatInt(p.ID, 10)
		}
		all[p.ID] = v
	}
	var out []vault
	for id, v := range all {
		if host.Caller(c).Role(id) > access.None {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b vault) int { return cmp.Compare(a.id, b.id) })
	if host.Caller(c).Role(home) > access.None {
		out = append(out, personal(userNumber(host.User(c))))
	}
	return out, nil
}

// vaultByID finds a vault that the caller sees, in whose project they have a role.
func (f *Face) vaultByID(c *fiber.Ctx, id int64, role access.Role) (vault, error) {
	v := vault{id: id}
	if err := permit.Check(host.Caller(c), v.project(), role); err != nil {
		return v, err
	}
	if v.isPersonal() {
		return personal(-id), nil
	}
	all, err := f.vaults(c)
	if err != nil {
		return v, err
	}
	i := slices.IndexFunc(all, func(one vault) bool { return one.id == id })
	if i < 0 {
		return v, fault.Errorf(fault.NotFound, "project_not_found", "Project %d not found", id)
	}
	audit.Of(c.UserContext()).Project(id)
	return all[i], nil
}

// vaultParam finds the vault that a request names in its path.
func (f *Face) vaultParam(c *fiber.Ctx, role access.Role) (vault, error) {
	id, err := strconv.ParseInt(c.Params("vault"), 10, 64)
	if err != nil || id == 0 || id < -math.MaxUint32 {
		return vault{}, fault.Errorf(fault.NotFound, "project_not_found", "Vault '%s' not found",
			fault.Clip(c.Params("vault")))
	}
	return f.vaultByID(c, id, role)
}

// vaultView is a vault as the client sees it.
type vaultView struct {
	AccountDomain       string          `json:"account_domain"`
	AccountID           int64           `json:"account_id"`
	ClassName           string          `json:"class_name"`
	CreatedAt           string          `json:"created_at"`
	DefaultStorageClass *string         `json:"default_storage_class"`
	Description         string          `json:"description"`
	FullPath            string          `json:"full_path"`
	HasChildren         bool            `json:"has_children"`
	HasFolderChildren   bool            `json:"has_folder_children"`
	ID                  int64           `json:"id"`
	IsDeleted           bool            `json:"is_deleted"`
	IsPublic            bool            `json:"is_public"`
	LastSynced          *string         `json:"last_synced"`
	Metadata            map[string]any  `json:"metadata"`
	Name                string          `json:"name"`
	Permissions         map[string]bool `json:"permissions"`
	Provider            string          `json:"provider"`
	RequireUniquePaths  bool            `json:"require_unique_paths"`
	Tags                []string        `json:"tags"`
	UpdatedAt           string          `json:"updated_at"`
	URL                 string          `json:"url"`
	User                userView        `json:"user"`
	UserID              int64           `json:"user_id"`
	VaultProperties     []any           `json:"vault_properties"`
	VaultType           string          `json:"vault_type"`
	Versioning          string          `json:"versioning"`
}

// viewVault returns a vault as the client sees it.
func (f *Face) viewVault(c *fiber.Ctx, v vault) (vaultView, error) {
	out := vaultView{
		AccountDomain: domain, AccountID: accountID, ClassName: "Vault", CreatedAt: moment(v.createdAt),
		UpdatedAt: moment(v.createdAt), Description: v.description, FullPath: v.fullPath(), ID: v.id,
		Metadata: map[string]any{}, Name: v.name, Permissions: permissionsIn(host.Caller(c), v.project()),
		Provider: "Rowback", RequireUniquePaths: true, Tags: []string{}, VaultProperties: []any{}, VaultType: "general",
		URL:  host.Site(c) + root + "/vaults/" + strconv.FormatInt(v.id, 10),
		User: viewUser(host.User(c)), UserID: userNumber(host.User(c)), Versioning: "enabled",
	}
	if v.createdAt.IsZero() {
		out.CreatedAt, out.UpdatedAt = moment(time.Unix(0, 0)), moment(time.Unix(0, 0))
	}
	if v.isPersonal() {
		out.VaultType = "user"
	}
	all, err := f.objectsIn(c.UserContext(), v)
	for _, o := range all {
		out.HasChildren = true
		out.HasFolderChildren = out.HasFolderChildren || o.kind == folderKind
	}
	return out, err
}

// permissionsIn are what a caller may do in a project.
func permissionsIn(c access.Caller, project int64) map[string]bool {
	return map[string]bool{
		"read": c.May(project, access.Reader), "write": c.May(project, access.Writer),
		"admin": c.May(project, access.Maintainer),
	}
}

// listVaults lists the vaults that the caller sees.
func (f *Face) listVaults(c *fiber.Ctx) error {
	if err := checkQuery(c, "name", "vault_type", "account_domain", "q", "query", "ordering"); err != nil {
		return err
	}
	all, err := f.vaults(c)
	if err != nil {
		return err
	}
	about := strings.ToLower(cmp.Or(c.Query("q"), c.Query("query")))
	all = slices.DeleteFunc(all, func(v vault) bool {
		kind := "general"
		if v.isPersonal() {
			kind = "user"
		}
		return c.Query("account_domain", domain) != domain || c.Query("vault_type", kind) != kind ||
			!strings.Contains(strings.ToLower(v.name), about) ||
			c.Query("name") != "" && c.Query("name") != v.name && c.Query("name") != strconv.FormatInt(v.id, 10)
	})
	return showList(c, all, func(v vault) (vaultView, error) { return f.viewVault(c, v) })
}

// getVault shows one vault.
func (f *Face) getVault(c *fiber.Ctx) error {
	v, err := f.vaultParam(c, access.Reader)
	if err != nil {
		return err
	}
	return f.showVault(c, http.StatusOK, v)
}

func (f *Face) showVault(c *fiber.Ctx, status int, v vault) error {
	out, err := f.viewVault(c, v)
	if err != nil {
		return err
	}
	return show(c, status, out)
}

// vaultIn is the request to make a vault, or to change one. A project has a name and a description, and nothing else.
type vaultIn struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Versioning  string  `json:"versioning"`

	VaultType json.RawMessage `json:"vault_type"`
	Provider  json.RawMessage `json:"provider"`
	Metadata  json.RawMessage `json:"metadata"`
	Tags      json.RawMessage `json:"tags"`
	Storage   json.RawMessage `json:"default_storage_class"`
	Public    json.RawMessage `json:"is_public"`
}

func (in vaultIn) check() error {
	if in.Versioning != "" && in.Versioning != "enabled" {
		return refused("versioning", "is always enabled: every change is a commit")
	}
	return nothings(map[string]json.RawMessage{
		"metadata": in.Metadata, "tags": in.Tags, "default_storage_class": in.Storage, "is_public": in.Public,
		"vault_type": in.VaultType, "provider": in.Provider,
	})
}

// createVault makes a project.
func (f *Face) createVault(c *fiber.Ctx) error {
	if err := permit.CheckAdmin(host.Caller(c)); err != nil {
		return err
	}
	var in vaultIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	switch err := in.check(); {
	case err != nil:
		return err
	case in.Name == nil:
		return required("name")
	case strings.ContainsAny(*in.Name, ":/~"), personalFolder.MatchString("/" + *in.Name):
		return refused("name", "must not have colons, slashes or tildes, or be that of a personal vault")
	}
	p := accounts.Project{Name: *in.Name}
	if in.Description != nil {
		p.Description = *in.Description
	}
	least, err := f.lastProject(c.UserContext())
	if err == nil {
		p, err = f.options.Projects.CreateProject(c.UserContext(), p, least)
	}
	if err != nil {
		return err
	}
	return f.showVault(c, http.StatusCreated, vault{p.ID, p.Name, p.Description, p.CreatedAt})
}

// lastProject returns the highest id of a project that has datasets, deleted ones too: these may come back.
func (f *Face) lastProject(ctx context.Context) (last int64, err error) {
	for _, deleted := range []bool{false, true} {
		all, err := f.store.Datasets(ctx, catalog.DatasetFilter{Deleted: deleted, Limit: math.MaxInt32})
		if err != nil {
			return 0, err
		}
		for _, s := range all {
			last = max(last, s.Dataset.ProjectID)
		}
	}
	return max(last, home), nil
}

// editVault renames or describes a project.
func (f *Face) editVault(c *fiber.Ctx) error {
	if err := permit.CheckAdmin(host.Caller(c)); err != nil {
		return err
	}
	v, err := f.vaultParam(c, access.Reader)
	if err != nil {
		return err
	}
	var in vaultIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	switch {
	case in.Name == nil && in.Description == nil:
		return f.showVault(c, http.StatusOK, v)
	case v.isPersonal():
		return refused("name", fmt.Sprintf("of %s stays: it is a folder of project %d", v.name, home))
	}
	p, err := f.options.Projects.EditProject(c.UserContext(), v.id,
		accounts.ProjectEdit{Name: in.Name, Description: in.Description})
	if err != nil {
		return err
	}
	return f.showVault(c, http.StatusOK, vault{p.ID, p.Name, p.Description, p.CreatedAt})
}
