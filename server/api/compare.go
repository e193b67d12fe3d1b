package api

import (
	"context"
	"fmt"
	"io"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/compare"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/lineage"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/snapshot"
)

// compareIn names the two states of a comparison. From is a ref of the dataset in the path; To is one of to_dataset, if
// that is given.
type compareIn struct {
	datasetIn
	From      string `query:"from" required:"true" description:"${refs}." json:"-"`
	To        string `query:"to" default:"head" description:"${refs}." json:"-"`
	ToDataset string `query:"to_dataset" description:"${to_dataset}" json:"-"`
}

// pair finds the two snapshots that a request compares.
func (a *API) pair(ctx context.Context, in compareIn) (from, to *snapshot.Snapshot, err error) {
	ofFrom, ofTo, err := a.sides(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	if from, err = a.store.Snapshot(ctx, ofFrom.ID, in.From); err != nil {
		return nil, nil, err
	}
	to, err = a.store.Snapshot(ctx, ofTo.ID, in.To)
	return from, to, err
}

// sides finds the datasets of a comparison.
func (a *API) sides(ctx context.Context, in compareIn) (from, to catalog.Dataset, err error) {
	if from, err = a.dataset(ctx, in.datasetIn); err != nil || in.ToDataset == "" {
		return from, from, err
	}
	to, err = a.relative(ctx, from, in)
	return from, to, err
}

// relative finds the other dataset of a comparison, which must be of the same family.
func (a *API) relative(ctx context.Context, d catalog.Dataset, in compareIn) (catalog.Dataset, error) {
	other, err := a.store.FindDataset(ctx, in.project(), in.ToDataset)
	// Only a family shares column ids and files: between strangers every record would be added or removed.
	if err == nil && other.FamilyID != d.FamilyID {
		e := &fault.Error{
			Kind: fault.Invalid, Code: "not_family",
			Detail: fmt.Sprintf("Dataset '%s' is neither a fork nor the upstream of '%s': they share no history to compare.",
				other.Name, d.Name),
		}
		err = e.With("field", "to_dataset")
	}
	return other, err
}

// summarize compares two snapshots.
func (a *API) summarize(ctx context.Context, from, to *snapshot.Snapshot) (compare.Summary, error) {
	conn, err := a.store.Conn(ctx)
	if err != nil {
		return compare.Summary{}, err
	}
	defer conn.Close()
	return compare.Summarize(ctx, conn, from, to)
}

// getCompare summarises the changes between two refs.
func (a *API) getCompare(c *fiber.Ctx) error {
	var in compareIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	from, to, err := a.pair(c.UserContext(), in)
	if err != nil {
		return err
	}
	out := compared{}
	if out.Summary, err = a.summarize(c.UserContext(), from, to); err != nil {
		return err
	}
	if out.Lineage, err = a.lineageDifferences(c.UserContext(), from, to); err != nil {
		return err
	}
	return ok(c, out)
}

// compared is a comparison of two refs, with that of what they were made from.
type compared struct {
	compare.Summary
	Lineage *lineage.Differences `json:"lineage,omitempty" description:"${compare.lineage}"`
}

// insightsIn is the request for conclusions.
type insightsIn struct {
	datasetIn
	From      string `query:"from" description:"${refs}. By default the version before to." json:"-"`
	To        string `query:"to" default:"head" description:"${refs}." json:"-"`
	ToDataset string `query:"to_dataset" description:"As in compare." json:"-"`
}

// getInsights draws conclusions from the changes between two refs (seed 000).
func (a *API) getInsights(c *fiber.Ctx) error {
	var in insightsIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	ctx := c.UserContext()
	// The two differ only in what their tags describe.
	pair := compareIn(in)
	if pair.From == "" {
		d, to, err := a.sides(ctx, pair)
		if err != nil {
			return err
		}
		if pair.From, err = a.store.VersionBefore(ctx, d.ID, to.ID, in.To); err != nil {
			return err
		}
	}
	from, to, err := a.pair(ctx, pair)
	if err != nil {
		return err
	}
	out, err := a.summarize(ctx, from, to)
	if err != nil {
		return err
	}
	named, err := a.store.VersionNaming(ctx, to.Dataset.ID, to.Commit.ID)
	if err != nil {
		return err
	}
	number := ""
	if named.ID != 0 {
		number = storage.VersionNumber(named)
	}
	return ok(c, out.Insights(number))
}

// diffIn selects changes between two refs.
type diffIn struct {
	compareIn
	formatIn
	Change []string `query:"change" collectionFormat:"csv" description:"added, removed, modified; none: all." json:"-"`
	Column []string `query:"column" collectionFormat:"csv" description:"${diff.column}" json:"-"`
	Limit  *int64   `query:"limit" minimum:"0" description:"A page is in the order of the key." json:"-"`
	Offset *int64   `query:"offset" minimum:"0" json:"-"`
}

// selection returns the part of the difference that is asked for.
func (in diffIn) selection() (s snapshot.Selection, err error) {
	s = snapshot.Selection{Changes: in.Change, Columns: in.Column, Limit: in.Limit}
	if in.Limit != nil && *in.Limit < 0 {
		return s, invalid("limit", "must not be negative")
	}
	if in.Offset != nil {
		if s.Offset = *in.Offset; s.Offset < 0 {
			return s, invalid("offset", "must not be negative")
		}
	}
	return s, nil
}

// getDiff streams the changes between two refs, record by record.
func (a *API) getDiff(c *fiber.Ctx) error {
	var in diffIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	format, pages, err := in.result()
	if err != nil {
		return err
	}
	part, err := in.selection()
	if err != nil {
		return err
	}
	from, to, err := a.pair(c.UserContext(), in.compareIn)
	if err != nil {
		return err
	}
	// It reads nothing yet: the statement is made here so that an unknown change is refused with a status.
	diff := snapshot.Diff(from, to)
	list, err := diff.List(part)
	if err != nil {
		return err
	}
	q := output.Query{SQL: list.SQL, Columns: list.Columns, Pages: pages}
	limit := a.host.Limits().QueryTimeout
	return a.stream(c, "diff", format, host.Result{First: limit, Each: limit},
		func(ctx context.Context, w io.Writer, scratch string) (output.Cut, error) {
			list, q := list, q
			rows, err := diff.ListHere(ctx, part)
			if err != nil {
				return output.Whole, err
			}
			if rows != nil {
				defer rows.Release()
				list, q = snapshot.Listing{}, output.Of(rows, list.Columns, pages)
			}
			conn, err := a.prepared(ctx, list)
			if err != nil {
				return output.Whole, err
			}
			defer conn.Close()
			return output.Write(ctx, conn, q, format, w, scratch)
		})
}

// prepared opens a connection on which a listing's statement can run.
func (a *API) prepared(ctx context.Context, list snapshot.Listing) (*duck.Conn, error) {
	conn, err := a.store.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := list.Prepare(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
