package iceberg

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/catalog"
)

// identifier is how a table is named.
type identifier struct {
	Namespace []string `json:"namespace"`
	Name      string   `json:"name"`
}

// The size of a page of tables: what it is unless the request says so, and at most.
const (
	pageSize = 1000
	maxPage  = 10_000
)

// listTables lists the datasets of a project by id.
func (f *Face) listTables(c *fiber.Ctx) error {
	n, err := f.named(c)
	if err != nil {
		return err
	}
	size := pageSize
	if given, err := strconv.Atoi(c.Query("pageSize")); err == nil && given > 0 {
		size = min(given, maxPage)
	}
	if !isText(c.Query("pageToken")) {
		return fiber.NewError(http.StatusBadRequest, "The pageToken is not one that this catalog gave.")
	}
	list, err := f.store.Datasets(c.UserContext(), catalog.DatasetFilter{
		Project: n.id, After: strings.Clone(c.Query("pageToken")), Limit: size + 1,
	})
	if err != nil {
		return err
	}
	out := map[string]any{"next-page-token": nil}
	tables := []identifier{}
	for i, s := range list {
		if i == size {
			out["next-page-token"] = list[i-1].Dataset.ID
			break
		}
		name := s.Dataset.Name
		if s.Dataset.IsNamesake {
			name = s.Dataset.ID
		}
		tables = append(tables, identifier{[]string{n.name}, name})
	}
	out["identifiers"] = tables
	return show(c, out)
}

// loadTable returns a table's metadata. The name of a dataset may have @ and a ref after it: then the table is the
// dataset as of that ref.
func (f *Face) loadTable(c *fiber.Ctx) error {
	n, err := f.named(c)
	if err != nil {
		return err
	}
	name, err := param(c, "table")
	if err != nil {
		return err
	}
	name, ref, _ := strings.Cut(name, "@")
	d, err := f.store.FindDataset(c.UserContext(), n.id, name)
	if err == nil && d.ProjectID != n.id { // named by its id, in another project
		err = noTable(name, strconv.FormatInt(n.id, 10)) // says what it says of one that is nowhere
	}
	if err != nil {
		return err
	}
	t, err := f.store.Published.Table(c.UserContext(), d.ID, ref, c.Query("snapshots") != "refs")
	if err != nil {
		return err
	}
	return show(c, map[string]any{"metadata": t.Metadata(), "config": map[string]string{}})
}
