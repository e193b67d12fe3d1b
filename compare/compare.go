// Package compare summarises what changed between two snapshots (design, section 5). The record-by-record difference is
// in storage/snapshot. It reads only the files that the difference opens; quality and categories are sums stored with
// the files. So its cost depends on the size of the change, not of the data. TestTheDocumentsComparison holds it to the
// example of seed 000.
package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// Comparison is what changed from A to B, in the terms of seed 000. Entries are records, in the document's word. V1 is
// A, and V2 is B.
type Comparison struct {
	EntriesAdded    int64 `json:"entries_added"`
	EntriesRemoved  int64 `json:"entries_removed"`
	EntriesModified int64 `json:"entries_modified"`
	TotalEntriesV1  int64 `json:"total_entries_v1"`
	TotalEntriesV2  int64 `json:"total_entries_v2"`
	// difference of the averages; null if either side has none
	QualityScoreChange *float64          `json:"quality_score_change"`
	CategoriesAdded    []string          `json:"categories_added"`
	CategoriesRemoved  []string          `json:"categories_removed"`
	MetadataChanges    map[string]string `json:"metadata_changes"` // key: added, removed, updated or improved

	IsShare bool `json:"-"` // all scores lie between 0 and 1, so that the change can be said in percent
}

// Summary is the comparison and further figures. It is the answer of …/compare; seed 000's own route answers with the
// comparison alone.
type Summary struct {
	Comparison
	Quality    Sides[*float64]         `json:"quality"`    // average at each side; null if there is none
	Categories map[string]Sides[int64] `json:"categories"` // records at each side, for every category of either
	// average quality in each category at each side; null if there is none
	CategoryQuality map[string]Sides[*float64] `json:"category_quality"`
	Columns         map[string]int64           `json:"columns"` // records modified in each column
	SchemaChanges   []schema.Change            `json:"schema_changes"`
	// values at each side of what metadata_changes names; null where a side has none
	Metadata map[string]Sides[any] `json:"metadata"`
}

// Sides is a value at A and at B. In SQL and in storage/snapshot the two are a and b.
type Sides[T any] struct {
	From T `json:"from"`
	To   T `json:"to"`
}

// Summarize compares two snapshots of one dataset, or of two in one fork family.
func Summarize(ctx context.Context, conn *duck.Conn, a, b *snapshot.Snapshot) (Summary, error) {
	// Files that both have, with the same positions displaced, are on neither side: they are not opened.
	diff := snapshot.Diff(a, b)
	counts, err := diff.Count(ctx, conn)
	if err != nil {
		return Summary{}, err
	}
	out := Summary{Columns: counts.Columns, SchemaChanges: schema.Changes(diff.A.Schema, diff.B.Schema)}
	out.Comparison = Comparison{
		EntriesAdded: counts.Added, EntriesRemoved: counts.Removed, EntriesModified: counts.Modified,
		TotalEntriesV1: a.Total(), TotalEntriesV2: b.Total(),
		MetadataChanges: metadataChanges(a.Properties.Metadata, b.Properties.Metadata),
	}
	out.Metadata = map[string]Sides[any]{}
	for name := range out.MetadataChanges {
		out.Metadata[name] = Sides[any]{a.Properties.Metadata[name], b.Properties.Metadata[name]}
	}
	if err := out.quality(ctx, conn, a, b); err != nil {
		return out, err
	}
	return out, out.categories(ctx, conn, a, b)
}

// quality sets the averages of both sides and the change between them.
func (s *Summary) quality(ctx context.Context, conn *duck.Conn, a, b *snapshot.Snapshot) error {
	// Of both sides: a change from 0.8 to 80 is not one of percent.
	s.IsShare = true
	for side, snap := range map[**float64]*snapshot.Snapshot{&s.Quality.From: a, &s.Quality.To: b} {
		q, ok, err := snap.Quality(ctx, conn)
		if err != nil {
			return err
		}
		if ok {
			*side, s.IsShare = &q.Average, s.IsShare && q.IsShare
		}
	}
	s.QualityScoreChange = change(s.Quality)
	return s.categoryQuality(ctx, conn, a, b)
}

// change is the difference of two averages; nil if one of them is missing.
func change(averages Sides[*float64]) *float64 {
	if averages.From == nil || averages.To == nil {
		return nil
	}
	by := rounded(*averages.To - *averages.From)
	return &by
}

// categoryQuality sets the averages of each category. A category that one side lacks has null there.
func (s *Summary) categoryQuality(ctx context.Context, conn *duck.Conn, a, b *snapshot.Snapshot) error {
	s.CategoryQuality = map[string]Sides[*float64]{}
	before, err := a.CategoryQuality(ctx, conn)
	if err != nil {
		return err
	}
	after, err := b.CategoryQuality(ctx, conn)
	for name, average := range before {
		s.CategoryQuality[name] = Sides[*float64]{From: &average}
	}
	for name, average := range after {
		s.CategoryQuality[name] = Sides[*float64]{s.CategoryQuality[name].From, &average}
	}
	return err
}

