package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// listDatasetsIn selects a page of datasets.
type listDatasetsIn struct {
	pageIn
	ProjectID int64  `query:"project_id" description:"Only of this project." json:"-"`
	Deleted   bool   `query:"deleted" description:"Deleted datasets instead of the others." json:"-"`
	Text      string `query:"text" description:"${datasets.text}" json:"-"`
	Family    string `query:"family" description:"${datasets.family}" json:"-"`
	Sort      string `query:"sort" enum:"name,-name,records,-records,changed,-changed,bytes,-bytes" description:"${datasets.sort}" json:"-"`
}

// isSearch reports whether the request is for more than all datasets in the order of their creation.
func (in listDatasetsIn) isSearch() bool { return in.Text != "" || in.Family != "" || in.Sort != "" }

// datasetSorts are the orders of found datasets; a minus before one turns it round.
var datasetSorts = []storage.DatasetOrder{
	storage.ByCreation, storage.ByName, storage.ByRecords, storage.ByChange, storage.ByBytes,
}

// search returns what the request selects.
func (in listDatasetsIn) search(limit int, after string) (f storage.DatasetSearch, err error) {
	f = storage.DatasetSearch{
		Project: in.ProjectID, Deleted: in.Deleted, Text: in.Text, Family: in.Family, Limit: limit,
		Order: storage.DatasetOrder(strings.TrimPrefix(in.Sort, "-")), Descending: strings.HasPrefix(in.Sort, "-"),
	}
	if !slices.Contains(datasetSorts, f.Order) || in.Sort == "-" {
		return f, invalid("sort", fmt.Sprintf("%q is not one of name, records, changed and bytes, with or without a minus",
			fault.Clip(in.Sort)))
	}
	if after == "" {
		return f, nil
	}
	if json.Unmarshal([]byte(after), &f.After) != nil || f.After == nil {
		return f, invalid("cursor", "is not a cursor that this list returned")
	}
	return f, nil
}

// datasetList is a page of datasets.
type datasetList struct {
	Datasets   []listedDataset `json:"datasets"`
	NextCursor *string         `json:"next_cursor"`
	Total      *int            `json:"total,omitempty" description:"${datasets.total}"`
}

// listedDataset is a dataset in a list of many.
type listedDataset struct {
	datasetView
	Versions      int64   `json:"versions" description:"Active ones."`
	LatestVersion *string `json:"latest_version" description:"The highest active version."`
}

// listDatasets lists datasets in the order of their creation, or what a search finds in another.
func (a *API) listDatasets(c *fiber.Ctx) error {
	var in listDatasetsIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	limit, err := in.limit()
	if err != nil {
		return err
	}
	after, err := in.after()
	if err != nil {
		return err
	}
	if in.isSearch() {
		return a.findDatasets(c, in, limit, after)
	}
	states, err := a.store.Datasets(c.UserContext(),
		catalog.DatasetFilter{Project: in.ProjectID, Deleted: in.Deleted, After: after, Limit: limit + 1})
	if err != nil {
		return err
	}
	out := datasetList{}
	if len(states) > limit {
		states = states[:limit]
		out.NextCursor = cursor(states[limit-1].Dataset.ID)
	}
	if out.Datasets, err = a.viewListed(c, states); err != nil {
		return err
	}
	return ok(c, out)
}

// findDatasets answers a request that searches or sorts.
func (a *API) findDatasets(c *fiber.Ctx, in listDatasetsIn, limit int, after string) error {
	search, err := in.search(limit, after)
	if err != nil {
		return err
	}
	found, err := a.store.FindDatasets(c.UserContext(), search)
	if err != nil {
		return err
	}
	out := datasetList{Total: &found.Total}
	if found.Last != nil {
		place, err := json.Marshal(found.Last)
		if err != nil {
			return err
		}
		out.NextCursor = cursor(string(place))
	}
	if out.Datasets, err = a.viewListed(c, found.States); err != nil {
		return err
	}
	return ok(c, out)
}

// viewListed returns datasets as lists have them.
func (a *API) viewListed(c *fiber.Ctx, states []snapshot.State) ([]listedDataset, error) {
	out := make([]listedDataset, len(states))
	for i, s := range states {
		n, highest, err := a.store.VersionsOf(c.UserContext(), s.Dataset.ID)
		if err != nil {
			return nil, err
		}
		out[i] = listedDataset{datasetView: viewDataset(s), Versions: n}
		if highest != nil {
			number := storage.VersionNumber(*highest)
			out[i].LatestVersion = &number
		}
	}
	return out, nil
}
