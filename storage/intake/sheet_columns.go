package intake

import (
	"fmt"

	"github.com/rowback/rowback/storage/intake/workbook"
	"github.com/rowback/rowback/storage/schema"
)

// records returns what was read as records. Columns that have neither a name nor a value are not columns.
func (s *sheetText) records() *sheetRecords {
	r := &sheetRecords{text: &arrowRecords{path: s.path, size: s.size}}
	unnamed := 0
	for i, c := range s.columns {
		if !c.named && c.kinds == 0 {
			continue
		}
		if !c.named {
			unnamed++
		}
		o := Offered{Name: c.header, Type: sheetType(c.kinds)}
		if o.Type.Name == schema.Varchar {
			o.Text = JSONText // as in JSON, text may be a date or a decimal to a column that has those
		}
		r.columns, r.at = append(r.columns, o), append(r.at, i)
	}
	r.notes = append(r.notes, unnamedNote(r.columns[:unnamed])...)
	if n := s.faults; n.cells > 0 {
		r.notes = append(r.notes, fmt.Sprintf("Cells with an error, such as #N/A, were read as empty: %d in sheet %q, "+
			"the first is %s.", n.cells, s.name, n.first))
	}
	if n := s.pending; n.cells > 0 {
		r.notes = append(r.notes, fmt.Sprintf("Formulas without a stored result were read as empty: %d in sheet %q, "+
			"the first is %s. Save the file in a spreadsheet program to have them computed.", n.cells, s.name, n.first))
	}
	return r
}

// sheetType returns the type that takes all values of a column as they are; text, if they are of several kinds.
func sheetType(kinds workbook.Kind) schema.Type {
	only := func(some workbook.Kind) bool { return kinds&^some == 0 }
	switch {
	case kinds == 0:
		return schema.Of(schema.Null)
	case only(workbook.Whole | workbook.Large):
		return schema.Of(schema.Bigint)
	case only(workbook.Whole | workbook.Real):
		return schema.Of(schema.Double)
	case only(workbook.Bool):
		return schema.Of(schema.Boolean)
	case only(workbook.Date):
		return schema.Of(schema.Date)
	case only(workbook.Date | workbook.Moment):
		return schema.Of(schema.Timestamp)
	case only(workbook.Clock):
		return schema.Of(schema.Time)
	}
	return schema.Of(schema.Varchar)
}
