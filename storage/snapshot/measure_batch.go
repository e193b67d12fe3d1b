package snapshot

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// MeasureBatch is Measure for rows in memory, for which a query would take longer than the rest of the commit.
func (s *State) MeasureBatch(f *catalog.File, batch arrow.RecordBatch) {
	at := map[int]arrow.Array{}
	for i, c := range s.Schema.Stored() {
		at[c.ID] = batch.Column(i)
	}
	key := s.Schema.KeyColumns()[0]
	f.Bounds = OrderOf(key.Type).BoundsOf(at[key.ID])
	f.Stats = map[int]catalog.Stats{}
	if c, ok := s.QualityColumn(); ok {
		f.Stats[c.ID] = qualityOf(at[c.ID])
	}
	if c, ok := s.CategoryColumn(); ok {
		one, isQuality := f.Stats[c.ID]
		counts, counted := categoriesOf(at[c.ID])
		one.Categories, one.TooMany = counts, !counted
		if q, ok := s.QualityColumn(); ok && counted {
			one.ScoresOf, one.Scores = q.ID, scoresOf(at[c.ID], at[q.ID])
		}
		if counted || isQuality {
			f.Stats[c.ID] = one
		}
	}
	if f.Kind == schema.Rollback {
		f.Targets = map[int64]int64{}
		files := batch.Column(int(batch.NumCols()) - 2).(*array.Int64)
		for _, file := range files.Int64Values() {
			f.Targets[file]++
		}
	}
}

// BoundsOf returns the least and the greatest value of an array; nil if none are stored.
func (o KeyOrder) BoundsOf(a arrow.Array) *catalog.Bounds {
	var least, greatest *string
	for i := range a.Len() {
		if o == Unordered || a.IsNull(i) {
			return nil
		}
		text := o.text(a, i)
		if least == nil || o.Compare(text, *least) < 0 {
			least = &text
		}
		if greatest == nil || o.Compare(text, *greatest) > 0 {
			greatest = &text
		}
	}
	return o.Bounds(least, greatest)
}

// text returns a value as KeyOrder.SQL would select it.
func (o KeyOrder) text(a arrow.Array, i int) string {
	switch v := a.(type) {
	case *array.Date32:
		return strconv.FormatInt(int64(v.Value(i))*86_400_000_000, 10)
	case *array.Timestamp:
		return strconv.FormatInt(int64(v.Value(i)), 10)
	}
	return strings.Clone(a.ValueStr(i)) // the text is in the array's memory, which will be released
}

// qualityOf measures values in memory as measureQuality does in SQL. A test keeps the two equal.
func qualityOf(a arrow.Array) (s catalog.Stats) {
	var sum kahan
	for i := range a.Len() {
		x, ok := float(a, i)
		if !ok || math.IsInf(x, 0) || math.IsNaN(x) {
			continue
		}
		s.Count++
		sum.add(x)
		if s.Least == nil || x < *s.Least {
			s.Least = &x
		}
		if s.Greatest == nil || x > *s.Greatest {
			s.Greatest = &x
		}
	}
	s.Sum = sum.total()
	return s
}

// scoresOf sums the values of one array in each category of another.
func scoresOf(categories, values arrow.Array) map[string]catalog.Score {
	sums, out := map[string]*kahan{}, map[string]catalog.Score{}
	for i := range categories.Len() {
		x, ok := float(values, i)
		if !ok || math.IsInf(x, 0) || math.IsNaN(x) || categories.IsNull(i) {
			continue
		}
		name := strings.Clone(categories.ValueStr(i))
		if sums[name] == nil {
			sums[name] = &kahan{}
		}
		sums[name].add(x)
		out[name] = catalog.Score{Count: out[name].Count + 1, Sum: sums[name].total()}
	}
	return out
}

func float(a arrow.Array, i int) (x float64, ok bool) {
	if f, single := a.(*array.Float32); single {
		return float64(f.Value(i)), f.IsValid(i)
	}
	x, err := strconv.ParseFloat(a.ValueStr(i), 64)
	return x, err == nil && a.IsValid(i)
}

// categoriesOf counts the values of an array. ok is false for types whose text may differ from DuckDB's.
func categoriesOf(a arrow.Array) (counts map[string]int64, ok bool) {
	switch a.(type) {
	case *array.String, *array.Boolean, *array.Int8, *array.Int16, *array.Int32, *array.Int64:
	default:
		return nil, false
	}
	counts = map[string]int64{}
	for i := range a.Len() {
		if a.IsValid(i) {
			counts[strings.Clone(a.ValueStr(i))]++
		}
	}
	return counts, true
}
