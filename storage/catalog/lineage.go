package catalog

import "slices"

// A fork has no copies of what it inherits. The table lineage says whose commits and entries are a dataset's history,
// each in a range of commits that no other has: ids only grow, so that the ranges of a dataset follow one another, its
// own the last. What a dataset changes of what it inherited is in rows of its own: commits that it undid (undone), and
// entries that it closed, which have its id and began before its own range.

// commitsOf are the commits that dataset $1 made or inherited. The order of the tables is the order in which SQLite
// reads them, so that a list which is in the order of ids need not be sorted.
const commitsOf = commitsFrom + `AND c.id > l.after_commit AND c.id <= l.until_commit `

// commitsBelow and commitsAbove are those with ids below and above $2. Each range has one bound on a side, so that
// SQLite begins to read where the list begins.
const (
	commitsBelow = commitsFrom + `AND c.id > l.after_commit
		AND c.id < CASE WHEN l.until_commit < $2 THEN l.until_commit + 1 ELSE $2 END `
	commitsAbove = commitsFrom + `AND c.id > CASE WHEN l.after_commit < $2 THEN $2 ELSE l.after_commit END
		AND c.id <= l.until_commit `
)

// FewBetween reports whether a dataset has at most so many commits after one and until another.
func (tx Tx) FewBetween(dataset string, after, until, most int64) (bool, error) {
	n, err := get(tx, scanInt, `SELECT count(*) FROM (SELECT c.id`+commitsAbove+`AND c.id <= $3 LIMIT $4) few`,
		dataset, after, until, most+1)
	return n <= most, err
}

// commitsIn are those of one range: until $2, that of ancestor $3, with ids above $4 and below $5. Where a page of a
// history is read, PostgreSQL would read and sort all of it if it did not know that it is in one range.
const commitsIn = ` FROM lineage l CROSS JOIN commits c
	LEFT JOIN undone u ON u.dataset_id = l.dataset_id AND u.commit_id = c.id
	WHERE l.dataset_id = $1 AND l.until_commit = $2 AND c.dataset_id = $3 AND c.id > $4 AND c.id < $5 `

// span is a range of a dataset's history: the commits of an ancestor, or its own, after one and until another.
type span struct {
	ancestor     string
	after, until int64
}

func scanSpan(s scanner) (r span, err error) { return r, s.Scan(&r.ancestor, &r.after, &r.until) }

// spans are the ranges of a dataset's history, the newest first.
func (tx Tx) spans(dataset string) ([]span, error) {
	return list(tx, scanSpan, `SELECT ancestor_id, after_commit, until_commit FROM lineage WHERE dataset_id = $1
		ORDER BY until_commit DESC`, dataset)
}

