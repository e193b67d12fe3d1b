package snapshot

import (
	"context"
	"errors"

	"github.com/rowback/rowback/storage/duck"
)

// ListIn is List with slices of at most a number of columns.
func (d *Difference) ListIn(most int, changes ...string) (Listing, error) {
	return d.list(most, changes)
}

// KeysIn is Keys with slices of at most a number of columns.
func (d *Difference) KeysIn(most int) Listing {
	return d.keys(most, []string{Added, Removed, Modified})
}

// ListingIn is a selection of List, with slices of at most a number of columns.
func (d *Difference) ListingIn(most int, s Selection) (Listing, error) {
	watched, err := d.watching(s.Columns)
	if err != nil {
		return Listing{}, err
	}
	return watched.listing(most, s)
}

// PageIn is ListingIn of a page by the keys of its records, however few values there are.
func (d *Difference) PageIn(most int, s Selection) (Listing, error) {
	watched, err := d.watching(s.Columns)
	if err != nil {
		return Listing{}, err
	}
	return watched.pageByKey(most, s)
}

// CountAligned counts what differs without a join; ok is false if the keys of both sides are not the same in the same
// order.
func (d *Difference) CountAligned(ctx context.Context, conn *duck.Conn) (out Counts, ok bool, err error) {
	out.Columns = map[string]int64{}
	ok, err = out.addAligned(ctx, conn, d)
	return out, ok, err
}

// InStrips returns the snapshot whose scans read at most a number of columns each.
func (s *Snapshot) InStrips(most int) *Snapshot {
	out := *s
	out.strip = most
	return &out
}

// CountAll counts the records that differ in three ways: from what is read without statements, from slices, and by
// statements.
func (d *Difference) CountAll(ctx context.Context, conn *duck.Conn) (out [3]Counts, err error) {
	columns := d.compared()
	if !d.isCountedHere(columns) {
		return out, errors.New("records that are not counted here")
	}
	out[0] = newNoted()
	modified := map[string]bool{}
	done, err := out[0].addRead(ctx, d, columns, modified)
	if !done {
		return out, errors.Join(err, errors.New("records that are not read here"))
	}
	out[0].Modified = int64(len(modified))
	sliced := *d
	for i, s := range d.sides {
		own := *s.own
		s.own, own.reader = &own, nil
		sliced.sides[i] = s
	}
	if out[1], err = sliced.countHere(ctx, conn, columns); err != nil {
		return out, err
	}
	out[2], err = d.countJoined(ctx, conn, columns)
	return out, err
}

// Counted is the counts alone.
func (c Counts) Counted() Counts {
	return Counts{Added: c.Added, Removed: c.Removed, Modified: c.Modified, Columns: c.Columns}
}

// SameValue reports whether two values of arrays are not distinct.
var SameValue = sameValue
