package snapshot

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Default names of the columns for a version's quality and categories.
const (
	defaultQuality  = "quality_score"
	defaultCategory = "category"
)

// maxCategories is the most categories counted for a file. If there are more, they are read on request.
const maxCategories = 1000

// QualityColumn returns the column whose average is a version's quality; ok is false if there is none.
func (s *State) QualityColumn() (schema.Column, bool) {
	c, ok := named(s.Schema, s.Properties.QualityColumn, defaultQuality)
	return c, ok && c.Type.IsNumber()
}

// CategoryColumn returns the column whose values are a version's categories; ok is false if there is none.
func (s *State) CategoryColumn() (schema.Column, bool) {
	c, ok := named(s.Schema, s.Properties.CategoryColumn, defaultCategory)
	return c, ok && !c.Type.Nested()
}

// Warnings says which of the columns that people named for quality and categories can't be used for them.
func (s *State) Warnings() []string {
	out := []string{}
	for _, of := range []struct {
		property, column, wants string
		find                    func() (schema.Column, bool)
	}{
		{"quality_column", s.Properties.QualityColumn, "a column of numbers", s.QualityColumn},
		{"category_column", s.Properties.CategoryColumn, "a column of single values", s.CategoryColumn},
	} {
		if _, ok := of.find(); !ok && of.column != "" {
			out = append(out, fmt.Sprintf("%s is %q, which the dataset does not have as %s.", of.property, of.column, of.wants))
		}
	}
	return out
}

// named finds the column that is measured: the one that the properties name, or the usual one.
func named(s schema.Schema, name, otherwise string) (schema.Column, bool) {
	if name == "" {
		name = otherwise
	}
	c, ok := s.ByName(name)
	return c, ok && !c.Derived()
}

// FollowNames keeps a dataset's quality, category and required columns what they are where they are renamed.
func FollowNames(before, after schema.Schema, p *catalog.Properties) {
	for _, of := range []struct {
		column    *string
		otherwise string
	}{{&p.QualityColumn, defaultQuality}, {&p.CategoryColumn, defaultCategory}} {
		c, ok := named(before, *of.column, of.otherwise)
		if now, is := after.ByID(c.ID); ok && is && now.Name != c.Name {
			*of.column = now.Name
		}
	}
	p.Required = slices.Clone(p.Required)
	for i, name := range p.Required {
		c, _ := before.ByName(name)
		if now, is := after.ByID(c.ID); is {
			p.Required[i] = now.Name
		}
	}
}

// Measure sets the statistics of f, a file written in this state at path: its key bounds, unless they are known, and
// its quality and categories; for a rollback file, also how many rows it displaces from each file.
func (s *State) Measure(ctx context.Context, conn *duck.Conn, f *catalog.File, path string) (err error) {
	from := duck.Text(path)
	if f.Bounds == nil {
		if f.Bounds, err = s.boundsIn(ctx, conn, from); err != nil {
			return err
		}
	}
	if f.Stats, err = s.stats(ctx, conn, "SELECT * FROM "+from); err != nil || f.Kind != schema.Rollback {
		return err
	}
	f.Targets = map[int64]int64{}
	return conn.Rows(ctx, duck.Fill(countTargets, duck.Parts{"rows": from}), func(scan duck.Scan) error {
		var file, rows int64
		err := scan(&file, &rows)
		f.Targets[file] = rows
		return err
	})
}

func (s *State) boundsIn(ctx context.Context, conn *duck.Conn, from string) (*catalog.Bounds, error) {
	key := s.Schema.KeyColumns()[0]
	order := OrderOf(key.Type)
	if order == Unordered {
		return nil, nil
	}
	var least, greatest *string
	err := conn.Row(ctx, "SELECT "+order.SQL(duck.Ident(key.Name))+" FROM "+from, &least, &greatest)
	return order.Bounds(least, greatest), err
}

// stats measures the quality and category columns of a query's rows.
func (s *State) stats(ctx context.Context, conn *duck.Conn, query string) (map[int]catalog.Stats, error) {
	out := map[int]catalog.Stats{}
	var err error
	if c, ok := s.QualityColumn(); ok {
		if out[c.ID], err = measureQuality(ctx, conn, query, duck.Ident(c.Name)); err != nil {
			return nil, err
		}
	}
	if c, ok := s.CategoryColumn(); ok {
		one := out[c.ID] // it may be the quality column too
		if one.Categories, one.TooMany, err = measureCategories(ctx, conn, query, duck.Ident(c.Name)); err != nil {
			return nil, err
		}
		if q, ok := s.QualityColumn(); ok && !one.TooMany && err == nil {
			one.ScoresOf = q.ID
			one.Scores, err = measureScores(ctx, conn, query, duck.Ident(c.Name), duck.Ident(q.Name))
		}
		out[c.ID] = one
	}
	return out, err
}

func measureQuality(ctx context.Context, conn *duck.Conn, query, column string) (s catalog.Stats, err error) {
	err = conn.Row(ctx, duck.Fill(sumFinite, duck.Parts{"column": column, "rows": query}),
		&s.Count, &s.Sum, &s.Least, &s.Greatest)
	return s, err
}

const (
	sumFinite = `SELECT count(v), coalesce(fsum(v), 0), min(v), max(v)
		FROM (SELECT CAST({column} AS DOUBLE) AS v FROM ({rows})) WHERE isfinite(v)`
	aboutDistinct = `SELECT approx_count_distinct(v) FROM (SELECT {column} AS v FROM ({rows}) LIMIT {limit})`
	countEach     = `SELECT CAST(v AS VARCHAR), count(*)
		FROM (SELECT {column} AS v FROM ({rows})) WHERE v IS NOT NULL GROUP BY v`
	countTargets = `SELECT _file, count(*) FROM {rows} GROUP BY _file`
)

