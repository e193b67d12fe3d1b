package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// judge makes the table verdicts: the keys that both the action and the target touched, and those that the action left
// as they were but for the tag, as a restore may, with what becomes of them:
//
//	same      there is nothing to do: both did the same, or the action left the record as it was
//	play      the record becomes what the action left
//	keep      each value that is here as the action found it becomes what the action left
//	take      each value that the action changed becomes what the action left
//	conflict
//
// keep and take are of records that both sides have, where the dataset merges by column: by_value. They are the same
// where no value clashes, which is one that both sides changed, to different ends. fresh reports whether there is a
// value that only the action changed.
func (r *rowPlayer) judge(ctx context.Context) error {
	key, compared := r.schema.KeyColumns(), r.compared()
	// One row for each key and slice; they are joined into one verdict below, as a record may clash in any of its
	// slices.
	err := r.forEach(ctx, "judged", func(columns []schema.Column) string {
		return duck.Fill(compareThree, duck.Parts{
			"key": qualified("m", key), "same_key": sameKey(key, "m", "t"), "nq": equal("n", "q", columns, compared),
			"pq": equal("p", "q", columns, compared), "np": equal("n", "p", columns, compared),
			"clash": r.anyValue(clashes, columns, compared), "fresh": r.anyValue(isFresh, columns, compared),
		})
	})
	if err != nil {
		return err
	}
	gone := "false"
	if r.did.onlyVariables {
		gone = "n_is IS NULL" // a value for a record that was removed
	}
	parts := duck.Parts{"key": keyList(key), "gone": gone, "by_column": r.byColumn, "slices": len(r.parts)}
	return r.table(ctx, "verdicts", duck.Fill(judge, parts))
}

const compareThree = `SELECT {key}, n_is, q_is, {nq} AS nq, {pq} AS pq, {np} AS np, {clash} AS clash, {fresh} AS fresh,
	coalesce(o_is, n_is, false) AS changed_here
	FROM mine m LEFT JOIN theirs t ON {same_key} WHERE changed_here OR pq`

const judge = `SELECT {key}, by_value, fresh, CASE
	WHEN {gone} OR nq OR pq THEN 'same'
	WHEN np THEN 'play'
	WHEN by_value AND NOT clash THEN CASE WHEN fresh THEN 'keep' ELSE 'same' END
	ELSE 'conflict' END AS verdict
	FROM (SELECT {key}, {by_column} AND coalesce(any_value(n_is AND q_is), false) AS by_value, any_value(n_is) AS n_is,
		bool_and(nq) AS nq, bool_and(pq) AS pq, bool_and(np) AS np, bool_or(clash) AS clash, bool_or(fresh) AS fresh
		FROM judged GROUP BY {key} HAVING bool_or(changed_here) OR count(*) = {slices})`

// Conditions on one value as it was before the action (p), is after it (q), and is here (n). A record that was not
// there had no values.
const (
	clashes = "(q%[1]d IS DISTINCT FROM p%[1]d AND n%[1]d IS DISTINCT FROM p%[1]d AND n%[1]d IS DISTINCT FROM q%[1]d)"
	isFresh = "(q%[1]d IS DISTINCT FROM p%[1]d AND n%[1]d IS NOT DISTINCT FROM p%[1]d)"
)

// anyValue is the condition that one of the columns that are compared meets a condition.
func (r *rowPlayer) anyValue(condition string, columns []schema.Column, compared map[int]bool) string {
	list := []string{"false"}
	for _, c := range columns {
		if r.byColumn && compared[c.ID] {
			list = append(list, fmt.Sprintf(condition, c.ID))
		}
	}
	return strings.Join(list, " OR ")
}

// decide settles the conflicts that can be settled: by what the source did later, then by what the request says.
func (r *rowPlayer) decide(ctx context.Context) error {
	n, err := r.countConflicts(ctx)
	if err != nil || n == 0 {
		return err
	}
	// After judging, for what is in conflict only: it reads what the source did up to its head.
	if err := r.settleLater(ctx); err != nil {
		return err
	}
	return r.settleAsAsked(ctx)
}

// countConflicts counts the keys that are in conflict so far.
func (r *rowPlayer) countConflicts(ctx context.Context) (n int64, err error) {
	return n, r.conn.Row(ctx, "SELECT count(*) FROM verdicts WHERE verdict = 'conflict'", &n)
}

// settleLater finds conflicts that are none in the end: what the source did to the record since has led to what is
// here, as where both sides made the same change and one of them, or a merge, brought a later one to both. It is the
// one step that reads more than the action: what the source has done to these keys since.
func (r *rowPlayer) settleLater(ctx context.Context) error {
	bounds, key, compared := r.bounds(), r.schema.KeyColumns(), r.compared()
	since := snapshot.Diff(r.did.after.Within(bounds), r.did.head.Within(bounds))
	err := r.forEach(ctx, "settled", func(columns []schema.Column) string {
		return duck.Fill(compareLater, duck.Parts{
			"key": qualified("m", key), "nf": equal("n", "f", columns, compared),
			"ends":  "NOT (" + r.anyValue("("+clashes+" AND n%[1]d IS DISTINCT FROM f%[1]d)", columns, compared) + ")",
			"since": r.pairs(since, "e", "f", columns), "same_as_theirs": sameKey(key, "m", "t"),
			"same_as_since": sameKey(key, "m", "s"),
		})
	})
	if err != nil {
		return err
	}
	_, err = r.conn.Exec(ctx, duck.Fill(settle, duck.Parts{"key": keyList(key), "same_key": sameKey(key, "v", "s")}))
	return err
}

const compareLater = `SELECT {key}, {nf} AS nf, f_is AND {ends} AS ends
	FROM mine m JOIN theirs t ON {same_as_theirs} JOIN ({since}) s ON {same_as_since}`

const settle = `UPDATE verdicts AS v SET verdict = CASE WHEN by_value AND fresh THEN 'keep' ELSE 'same' END
	FROM (SELECT {key}, bool_and(nf) AS nf, bool_and(ends) AS ends FROM settled GROUP BY {key}) s
	WHERE verdict = 'conflict' AND {same_key} AND (nf OR by_value AND ends)`
