package snapshot

import (
	"context"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
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
	averages = map[string]float64{}
	sums := s.sums()
	if s.counted(sums, c) && s.summed(sums, q) && s.scored(sums, c.ID, q.ID) {
		for name, one := range sums.scores {
			if one.count > 0 {
				averages[name] = one.sum.total() / float64(one.count)
			}
		}
		return averages, nil
	}
	scores, err := measureScores(ctx, conn, s.Rows(false), schema.ColumnName(c.ID), schema.ColumnName(q.ID))
	for name, one := range scores {
		if one.Count > 0 {
			averages[name] = one.Sum / float64(one.Count)
		}
	}
	return averages, err
}