// categorySample is how many rows show whether a column has categories at all, or a different value for every record.
const categorySample = 20_000

// measureCategories counts the rows of each category. If there are too many, tooMany is true and counts nil.
func measureCategories(
	ctx context.Context, conn *duck.Conn, query, column string,
) (counts map[string]int64, tooMany bool, err error) {
	var about int64
	sample := duck.Fill(aboutDistinct, duck.Parts{"column": column, "rows": query, "limit": categorySample})
	if err := conn.Row(ctx, sample, &about); err != nil {
		return nil, false, err
	}
	if about > 2*maxCategories {
		return nil, true, nil
	}
	counts, err = countCategories(ctx, conn, fmt.Sprintf("%s LIMIT %d", grouped(query, column), maxCategories+1))
	if len(counts) > maxCategories {
		return nil, true, err
	}
	return counts, false, err
}

// grouped returns the SQL of the categories in a column, as text, and their numbers of rows.
func grouped(query, column string) string {
	return duck.Fill(countEach, duck.Parts{"column": column, "rows": query})
}

func countCategories(ctx context.Context, conn *duck.Conn, query string) (map[string]int64, error) {
	out := map[string]int64{}
	err := conn.Rows(ctx, query, func(scan duck.Scan) error {
		var category string
		var n int64
		err := scan(&category, &n)
		out[category] += n
		return err
	})
	return out, err
}

// Quality is the average of the quality column over the values that are finite numbers.
type Quality struct {
	Average float64
	IsShare bool // every score lies between 0 and 1, so that the average can be said in percent
}

// Quality returns the quality; ok is false where there is no such column or value. It is a sum over the files; where
// one was not measured for this column, the rows are read.
func (s *Snapshot) Quality(ctx context.Context, conn *duck.Conn) (q Quality, ok bool, err error) {
	c, ok := s.QualityColumn()
	if !ok {
		return q, false, nil
	}
	sums := s.sums()
	if !s.summed(sums, c) {
		total, err := measureQuality(ctx, conn, s.Rows(false), schema.ColumnName(c.ID))
		return averageOf(total, isShare(total)), total.Count > 0, err
	}
	total := catalog.Stats{Count: sums.quality.count, Sum: sums.quality.sum.total()}
	if total.Count == 0 {
		return q, false, nil
	}
	share := true
	if sums.others {
		share, err = s.sharesOnly(ctx, conn, c.ID)
	}
	return averageOf(total, share), err == nil, err
}

func averageOf(s catalog.Stats, share bool) Quality {
	return Quality{s.Sum / float64(max(s.Count, 1)), share}
}

// sharesOnly reports whether all live scores lie between 0 and 1. A score that does not may be in a displaced row: the
// files with both are read, unless another file settles it.
func (s *Snapshot) sharesOnly(ctx context.Context, conn *duck.Conn, id int) (bool, error) {
	// Most often the newest file settles it, without looking through the others.
	if f := s.Data[len(s.Data)-1]; !isShare(f.Stats[id]) && !s.displaces(f) {
		return false, nil
	}
	displacers, unsure := s.displacers(), *s
	unsure.Data = nil
	for _, f := range s.Data {
		switch {
		case isShare(f.Stats[id]):
		case len(displacers[f.ID]) == 0:
			return false, nil
		default:
			unsure.Data = append(unsure.Data, f)
		}
	}
	if len(unsure.Data) == 0 {
		return true, nil
	}
	var others int64
	query := duck.Fill(findOther, duck.Parts{"column": schema.ColumnName(id), "rows": unsure.Rows(false)})
	err := conn.Row(ctx, query, &others)
	return others == 0, err
}

// findOther ends at the first score that is not a share: scores up to 100 are not read to the end.
const findOther = `SELECT count(*) FROM (SELECT v FROM (SELECT CAST({column} AS DOUBLE) AS v FROM ({rows}))
	WHERE isfinite(v) AND v NOT BETWEEN 0 AND 1 LIMIT 1)`

// isShare reports whether all values lie between 0 and 1, as far as that is known.
func isShare(s catalog.Stats) bool {
	if s.Count == 0 {
		return true
	}
	return s.Least != nil && s.Greatest != nil && *s.Least >= 0 && *s.Greatest <= 1
}

// SignOf returns 1 for a data file, whose rows are added, and -1 for a rollback file, whose rows are subtracted.
func SignOf(f *catalog.File) int64 {
	if f.Kind == schema.Rollback {
		return -1
	}
	return 1
}

// Categories returns the number of records in each category; ok is false if there is no category column.
func (s *Snapshot) Categories(ctx context.Context, conn *duck.Conn) (counts map[string]int64, ok bool, err error) {
	c, ok := s.CategoryColumn()
	if !ok {
		return nil, false, nil
	}
	sums := s.sums()
	if !s.counted(sums, c) {
		counts, err = countCategories(ctx, conn, grouped(s.Rows(false), schema.ColumnName(c.ID)))
		return counts, true, err
	}
	maps.DeleteFunc(sums.categories, func(_ string, n int64) bool { return n == 0 })
	return sums.categories, true, nil
}

// kahan sums floating-point numbers with Neumaier's correction, so that their order hardly matters.
type kahan struct{ sum, lost float64 }

// add keeps what a sum of doubles loses, and adds it to the next number: sums of many files would drift otherwise.
func (k *kahan) add(x float64) {
	t := k.sum + x
	if abs(k.sum) >= abs(x) {
		k.lost += (k.sum - t) + x
	} else {
		k.lost += (x - t) + k.sum
	}
	k.sum = t
}

func (k *kahan) total() float64 { return k.sum + k.lost }

func abs(x float64) float64 { return max(x, -x) }
