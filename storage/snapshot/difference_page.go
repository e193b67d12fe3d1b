package snapshot

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// Selection is a part of a difference record by record. The zero value selects all of it.
type Selection struct {
	Changes []string // the kinds of changes; none: all
	Columns []string // of modified records, only those in which one of these columns differs; none: any column
	// A page in the order of the key. A nil Limit has no end.
	Limit  *int64
	Offset int64
}

func (s Selection) isPage() bool { return s.Limit != nil || s.Offset > 0 }

// watching returns the difference with those modified records only in which one of the named columns differs. A column
// may be named as either side names it.
func (d *Difference) watching(names []string) (*Difference, error) {
	if len(names) == 0 {
		return d, nil
	}
	out := *d
	out.watched = map[int]bool{}
	for _, name := range names {
		found := false
		for _, c := range d.compared() {
			if d.isCalled(c, name) {
				out.watched[c.ID], found = true, true
			}
		}
		if !found {
			return nil, fault.Errorf(fault.Invalid, "unknown_column",
				"There is no column %q in which records could differ; it must be in both states or added since, and not "+
					"part of the key.", fault.Clip(name)).With("field", "column")
		}
	}
	return &out, nil
}

// isCalled reports whether one of the sides calls a column by a name.
func (d *Difference) isCalled(c schema.Column, name string) bool {
	return slices.ContainsFunc([]schema.Schema{d.A.Schema, d.B.Schema}, func(s schema.Schema) bool {
		own, ok := s.ByID(c.ID)
		return ok && schema.SameName(own.Name, name)
	})
}

// page returns the statement of one page of a listing. Tables have their records in the order of the key already:
// sorting these would carry all columns.
func (d *Difference) page(l Listing, s Selection) string {
	limit := int64(math.MaxInt64)
	if s.Limit != nil {
		limit = *s.Limit
	}
	order := ""
	if len(l.tables) == 0 {
		var key []string
		for i := range d.Schema.KeyColumns() {
			key = append(key, duck.Ident(l.Columns[1+i].Name))
		}
		order = "ORDER BY " + strings.Join(key, ", ")
	}
	return duck.Fill(onePage, duck.Parts{
		"records": l.SQL, "order": order, "limit": fmt.Sprint(limit), "offset": fmt.Sprint(s.Offset),
	})
}

const onePage = `SELECT * FROM ({records}) {order} LIMIT {limit} OFFSET {offset}`

// pagedValues is up to how many values of the files that a difference opens all of its records are listed for a page:
// reading the columns once takes less than finding the keys on the page first. 120,000 values of nested types do not
// fit into 1 GB with all columns at once.
const pagedValues = 100_000

// isPagedByKey reports whether a page is read by the keys of its records. It has few values, while the difference may
// have very many.
func (d *Difference) isPagedByKey(s Selection, most int) bool {
	columns := int64(len(d.Schema.Stored()))
	return s.Limit != nil && columns > int64(most) && *s.Limit <= slicedValues/columns && d.Opened()*columns > pagedValues
}

// pageByKey lists a page of records that have more columns than a slice. Tables of their keys say which records are on
// it, and tables of these records alone have their values.
func (d *Difference) pageByKey(most int, s Selection) (Listing, error) {
	changes, err := kinds(s.Changes)
	if err != nil {
		return Listing{}, err
	}
	keys := d.keys(most, changes)
	tables := append(keys.tables, duck.Fill(makePage, duck.Parts{"records": d.page(keys, s)}))
	l, err := d.inSlices(most, changes, duck.Fill(onPage, duck.Parts{"same_key": d.hasKeyOf(keys)}))
	l.tables = append(tables, l.tables...)
	return l, err
}

const (
	makePage = `CREATE OR REPLACE TEMP TABLE difference_page AS {records}`
	onPage   = ` SEMI JOIN difference_page p ON {same_key}`
)

// hasKeyOf returns the SQL of the condition that a joined row has the key of one of the table difference_page.
func (d *Difference) hasKeyOf(l Listing) string {
	var on []string
	for i, k := range d.Schema.KeyColumns() {
		on = append(on, eitherSide(k)+" "+Equals(k.Type)+" p."+duck.Ident(l.Columns[1+i].Name))
	}
	return strings.Join(on, " AND ")
}
