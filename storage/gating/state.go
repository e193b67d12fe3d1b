package gating

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// Gates on a state as a whole, which is known from what is kept with its files: most read no records.

// checkRowCount checks the number of records.
func checkRowCount(g catalog.Gate, total int64) (out Result, err error) {
	least, greatest, err := counts(g)
	if err == nil && (total < least || total > greatest) {
		out.Detail = fmt.Sprintf("There are %d records, and the gate asks for %s.", total, between(g))
	}
	return out, err
}

// counts returns the numbers of records between which row_count asks for.
func counts(g catalog.Gate) (least, greatest int64, err error) {
	least, greatest = 0, 1<<62
	for _, of := range []struct {
		limit json.RawMessage
		into  *int64
	}{{g.Minimum, &least}, {g.Maximum, &greatest}} {
		if of.limit == nil {
			continue
		}
		if *of.into, err = strconv.ParseInt(string(of.limit), 10, 64); err != nil || *of.into < 0 {
			return 0, 0, refuse("%s is not a whole number of records.", fault.Clip(string(of.limit)))
		}
	}
	return least, greatest, nil
}

// between says the limits of a gate.
func between(g catalog.Gate) string {
	least, greatest := textOf(g.Minimum), textOf(g.Maximum)
	switch {
	case g.Maximum == nil:
		return "at least " + fault.Clip(least)
	case g.Minimum == nil:
		return "at most " + fault.Clip(greatest)
	}
	return fault.Clip(least) + " to " + fault.Clip(greatest)
}

// checkMean checks the average quality. A state without scores passes.
func (c Checker) checkMean(ctx context.Context, g catalog.Gate, ch Change) (out Result, err error) {
	if _, ok := ch.After.QualityColumn(); !ok {
		return out, errNoQuality
	}
	least, err := numberOf(g.Minimum)
	if err != nil {
		return out, err
	}
	quality, ok, err := ch.After.Quality(ctx, c.Conn)
	if err == nil && ok && quality.Average < least {
		out.Detail = fmt.Sprintf("The mean quality is %.6g, and the gate asks for at least %s.", quality.Average, g.Minimum)
	}
	return out, err
}

var (
	errNoQuality  = &unusable{"The dataset has no quality column of numbers."}
	errNoCategory = &unusable{"The dataset has no category column."}
)

// shownCategories is how many lost categories a sentence names.
const shownCategories = 10

// checkCategories checks that the state after the change has every category that the one before it had.
func (c Checker) checkCategories(ctx context.Context, ch Change) (out Result, err error) {
	after, ok, err := ch.After.Categories(ctx, c.Conn)
	if err != nil {
		return out, err
	}
	if !ok {
		return out, errNoCategory
	}
	before, _, err := ch.Before.Categories(ctx, c.Conn)
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] > 0 && after[name] <= 0 {
			lost = append(lost, fault.Clip(name))
		}
	}
	switch n := len(lost); {
	case n > shownCategories:
		out.Detail = fmt.Sprintf("%d categories are lost, %s among them.", n, strings.Join(lost[:shownCategories], ", "))
	case n > 0:
		out.Detail = fmt.Sprintf("No record is left of %s.", strings.Join(lost, ", "))
	}
	return out, err
}