// page lists up to limit commits of a dataset with ids above after and below before, that condition selects, newest
// first or oldest first.
func (tx Tx) page(dataset string, after, before int64, limit int, newest bool, condition string) ([]Commit, error) {
	spans, err := tx.spans(dataset)
	if err != nil {
		return nil, err
	}
	order := ` ORDER BY c.id DESC`
	if !newest {
		slices.Reverse(spans)
		order = ` ORDER BY c.id`
	}
	out := []Commit{}
	for _, s := range spans {
		from, to := max(s.after, after), before
		if s.until < to {
			to = s.until + 1
		}
		if from >= to-1 || len(out) == limit {
			continue
		}
		more, err := list(tx, scanCommit, `SELECT `+commitColumns+commitsIn+condition+order+` LIMIT $6`,
			dataset, s.until, s.ancestor, from, to, limit-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// commitsWith is commitsOf for commits that are found by another column than their ids. SQLite would rather read a
// range of ids than those with one hash: the plus signs keep it from that.
const commitsWith = commitsFrom + `AND +c.id > l.after_commit AND +c.id <= l.until_commit `

const commitsFrom = ` FROM lineage l CROSS JOIN commits c
	LEFT JOIN undone u ON u.dataset_id = l.dataset_id AND u.commit_id = c.id
	WHERE l.dataset_id = $1 AND c.dataset_id = l.ancestor_id `

// isListed is the condition that a commit was not played by a merge that the dataset has.
const isListed = `(c.merge_commit_id IS NULL OR c.merge_commit_id > l.until_commit)`

// The orders of commits.
const (
	newestFirst = ` ORDER BY l.until_commit DESC, c.id DESC`
	oldestFirst = ` ORDER BY l.until_commit, c.id`
	fewByAge    = ` ORDER BY +c.id` // oldest first, of commitsWith
)

// entriesOf are the entries that dataset $1 opened or inherited. One that an ancestor closed after the range still
// stands here.
const entriesOf = entriesFrom + `AND e.begin_commit > l.after_commit AND e.begin_commit <= l.until_commit `

const entriesFrom = ` FROM lineage l CROSS JOIN entries e WHERE l.dataset_id = $1 AND e.dataset_id = l.ancestor_id `

// entriesBegun and entriesEnded are the entries that began and ended with commits $2 to $3. As with commits, a range
// has one bound on a side.
const (
	entriesBegun = entriesFrom + `
		AND e.begin_commit > CASE WHEN l.after_commit < CAST($2 AS BIGINT) - 1
			THEN CAST($2 AS BIGINT) - 1 ELSE l.after_commit END
		AND e.begin_commit <= CASE WHEN l.until_commit < $3 THEN l.until_commit ELSE $3 END `
	entriesEnded = entriesFrom + `
		AND e.end_commit > CASE WHEN l.after_commit < CAST($2 AS BIGINT) - 1
			THEN CAST($2 AS BIGINT) - 1 ELSE l.after_commit END
		AND e.end_commit <= CASE WHEN l.until_commit < $3 THEN l.until_commit ELSE $3 END `
)

// closedLater are the entries of dataset $1 that were inherited and then closed, up to commit $2.
const closedLater = `SELECT o.file_id, o.begin_commit FROM lineage k CROSS JOIN entries o WHERE k.dataset_id = $1
	AND o.dataset_id = k.ancestor_id AND o.begin_commit <= k.after_commit
	AND o.end_commit > k.after_commit AND o.end_commit <= k.until_commit AND o.end_commit <= $2`

// liveAt are the ids of the files that are live in dataset $1 at commit $2. They are found by their ends: at the head,
// entries that have ended are not read. The plus signs keep SQLite from using the index on the beginnings.
const liveAt = `SELECT e.file_id` + entriesFrom + `AND +e.begin_commit > l.after_commit
	AND +e.begin_commit <= CASE WHEN l.until_commit < $2 THEN l.until_commit ELSE $2 END
	AND e.end_commit > CASE WHEN l.until_commit < $2 THEN l.until_commit ELSE $2 END
	AND (e.file_id, e.begin_commit) NOT IN (` + closedLater + `)`

// endOf is when an entry of entriesOf ends in dataset $1: as its range has it, or as it was closed later.
const endOf = `CASE WHEN e.end_commit <= l.until_commit THEN e.end_commit ELSE COALESCE((
	SELECT o.end_commit FROM lineage k CROSS JOIN entries o WHERE k.dataset_id = l.dataset_id
	AND k.after_commit >= l.until_commit AND o.dataset_id = k.ancestor_id AND o.file_id = e.file_id
	AND o.begin_commit = e.begin_commit AND o.end_commit <= k.until_commit), 9223372036854775807) END`

// addLineage records what a dataset's history consists of: its own, and of a fork that of its upstream up to the fork
// commit.
func (tx Tx) addLineage(d Dataset) error {
	if err := tx.exec(`INSERT INTO lineage (dataset_id, ancestor_id, after_commit, until_commit)
		VALUES ($1, $1, $2, $3)`, d.ID, d.ForkCommit, Forever); err != nil || !d.IsFork() {
		return err
	}
	return tx.exec(`INSERT INTO lineage (dataset_id, ancestor_id, after_commit, until_commit)
		SELECT $1, ancestor_id, after_commit, CASE WHEN until_commit < $2 THEN until_commit ELSE $2 END FROM lineage
		WHERE dataset_id = $3 AND after_commit < $2`, d.ID, d.ForkCommit, d.UpstreamID)
}

// Maker returns the dataset that made a commit of a dataset's history: itself, or one that it was forked from. Up to
// that commit, the two have the same history.
func (tx Tx) Maker(dataset string, commit int64) (id string, err error) {
	return get(tx, func(s scanner) (id string, err error) { return id, s.Scan(&id) }, `SELECT ancestor_id FROM lineage
		WHERE dataset_id = $1 AND after_commit < $2 AND until_commit >= $2`, dataset, commit)
}
