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

// page returns the statement of one page of a listing.
func (d *Difference) page(l Listing, s Selection) string {
	limit := int64(math.MaxInt64)
	if s.Limit != nil {
		limit = *s.Limit
	}
	var key []string
	for i := range d.Schema.KeyColumns() {
		key = append(key, duck.Ident(l.Columns[1+i].Name))
	}
	return duck.Fill(onePage, duck.Parts{
		"records": l.SQL, "key": strings.Join(key, ", "), "limit": fmt.Sprint(limit), "offset": fmt.Sprint(s.Offset),
	})
}

const onePage = `SELECT * FROM ({records}) ORDER BY {key} LIMIT {limit} OFFSET {offset}`
