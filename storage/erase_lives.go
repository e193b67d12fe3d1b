package storage

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
)

// What erased records were in the states of a dataset follows from the entries of the files that have their rows, and
// of the rollback files that have positions of these. Records whose rows lie in the same files, displaced by the same
// rollback files, lived alike: they are counted together.

// lifeRow is a row of a record: the file that it is in, and the rollback files that displace it.
type lifeRow struct {
	file int64
	by   []int64
}

// kindOfLife is records that lived alike.
type kindOfLife struct {
	rows    []lifeRow
	records int64
}

// readLives reads which records lived alike.
func (e *erasing) readLives(ctx context.Context) (out []kindOfLife, err error) {
	return out, e.conn.Rows(ctx, livesAlike, func(scan duck.Scan) error {
		var text string
		var one kindOfLife
		if err := scan(&text, &one.records); err != nil {
			return err
		}
		for _, row := range strings.Split(text, ";") {
			file, by, _ := strings.Cut(row, ":")
			one.rows = append(one.rows, lifeRow{parseID(file), parseIDs(by)})
		}
		out = append(out, one)
		return nil
	})
}

const livesAlike = `SELECT life, count(*) FROM (SELECT k, string_agg(r, ';' ORDER BY r) AS life FROM (
		SELECT e.k, concat(e.f, ':', coalesce(string_agg(DISTINCT CAST(l.r AS VARCHAR), ','
			ORDER BY CAST(l.r AS VARCHAR)), '')) AS r
		FROM erase_rows e LEFT JOIN erase_lines l ON l.f = e.f AND l.p = e.p GROUP BY e.k, e.f, e.p)
	GROUP BY k) GROUP BY life`

func parseID(text string) int64 {
	id, _ := strconv.ParseInt(text, 10, 64)
	return id
}

func parseIDs(text string) (out []int64) {
	if text == "" {
		return nil
	}
	for _, id := range strings.Split(text, ",") {
		out = append(out, parseID(id))
	}
	return out
}

// timeline is when files served a dataset.
type timeline struct {
	dataset catalog.Dataset
	after   int64 // its own commits come after this one; 0: all are its own, as in a fork of an older program
	entries map[int64][]catalog.Entry
}

// live reports whether a file serves the dataset at a commit.
func (t timeline) live(file, commit int64) bool {
	return slices.ContainsFunc(t.entries[file], func(e catalog.Entry) bool {
		return e.Begin <= commit && commit < e.End
	})
}

// alive returns which rows of a record are live at a commit.
func (t timeline) alive(rows []lifeRow, commit int64) (out []int) {
	for i, r := range rows {
		if t.live(r.file, commit) && !slices.ContainsFunc(r.by, func(id int64) bool { return t.live(id, commit) }) {
			out = append(out, i)
		}
	}
	return out
}

// turns returns the dataset's own commits at which a row may have come or gone, in order.
func (t timeline) turns(rows []lifeRow) (out []int64) {
	add := func(file int64) {
		for _, e := range t.entries[file] {
			for _, at := range []int64{e.Begin, e.End} {
				if at > t.after && at <= t.dataset.Head {
					out = append(out, at)
				}
			}
		}
	}
	for _, r := range rows {
		add(r.file)
		for _, id := range r.by {
			add(id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fate is what became of records at one commit.
type fate struct{ added, removed, moved int64 }

// lifetimes are those of all erased records in one dataset.
type lifetimes struct {
	timeline
	kinds []kindOfLife
	fates map[int64]fate  // by the dataset's own commit
	steps map[int64]int64 // how many more are live from an own commit on
}

// follow goes through the dataset's own commits.
func (l *lifetimes) follow() {
	l.fates, l.steps = map[int64]fate{}, map[int64]int64{}
	for _, k := range l.kinds {
		before := l.alive(k.rows, l.after)
		if len(before) > 0 {
			l.steps[l.after+1] += k.records
		}
		for _, at := range l.turns(k.rows) {
			now := l.alive(k.rows, at)
			l.fates[at] = l.fates[at].plus(before, now, k.records)
			l.steps[at] += int64(min(len(now), 1)-min(len(before), 1)) * k.records
			before = now
		}
	}
}

// plus counts records whose live rows were others before a commit than after it.
func (f fate) plus(before, now []int, records int64) fate {
	switch {
	case slices.Equal(before, now):
	case len(before) == 0:
		f.added += records
	case len(now) == 0:
		f.removed += records
	default:
		f.moved += records
	}
	return f
}

// totals returns how many of the records are live in the dataset's own states.
func (l *lifetimes) totals() (out []changedTotal) {
	var turns []int64
	for at := range l.steps {
		turns = append(turns, at)
	}
	slices.Sort(turns)
	var live int64
	for i, at := range turns {
		live += l.steps[at]
		until := l.dataset.Head
		if i+1 < len(turns) {
			until = turns[i+1] - 1
		}
		if live > 0 && at <= until {
			out = append(out, changedTotal{commitSpan{l.dataset.ID, at, until}, live})
		}
	}
	return out
}

// liveAt returns how many of the records are live in the dataset at a commit, which it may have inherited.
func (l *lifetimes) liveAt(commit int64) (n int64) {
	for _, k := range l.kinds {
		if len(l.alive(k.rows, commit)) > 0 {
			n += k.records
		}
	}
	return n
}

// hadAny reports whether any of the records was ever live in the dataset.
func (l *lifetimes) hadAny() bool {
	for _, k := range l.kinds {
		for _, r := range k.rows {
			if len(l.entries[r.file]) > 0 {
				return true
			}
		}
	}
	return false
}
