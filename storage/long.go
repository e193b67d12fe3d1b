package storage

import (
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
)

// A statement on a hundred columns takes as long to plan as one on few, but two thousand columns are twenty of them.
// Of a wide CSV that is not large, all values are therefore also in one column of text, of which one statement finds
// the types of all columns, or whether these hold.

// takesAll is the test that type t holds all values of an offered column.
func takesAll(o intake.Offered, i int, t schema.Type) test {
	out := test{column: i, condition: takes(o, i, t)}
	if o.Text == intake.CSVText {
		out.onText = textFits(canonical(o.Form, "v", t), t)
	}
	return out
}

// values returns the SQL of the values of columns of text: v, k, the index of the column, and _n, the record's number,
// in the first limit records (0: all). The columns become rows: statements have a condition for each candidate type,
// however many columns there are, and DuckDB plans them at once. Values of other columns may be among them.
func (f *fitting) values(columns []int, limit int) (sql string, release func(), err error) {
	if long := intake.LongOf(f.records); long != "" && limit == 0 {
		return long, func() {}, nil
	}
	relation, release, err := f.records.Relation(f.ctx, f.conn, intake.Want{Columns: columns})
	if err != nil {
		return "", nil, err
	}
	if limit > 0 {
		relation = fmt.Sprintf("%s LIMIT %d", relation, limit)
	}
	names, indexes := make([]string, len(columns)), make([]string, len(columns))
	for k, i := range columns {
		names[k], indexes[k] = fmt.Sprintf("o%d", i), fmt.Sprint(i)
	}
	return duck.Fill(unnested, duck.Parts{
		"columns": strings.Join(names, ", "), "indexes": strings.Join(indexes, ", "), "records": relation,
	}), release, nil
}

const unnested = `SELECT unnest([{columns}]) AS v, unnest([{indexes}]) AS k, _n FROM ({records})`

// holdLong is hold by one statement on all values. ok is false if that can't be done.
func (f *fitting) holdLong(tests []test) (holds []bool, ok bool, err error) {
	long := intake.LongOf(f.records)
	if long == "" || len(tests) <= partColumns {
		return nil, false, nil
	}
	numbers := map[string]int{} // of conditions
	at := map[int64]int{}
	var columns, conditions, cases []string
	holds = make([]bool, len(tests))
	for k, t := range tests {
		if t.onText == "" {
			return nil, false, nil
		}
		n, known := numbers[t.onText]
		if !known {
			n = len(numbers)
			numbers[t.onText] = n
			cases = append(cases, fmt.Sprintf("WHEN %d THEN %s", n, t.onText))
		}
		holds[k], at[int64(t.column)] = true, k
		columns, conditions = append(columns, fmt.Sprint(t.column)), append(conditions, fmt.Sprint(n))
	}
	query := duck.Fill(holdsLong, duck.Parts{
		"cases": strings.Join(cases, " "), "values": long, "columns": strings.Join(columns, ", "),
		"conditions": strings.Join(conditions, ", "),
	})
	err = f.conn.Rows(f.ctx, query, func(scan duck.Scan) error {
		var column int64
		var holdsAll bool
		err := scan(&column, &holdsAll)
		holds[at[column]] = holdsAll
		return err
	})
	if duck.IsConversion(err) {
		return nil, false, nil // one of the tests does not hold: hold finds out which
	}
	return holds, err == nil, f.records.Explain(err)
}

const holdsLong = `SELECT k, bool_and(v IS NULL OR coalesce(CASE condition {cases} END, false))
	FROM ({values}) JOIN (SELECT unnest([{columns}]) AS k, unnest([{conditions}]) AS condition) USING (k) GROUP BY k`
