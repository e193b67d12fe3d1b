package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// DatasetOrder is what found datasets are sorted by.
type DatasetOrder string

// The orders. By name, capitals are as other letters, and numbers come by their value.
const (
	ByCreation DatasetOrder = ""
	ByName     DatasetOrder = "name"
	ByRecords  DatasetOrder = "records"
	ByChange   DatasetOrder = "changed"
	ByBytes    DatasetOrder = "bytes"
)

// DatasetSearch selects datasets. Zero values select all.
type DatasetSearch struct {
	Project    int64
	Family     string // a dataset: only it, its forks, theirs, and what they were forked from
	Deleted    bool   // deleted datasets instead of the others
	Text       string // words, each a part of the name or the description, ignoring case; or an id
	Order      DatasetOrder
	Descending bool
	After      *DatasetPlace // only what follows it in the order
	Limit      int
}

// DatasetPlace is the place of a dataset in an order. It stays one when the dataset changes or goes.
type DatasetPlace struct {
	Name   string `json:"name,omitempty"`
	Number int64  `json:"n,omitempty"`
	ID     string `json:"id"`
}

// FoundDatasets are a page of what a search found.
type FoundDatasets struct {
	States []snapshot.State
	Total  int           // that the search finds, on all pages
	Last   *DatasetPlace // of the last one, if others follow; nil: there are no more
}

// FindDatasets searches datasets, as of their heads. It reads a line of each dataset of the project, and the states of
// those on the page.
func (h *History) FindDatasets(ctx context.Context, f DatasetSearch) (found FoundDatasets, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		family, err := familyOf(ctx, tx, f.Family)
		if err != nil {
			return err
		}
		lines, err := tx.DatasetLines(f.Project, family, f.Deleted, f.Text != "")
		if err != nil {
			return err
		}
		lines = f.among(ctx, lines)
		found.Total = len(lines)
		rest := f.following(lines)
		page := rest[:min(f.Limit, len(rest))]
		if len(page) > 0 && len(page) < len(rest) {
			last := f.placeOf(page[len(page)-1])
			found.Last = &last
		}
		found.States, err = statesOfLines(ctx, tx, page)
		return err
	})
	return found, err
}

// statesOfLines returns the states of the datasets that lines are of.
func statesOfLines(ctx context.Context, tx catalog.Tx, lines []catalog.DatasetLine) ([]snapshot.State, error) {
	datasets := make([]catalog.Dataset, len(lines))
	for i, l := range lines {
		var err error
		if datasets[i], err = tx.Dataset(l.ID); err != nil {
			return nil, err
		}
	}
	datasets, err := seenBy(ctx, tx, datasets)
	if err != nil {
		return nil, err
	}
	return statesOf(tx, datasets)
}

// familyOf returns the family of a dataset that the client of a request may use; of no dataset, no family.
func familyOf(ctx context.Context, tx catalog.Tx, dataset string) (string, error) {
	if dataset == "" {
		return "", nil
	}
	d, err := activeFor(ctx, tx, dataset)
	return d.FamilyID, err
}

// among returns the lines that the search finds and the client of the request may use, in order.
func (f DatasetSearch) among(ctx context.Context, lines []catalog.DatasetLine) []catalog.DatasetLine {
	p := permitOf(ctx)
	words := strings.Fields(strings.ToLower(f.Text))
	lines = slices.DeleteFunc(lines, func(l catalog.DatasetLine) bool {
		return p != nil && (!p.Sees(l.ProjectID) || p.Use(l.ProjectID) != nil) || !says(l, words)
	})
	slices.SortFunc(lines, func(a, b catalog.DatasetLine) int { return f.compare(f.placeOf(a), f.placeOf(b)) })
	return lines
}

// says reports whether a dataset has all words in its name and description, or has the one word as its id. Where the
// name has them, the properties are not read.
func says(l catalog.DatasetLine, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(l.Name)
	if hasAll(text, words) || len(words) == 1 && words[0] == l.ID {
		return true
	}
	var p struct {
		Description string `json:"description"`
	}
	return json.Unmarshal([]byte(l.Text), &p) == nil && hasAll(text+"\n"+strings.ToLower(p.Description), words)
}

func hasAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// following returns the lines after the place where the page before ended.
func (f DatasetSearch) following(lines []catalog.DatasetLine) []catalog.DatasetLine {
	if f.After == nil {
		return lines
	}
	i, isThere := slices.BinarySearchFunc(lines, *f.After, func(l catalog.DatasetLine, p DatasetPlace) int {
		return f.compare(f.placeOf(l), p)
	})
	if isThere {
		i++
	}
	return lines[i:]
}

func (f DatasetSearch) placeOf(l catalog.DatasetLine) DatasetPlace {
	p := DatasetPlace{ID: l.ID}
	switch f.Order {
	case ByName:
		p.Name = strings.ToLower(l.Name)
	case ByRecords:
		p.Number = l.Records
	case ByChange:
		p.Number = l.ChangedAt.UnixMicro()
	case ByBytes:
		p.Number = l.Bytes
	}
	return p
}

// compare orders places. Datasets that are equal in what they are sorted by are in the order of their creation.
func (f DatasetSearch) compare(a, b DatasetPlace) int {
	order := cmp.Or(compareNatural(a.Name, b.Name), cmp.Compare(a.Number, b.Number))
	if f.Descending {
		order = -order
	}
	return cmp.Or(order, cmp.Compare(a.ID, b.ID))
}

// compareNatural compares names; numbers in them by their value, so that wave 2 comes before wave 10.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		partA, restA := firstPart(a)
		partB, restB := firstPart(b)
		if isDigit(rune(partA[0])) && isDigit(rune(partB[0])) {
			numberA, numberB := strings.TrimLeft(partA, "0"), strings.TrimLeft(partB, "0")
			if order := cmp.Or(cmp.Compare(len(numberA), len(numberB)), cmp.Compare(numberA, numberB)); order != 0 {
				return order
			}
		}
		if partA != partB {
			return cmp.Compare(partA, partB)
		}
		a, b = restA, restB
	}
	return cmp.Compare(a, b)
}

// firstPart splits a name after the digits, or the other characters, that it begins with.
func firstPart(name string) (part, rest string) {
	first := isDigit(rune(name[0]))
	i := strings.IndexFunc(name, func(r rune) bool { return isDigit(r) != first })
	if i < 0 {
		return name, ""
	}
	return name[:i], name[i:]
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// DatasetsOf returns datasets, as of their heads, by their ids. It leaves out those that are not there for the client.
func (h *History) DatasetsOf(ctx context.Context, ids []string) (list []snapshot.State, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		var datasets []catalog.Dataset
		for _, id := range ids {
			d, err := tx.Dataset(id)
			if err != nil && !errors.Is(err, catalog.ErrNotFound) {
				return err
			}
			if err == nil && d.DeletedAt.IsZero() {
				datasets = append(datasets, d)
			}
		}
		if datasets, err = seenBy(ctx, tx, datasets); err != nil {
			return err
		}
		list, err = statesOf(tx, datasets)
		return err
	})
	return list, err
}

// CountDatasets returns how many datasets the client of a request may use, by project.
func (h *History) CountDatasets(ctx context.Context) (counts map[int64]int, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { counts, err = tx.CountDatasets(); return err })
	p := permitOf(ctx)
	maps.DeleteFunc(counts, func(project int64, _ int) bool {
		return p != nil && (!p.Sees(project) || p.Use(project) != nil)
	})
	return counts, err
}

// VersionsOf returns how many active versions a dataset has, and the highest of them; nil: it has none.
func (h *History) VersionsOf(ctx context.Context, dataset string) (n int64, highest *catalog.Version, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		if n, err = tx.CountVersions(dataset); err != nil || n == 0 {
			return err
		}
		first, err := tx.ActiveVersions(dataset, catalog.Forever, 1)
		if err == nil && len(first) > 0 {
			highest = &first[0]
		}
		return err
	})
	return n, highest, err
}
