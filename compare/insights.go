package compare

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/schema"
)

// Insights are what the changes between two versions amount to (seed 000, "Version Comparison and Analysis"). They
// follow from the summary alone, so they cost nothing more.
type Insights struct {
	// entries gained, as a share of the earlier ones; null if there were none
	GrowthRate        *float64          `json:"growth_rate"`
	QualityTrend      string            `json:"quality_trend"` // improving, declining, stable or unknown
	CategoryEvolution CategoryEvolution `json:"category_evolution"`
	Recommendations   []string          `json:"recommendations"`
	VersionType       string            `json:"version_type"` // the increment that the changes call for
	VersionReason     string            `json:"version_reason"`
	Comparison        Summary           `json:"comparison"`
}

// CategoryEvolution is how the categories changed.
type CategoryEvolution struct {
	Added   []string         `json:"added"`
	Removed []string         `json:"removed"`
	Changes map[string]int64 `json:"changes"` // records gained, or lost, of each category that changed
}

// noticeable is the smallest change of an average quality that counts as a trend. Averages of many records differ by
// rounding alone.
const noticeable = 1e-6

// Insights draws conclusions from a comparison. version is that of the later state; empty: it has none.
func (s Summary) Insights(version string) Insights {
	out := Insights{Comparison: s, Recommendations: []string{}, QualityTrend: "unknown"}
	if s.TotalEntriesV1 > 0 {
		rate := rounded(float64(s.TotalEntriesV2-s.TotalEntriesV1) / float64(s.TotalEntriesV1))
		out.GrowthRate = &rate
	}
	if s.QualityScoreChange != nil {
		out.QualityTrend = trend(*s.QualityScoreChange)
	}
	out.CategoryEvolution = CategoryEvolution{
		Added: s.CategoriesAdded, Removed: s.CategoriesRemoved, Changes: map[string]int64{},
	}
	for c, n := range s.Categories {
		if n.From != n.To {
			out.CategoryEvolution.Changes[c] = n.To - n.From
		}
	}
	out.VersionType, out.VersionReason = s.increment()
	out.recommend(s, version)
	return out
}

// trend names the direction of a change of the average quality.
func trend(change float64) string {
	switch {
	case math.Abs(change) < noticeable:
		return "stable"
	case change > 0:
		return "improving"
	}
	return "declining"
}

// increment returns the part of the version that the changes call for (seed 000, "Version Increment Timing"): what
// breaks readers is major, what is new to them is minor, the rest is patch. The first rule that applies counts, from
// the strongest down.
func (s Summary) increment() (part, reason string) {
	added := ""
	for _, c := range s.SchemaChanges {
		switch c.Change {
		case "removed", "renamed", "retyped":
			if c.Change == "retyped" && widens(c) {
				continue
			}
			return "major", fmt.Sprintf("column %s was %s", c.Column, c.Change)
		case "added":
			added = c.Column
		}
	}
	switch {
	case s.EntriesRemoved > 0:
		return "major", entries(s.EntriesRemoved) + " removed"
	case added != "":
		return "minor", fmt.Sprintf("column %s is new", added)
	case len(s.CategoriesAdded) > 0:
		return "minor", fmt.Sprintf("category %s is new", s.CategoriesAdded[0])
	case s.EntriesAdded > 0:
		return "minor", entries(s.EntriesAdded) + " added"
	case s.EntriesModified > 0:
		return "patch", entries(s.EntriesModified) + " modified"
	}
	return "patch", "no entry changed"
}

// widens reports whether a column only changed to a type that holds all values of the old one.
func widens(c schema.Change) bool {
	from, errFrom := schema.Parse(c.From)
	to, errTo := schema.Parse(c.To)
	return errFrom == nil && errTo == nil && to.Holds(from)
}

// recommend adds what a person should do about the changes. There is always at least one recommendation.
func (i *Insights) recommend(s Summary, version string) {
	say := func(when bool, format string, args ...any) {
		if when {
			i.Recommendations = append(i.Recommendations, fmt.Sprintf(format, args...))
		}
	}
	say(i.QualityTrend == "declining" && s.amount() != "",
		"The average quality fell by %s: check the added and modified records before you use this version.", s.amount())
	worse := s.worse()
	say(len(worse) > 0, "The average quality fell in %s (%s): check the records that were added or modified there.",
		plural(len(worse), "category", "categories"), first(worse))
	say(s.Quality.From != nil && s.Quality.To == nil,
		"No record has a score any more: check that the quality column still comes with the records.")
	say(len(s.CategoriesRemoved) > 0, "%d categories have no records any more (%s): check that this was intended.",
		len(s.CategoriesRemoved), first(s.CategoriesRemoved))
	// A tenth and a half are this product's choice: the document names no thresholds.
	say(s.TotalEntriesV1 > 0 && s.EntriesRemoved*10 > s.TotalEntriesV1,
		"More than a tenth of the entries were removed: keep a backup of the earlier version.")
	say(s.TotalEntriesV2 > 0 && s.EntriesModified*2 > s.TotalEntriesV2,
		"More than half of the entries were modified: compare by column to see what changed.")
	switch changed := s.EntriesAdded + s.EntriesRemoved + s.EntriesModified; {
	case version != "":
		say(true, "The new state already has a version: %s.", version)
	case changed > 0:
		say(true, "Name the new state with a %s increment: %s.", i.VersionType, i.VersionReason)
	default:
		say(true, "The entries are the same: a new version is not needed.")
	}
}

// worse lists the categories whose average quality fell.
func (s Summary) worse() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(s.CategoryQuality)) {
		if by := change(s.CategoryQuality[name]); by != nil && trend(*by) == "declining" {
			names = append(names, name)
		}
	}
	return names
}

// plural counts something in words.
func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// first lists the first three.
func first(list []string) string {
	if len(list) > 3 {
		return strings.Join(list[:3], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}
