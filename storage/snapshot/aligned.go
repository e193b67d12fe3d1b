package snapshot

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Where a commit has changed every record, as a new edition of a whole file does, both sides often have the same keys
// in the same order. Put beside each other by their position, they take a third of the time of a join.

// alignedRows is from how many rows of files on that sides are put beside each other: a join of fewer takes as long as
// the statement that finds out whether it is worthwhile.
const alignedRows = 1_000_000

// sampledRows is how many rows of both sides are looked at first.
const sampledRows = 2048

// addAligned is add, without a join, for sides that have the same keys in the same order; ok is false for others. A key
// is on a side once, so rows with equal keys in every position are all that a join would find.
func (c *Counts) addAligned(ctx context.Context, conn *duck.Conn, d *Difference) (ok bool, err error) {
	var sampled, alike int64
	err = conn.Row(ctx, duck.Fill(sampleSides, duck.Parts{
		"sides": d.Narrow(nil).beside(fmt.Sprint(" LIMIT ", sampledRows)), "same_key": d.sameKey(),
	}), &sampled, &alike)
	if err != nil || sampled != alike {
		return false, err
	}
	columns := d.compared()
	list := []string{"count(*)", countIf(d.sameKey()), countIf(d.Differs())}
	for _, column := range columns {
		list = append(list, countIf(differsIn(column)))
	}
	batch, err := conn.Batch(ctx, "SELECT "+strings.Join(list, ", ")+" FROM ("+d.beside("")+")")
	if err != nil {
		return false, err
	}
	defer batch.Release()
	if countIn(batch, 0) != countIn(batch, 1) {
		return false, nil
	}
	c.Modified = countIn(batch, 2)
	c.addColumns(columns, batch)
	return true, nil
}

// beside returns the SQL of both sides beside each other, by position: the columns of A as a<id>, those of B as b<id>.
// Where one side has fewer rows, its columns are null. limit is SQL after that of each side.
func (d *Difference) beside(limit string) string {
	return duck.Fill(putBeside, duck.Parts{
		"side_a": d.sides[0].rows(d.B, columnNames{"", "a", "a_commit"}), "limit": limit,
		"side_b": d.sides[1].rows(d.A, columnNames{"", "b", "b_commit"}),
	})
}

const (
	putBeside   = `SELECT * FROM (SELECT * FROM ({side_a}){limit}) POSITIONAL JOIN (SELECT * FROM ({side_b}){limit})`
	sampleSides = `SELECT count(*), count(CASE WHEN {same_key} THEN 1 END) FROM ({sides})`
)

// sameKey returns the SQL of a condition on a joined row: that both sides have the same key.
func (d *Difference) sameKey() string {
	var on []string
	for _, c := range d.Schema.KeyColumns() {
		on = append(on, fmt.Sprintf("a%[1]d = b%[1]d", c.ID))
	}
	return strings.Join(on, " AND ")
}

// differsIn returns the SQL of a condition on a joined row: that the two sides differ in a column.
func differsIn(c schema.Column) string { return fmt.Sprintf("a%[1]d IS DISTINCT FROM b%[1]d", c.ID) }