// rounded removes the rounding errors of floating-point sums and differences: 0.85 - 0.80 is 0.05. Twelve decimals keep
// every digit that people write, and lose those that binary arithmetic adds.
func rounded(x float64) float64 { return math.Round(x*1e12) / 1e12 }

// categories sets the counts of both sides, and the categories that only one of them has. The order is alphabetical. A
// category whose last record went counts as removed, whether it is declared or not.
func (s *Summary) categories(ctx context.Context, conn *duck.Conn, a, b *snapshot.Snapshot) error {
	before, _, err := a.Categories(ctx, conn)
	if err != nil {
		return err
	}
	after, _, err := b.Categories(ctx, conn)
	if err != nil {
		return err
	}
	s.Categories, s.CategoriesAdded, s.CategoriesRemoved = map[string]Sides[int64]{}, []string{}, []string{}
	for _, c := range slices.Sorted(maps.Keys(after)) {
		s.Categories[c] = Sides[int64]{before[c], after[c]}
		if before[c] == 0 {
			s.CategoriesAdded = append(s.CategoriesAdded, c)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(before)) {
		if after[c] == 0 {
			s.Categories[c] = Sides[int64]{before[c], 0}
			s.CategoriesRemoved = append(s.CategoriesRemoved, c)
		}
	}
	return nil
}

// metadataChanges returns what happened to each key whose value differs: added, removed, updated or improved.
func metadataChanges(a, b map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range a {
		if w, ok := b[k]; !ok {
			out[k] = "removed"
		} else if !reflect.DeepEqual(v, w) {
			out[k] = "updated"
			if grew(v, w) {
				out[k] = "improved"
			}
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			out[k] = "added"
		}
	}
	return out
}

// dotted matches versions such as 1.9 and v1.10.2.
var dotted = regexp.MustCompile(`^v?\d+(\.\d+)*$`)

// grew reports whether both values are numbers or dotted versions, and the second is the greater. Versions are compared
// part by part: 1.10 is greater than 1.9.
func grew(a, b any) bool {
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		return y > x
	}
	s, okS := a.(string)
	t, okT := b.(string)
	return okS && okT && dotted.MatchString(s) && dotted.MatchString(t) && slices.Compare(parts(s), parts(t)) < 0
}

// number returns a number of the metadata. It may come from JSON (json.Number), or from a client in this process.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

// parts returns the numbers of a dotted version. One beyond the range of int counts as the largest.
func parts(version string) (out []int) {
	for _, p := range strings.Split(strings.TrimPrefix(version, "v"), ".") {
		n, err := strconv.Atoi(p)
		if err != nil {
			n = math.MaxInt
		}
		out = append(out, n)
	}
	return out
}

// Sentence describes the comparison as seed 000 does: "Version 1.0.1 added 50 entries and improved quality score by
// 5%". Modified entries are mentioned only if none were added or removed. The document's wording is a promise: clients
// may show or match it.
func (s Comparison) Sentence(version string) string {
	var changes []string
	if s.EntriesAdded > 0 {
		changes = append(changes, "added "+entries(s.EntriesAdded))
	}
	if s.EntriesRemoved > 0 {
		changes = append(changes, "removed "+entries(s.EntriesRemoved))
	}
	if len(changes) == 0 && s.EntriesModified > 0 {
		changes = append(changes, "modified "+entries(s.EntriesModified))
	}
	switch by := s.amount(); {
	case by == "":
	case *s.QualityScoreChange > 0:
		changes = append(changes, "improved quality score by "+by)
	default:
		changes = append(changes, "lowered quality score by "+by)
	}
	if len(changes) == 0 {
		return "Version " + version + " has the same entries"
	}
	last := len(changes) - 1
	if last > 0 {
		changes = []string{strings.Join(changes[:last], ", "), changes[last]}
	}
	return "Version " + version + " " + strings.Join(changes, " and ")
}

// entries counts entries in words.
func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// amount says by how much the quality changed: in percent where scores lie between 0 and 1; empty if it did not, or is
// not known.
func (s Comparison) amount() string {
	if s.QualityScoreChange == nil {
		return ""
	}
	by, unit := math.Abs(*s.QualityScoreChange), ""
	if s.IsShare {
		by, unit = by*100, "%"
	}
	if by = math.Round(by*100) / 100; by == 0 {
		return ""
	}
	return strconv.FormatFloat(by, 'f', -1, 64) + unit
}
