package snapshot

import (
	"context"

	"rowback/storage/catalog"
	"rowback/storage/duck"
	"rowback/storage/schema"
)

const sumEach = `SELECT CAST(c AS VARCHAR), count(v), fsum(v)
	FROM (SELECT {category} AS c, CAST({quality} AS DOUBLE) AS v FROM ({rows}))
	WHERE c IS NOT NULL AND isfinite(v) GROUP BY c`

// measureScores sums the quality column of a query's rows in each category.
func measureScores(
	ctx context.Context, conn *duck.Conn, query, category, quality string,
) (map[string]catalog.Score, error) {
	out := map[string]catalog.Score{}
	sql := duck.Fill(sumEach, duck.Parts{"category": category, "quality": quality, "rows": query})
	err := conn.Rows(ctx, sql, func(scan duck.Scan) error {
		var name string
		var one catalog.Score
		err := scan(&name, &one.Count, &one.Sum)
		out[name] = one
		return err
	})
	return out, err
}

// CategoryQuality returns the average of the quality column in each category that has a score. Like Quality, it is a
// sum over the files, which are read where that was not kept.
func (s *Snapshot) CategoryQuality(ctx context.Context, conn *duck.Conn) (averages map[string]float64, err error) {
	c, ok := s.CategoryColumn()
	q, okQuality := s.QualityColumn()
	if !ok || !okQuality {
		return nil, nil
	}
	var scores map[string]catalog.Score
	if s.measured(c.ID, true) && s.measured(q.ID, false) && s.storedAs(c) && s.scored(c.ID, q.ID) {
		scores = s.sumScores(c.ID)
	} else {
		scores, err = measureScores(ctx, conn, s.Rows(false), schema.ColumnName(c.ID), schema.ColumnName(q.ID))
	}
	averages = map[string]float64{}
	for name, one := range scores {
		if one.Count > 0 {
			averages[name] = one.Sum / float64(one.Count)
		}
	}
	return averages, err
}

// scored reports whether every file that has both columns was measured for both.
func (s *Snapshot) scored(category, quality int) bool {
	for _, f := range s.Files() {
		_, hasCategory := s.SchemaOf(f).ByID(category)
		_, hasQuality := s.SchemaOf(f).ByID(quality)
		if hasCategory && hasQuality && f.Stats[category].ScoresOf != quality {
			return false
		}
	}
	return true
}

func (s *Snapshot) sumScores(category int) map[string]catalog.Score {
	counts, sums := map[string]int64{}, map[string]*kahan{}
	for _, f := range s.Files() {
		for name, one := range f.Stats[category].Scores {
			if sums[name] == nil {
				sums[name] = &kahan{}
			}
			counts[name] += SignOf(f) * one.Count
			sums[name].add(float64(SignOf(f)) * one.Sum)
		}
	}
	out := map[string]catalog.Score{}
	for name, n := range counts {
		out[name] = catalog.Score{Count: n, Sum: sums[name].total()}
	}
	return out
}
