package storage

import (
	"fmt"
	"slices"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// unusedForms returns a warning for each format of moments that no column of an upload was read with: a format that is
// slightly wrong makes text of dates.
func unusedForms(f intake.Form, columns []fittedColumn) (warnings []string) {
	for _, form := range []struct {
		option, format, what string
		reads                func(schema.Type) bool
	}{
		{"date_format", f.Date, "dates", func(t schema.Type) bool { return t.Name == schema.Date }},
		{"timestamp_format", f.Timestamp, "timestamps",
			func(t schema.Type) bool { return t.IsMoment() && t.Name != schema.Date }},
	} {
		if form.format != "" && !slices.ContainsFunc(columns, func(c fittedColumn) bool { return form.reads(c.Type) }) {
			warnings = append(warnings, fmt.Sprintf("No column was read with %s=%s. One whose values are not all %s "+
				"written so is text, and one that was text before stays text.",
				form.option, fault.Clip(form.format), form.what))
		}
	}
	return warnings
}
