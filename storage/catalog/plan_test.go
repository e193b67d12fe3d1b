package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/rowback/rowback/storage/lineage"
)

// question is a query with its arguments.
type question struct {
	query string
	args  []any
}

// recorder opens connections that keep the text of every query.
type recorder struct {
	path    string
	queries []question
	rows    int // read by them
}

func (r *recorder) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	c, err := r.Driver().Open("file:" + r.path)
	if err != nil {
		return nil, err
	}
	return recorded{c.(*sqlite3.SQLiteConn), r}, nil
}

type recorded struct {
	*sqlite3.SQLiteConn
	recorder *recorder
}

func (c recorded) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	q := question{query: query}
	for _, a := range args {
		q.args = append(q.args, a.Value)
	}
	c.recorder.queries = append(c.recorder.queries, q)
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	return counted{rows, &c.recorder.rows}, err
}

// plan returns how SQLite carries out a query.
func (q question) plan(tx Tx) (string, error) {
	steps, err := list(tx, func(s scanner) (step string, err error) {
		var id, parent, unused int
		return step, s.Scan(&id, &parent, &unused, &step)
	}, `EXPLAIN QUERY PLAN `+q.query, q.args...)
	return strings.Join(steps, "\n"), err
}

// What is asked of one dataset finds its rows by indexes, however many there are, and a page of its history is read in
// order: nothing is sorted to find it.
func TestQueriesReadNoWholeTable(t *testing.T) {
	f := open(t)
	f.history()
	path := filepath.Join(t.TempDir(), "catalog.db")
	if _, err := f.write.Exec(`VACUUM INTO '` + path + `'`); err != nil {
		t.Fatal(err)
	}
	r := &recorder{path: path}
	db := sql.OpenDB(r)
	defer db.Close()
	raw, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Rollback()
	tx := Tx{sql: raw, ranks: newRanks()}
	// By file, or few.
	sorts := map[string]bool{"live": true, "entries": true, "begun": true, "naming": true, "played": true, "hash": true,
		"made": true}
	// By which rows are found.
	found := map[string]string{
		"played": "commits_by_merge", "hash": "commits_by_hash", "unshared": "commits_by_hash", "at": "commits_by_time",
		"rollbacks": "commits_by_mode", "standing": "commits_by_mode", "merges": "commits_by_mode",
		"live":   "entries_by_end (dataset_id=? AND end_commit>?)",
		"naming": "versions_by_commit", "by mode": "commits_by_mode", "by user": "commits_by_user",
		"made":   "provenance_1 (kind=? AND value=? AND commit_id",
		"begun":  "entries_by_begin (dataset_id=? AND begin_commit>? AND begin_commit<?)",
		"ended":  "entries_by_end (dataset_id=? AND end_commit>? AND end_commit<?)",
		"opened": "entries_by_begin (dataset_id=? AND begin_commit>? AND begin_commit<?)",
		"closed": "entries_by_end (dataset_id=? AND end_commit>? AND end_commit<?)",
	}
	for what, ask := range map[string]func(){
		"commit":      func() { tx.Commit("d", 3) },
		"at":          func() { tx.CommitAt("d", time.Now()) },
		"page":        func() { tx.Commits("d", 4, 2) },
		"after":       func() { tx.CommitsAfter("d", 2) },
		"newest":      func() { tx.Actions("d", 4, 2, true); tx.Actions("d", 0, 2, false) },
		"earlier":     func() { tx.EarlierCommit("d", 4, 1); tx.CountEarlier("d", 4); tx.EarlierCommit("d", 4, 999) },
		"played":      func() { tx.Played("d", 4) },
		"merges":      func() { tx.Merges("d", 4, 2) },
		"rollbacks":   func() { tx.Rollbacks("d") },
		"standing":    func() { tx.Standing("d", Restore); tx.Standing("d", Merge) },
		"unshared":    func() { tx.Unshared("d", "e") },
		"deltas":      func() { tx.Unshared("d", "e", Merge, Rollback) },
		"hash":        func() { tx.WithHash("d", "x") },
		"live":        func() { tx.FileIDs("d", 3); tx.Files("d", 3) },
		"opened":      func() { tx.Opened("d", 2, 3) },
		"closed":      func() { tx.Closed("d", 2, 3) },
		"begun":       func() { tx.Begun("d", 2, 3) },
		"ended":       func() { tx.Ended("d", 2, 3) },
		"undigested":  func() { tx.WithoutDigest("d", 2, 3) },
		"naming":      func() { tx.VersionNaming("d", 3) },
		"maker":       func() { tx.Maker("d", 3) },
		"entries":     func() { tx.Entries("d", 3); tx.AllFiles("d") },
		"versions":    func() { tx.Version("d", 1, 0, 0); tx.ActiveVersions("d", 4, 2); tx.HighestVersion("d") },
		"last tag":    func() { tx.Tag("d", "x") },
		"a start's":   func() { tx.Last(CommitIDs) },
		"a founder's": func() { tx.Founder("d", 2) },
		"by mode": func() {
			tx.FilteredCommits("d", CommitFilter{Modes: Modes, Before: 4, Limit: 2})
		},
		"by user":  func() { tx.FilteredCommits("d", CommitFilter{User: "u", Since: time.Now(), Before: 4, Limit: 2}) },
		"messages": func() { tx.CommitMessages("d", CommitFilter{Until: time.Now(), Before: 4, Limit: 2}) },
		"active":   func() { tx.CountVersions("d") },
		"made":     func() { tx.CommitsWithLineage("d", 4, 2); tx.VersionsWithLineage("d", 4, 2) },
		"made from": func() {
			tx.MadeFrom([]lineage.Term{{Kind: lineage.File, Value: "x"}, {Kind: lineage.ByRun}}, &Made{Commit: 3}, 2)
		},
	} {
		r.queries = nil
		ask()
		if len(r.queries) == 0 {
			t.Errorf("%s: nothing was asked", what)
		}
		for _, q := range slices.Clone(r.queries) {
			plan, err := q.plan(tx)
			if err != nil || strings.Contains(plan, "SCAN ") || strings.Contains(plan, "AUTOMATIC") ||
				strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") && !sorts[what] {
				t.Errorf("%s: %v\n%s\n%s", what, err, q.query, plan)
			}
			if reads := strings.Contains(q.query, "CROSS JOIN"); reads && !strings.Contains(plan, found[what]) {
				t.Errorf("%s: not by %s\n%s\n%s", what, found[what], q.query, plan)
			}
		}
	}
}
