package cli

import (
	"slices"
	"strings"

	"github.com/rowback/rowback/server/terminal"
	"github.com/rowback/rowback/storage/lineage"
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

	Lineage *lineage.Differences `json:"lineage,omitempty"`
}

// print shows the comparison as a table, one fact a row; as JSON it is answer.
func (k comparison) print(c console, f formatFlag, answer any, header string) error {
	return f.print(c, answer, header, func(row func(...any)) { k.rows(c.screen, row) })
}

// rows lists the facts of the comparison.
func (k comparison) rows(screen terminal.Screen, row func(...any)) {
	count := func(n int64) string { return screen.Count(terminal.Count(n)) }
	row("entries added", count(k.Added))
	row("entries removed", count(k.Removed))
	row("entries modified", count(k.Modified))
	row("total entries", count(k.TotalV1)+" -> "+count(k.TotalV2))
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
		row("modified in "+name, count(k.Columns[name]))
	}
	if k.Lineage != nil {
		lineageRows(*k.Lineage, row)
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
	return k.print(c, cmd.formatFlag, k, "FROM "+cmd.From+"\tTO "+cmd.To)
}
