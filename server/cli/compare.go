package cli

import (
	"fmt"
	"slices"
	"strings"
)

// compareCmd shows what changed between two refs.
type compareCmd struct {
	datasetFlags
	formatFlag
	From      string `arg:"" help:"The earlier ref: ${refs}."`
	To        string `arg:"" help:"The later ref." default:"head"`
	ToDataset string `help:"The fork or upstream that TO belongs to, instead of the dataset." placeholder:"NAME"`
}

// comparison is a comparison as the command line shows it.
type comparison struct {
	Added             int64             `json:"entries_added"`
	Removed           int64             `json:"entries_removed"`
	Modified          int64             `json:"entries_modified"`
	TotalV1           int64             `json:"total_entries_v1"`
	TotalV2           int64             `json:"total_entries_v2"`
	QualityChange     *float64          `json:"quality_score_change"`
	CategoriesAdded   []string          `json:"categories_added"`
	CategoriesRemoved []string          `json:"categories_removed"`
	MetadataChanges   map[string]string `json:"metadata_changes"`
	Columns           map[string]int64  `json:"columns,omitempty"`
}

// rows lists the comparison as a table, one fact a row.
func (k comparison) rows(row func(...any)) {
	row("entries added", k.Added)
	row("entries removed", k.Removed)
	row("entries modified", k.Modified)
	row("total entries", fmt.Sprintf("%d -> %d", k.TotalV1, k.TotalV2))
	if k.QualityChange == nil {
		row("quality score change", "not known")
	} else {
		row("quality score change", *k.QualityChange)
	}
	row("categories added", strings.Join(k.CategoriesAdded, ", "))
	row("categories removed", strings.Join(k.CategoriesRemoved, ", "))
	for _, name := range sorted(k.MetadataChanges) {
		row("metadata "+name, k.MetadataChanges[name])
	}
	for _, name := range sorted(k.Columns) {
		row("modified in "+name, k.Columns[name])
	}
}

// sorted returns the names in a map, in alphabetical order.
func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Run compares.
func (cmd *compareCmd) Run(c console) error {
	query := cmd.query()
	query.Set("from", cmd.From)
	query.Set("to", cmd.To)
	query.Set("to_dataset", cmd.ToDataset)
	var k comparison
	if err := cmd.get(cmd.path("compare"), query, &k); err != nil {
		return err
	}
	return cmd.print(c, k, "FROM "+cmd.From+"\tTO "+cmd.To, k.rows)
}
