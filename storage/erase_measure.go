package storage

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// measure finds out what the erasure changes besides files: what commits and states say of records, and where people
// may still find some.
func (e *erasing) measure(ctx context.Context, all *snapshot.Snapshot, r *removal) error {
	e.details = ErasedDetails{Datasets: []ErasedDataset{}, Backups: []ErasedBackup{}}
	if err := e.conn.Row(ctx, "SELECT count(DISTINCT k), count(*) FROM erase_rows", &e.details.Records,
		&e.details.Rows); err != nil {
		return err
	}
	if err := e.countFiles(ctx, all, r); err != nil {
		return err
	}
	kinds, err := e.readLives(ctx)
	if err != nil {
		return err
	}
	var list []*lifetimes
	err = e.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = lifetimesOf(tx, e.dataset, kinds); return err })
	if err != nil {
		return err
	}
	for _, l := range list {
		if err := e.measureIn(ctx, l, r); err != nil {
			return err
		}
	}
	e.details.StoreBackups = e.copies.holding(ctx, e.details.Datasets)
	r.details = e.details
	return e.findMentions(ctx, r)
}

// countFiles counts the files that change.
func (e *erasing) countFiles(ctx context.Context, all *snapshot.Snapshot, r *removal) error {
	lines := map[int64]int{}
	err := e.conn.Rows(ctx, "SELECT r, count(*) FROM erase_lines GROUP BY r", func(scan duck.Scan) error {
		var file int64
		var n int
		err := scan(&file, &n)
		lines[file] = n
		return err
	})
	for id, l := range r.losses(all.Files()) {
		if int64(max(len(r.rows[id]), lines[id])) == l.file.Rows {
			e.details.Removed++
		} else {
			e.details.Rewritten++
		}
	}
	return err
}

// lifetimesOf returns the lifetimes of records in the datasets of a family that ever had any.
func lifetimesOf(tx catalog.Tx, of catalog.Dataset, kinds []kindOfLife) (out []*lifetimes, err error) {
	files := map[int64]bool{}
	for _, k := range kinds {
		for _, r := range k.rows {
			files[r.file] = true
			for _, id := range r.by {
				files[id] = true
			}
		}
	}
	ids := slices.Sorted(maps.Keys(files))
	datasets, err := tx.FamilyDatasets(of.FamilyID)
	if err != nil {
		return nil, err
	}
	for _, d := range datasets {
		lineage, err := tx.Lineage(d.ID)
		if err != nil {
			return nil, err
		}
		entries, err := tx.EntriesOf(d.ID, ids)
		if err != nil {
			return nil, err
		}
		own := lineage[len(lineage)-1]
		l := &lifetimes{timeline: timeline{d, own.After, map[int64][]catalog.Entry{}}, kinds: kinds}
		for _, one := range entries {
			l.entries[one.File] = append(l.entries[one.File], one)
		}
		if l.hadAny() {
			l.follow()
			out = append(out, l)
		}
	}
	return out, nil
}

// measureIn adds what changes in one dataset.
func (e *erasing) measureIn(ctx context.Context, l *lifetimes, r *removal) error {
	d := l.dataset
	totals := l.totals()
	r.totals = append(r.totals, totals...)
	affected := make([]commitSpan, 0, len(totals))
	for _, t := range totals {
		affected = append(affected, t.commitSpan)
	}
	merges := map[int64]bool{}
	for _, at := range slices.Sorted(maps.Keys(l.fates)) {
		if l.fates[at] == (fate{}) {
			continue
		}
		affected = append(affected, commitSpan{d.ID, at, at})
		r.unsaid = append(r.unsaid, commitRef{d.ID, at})
		k, err := e.countIn(ctx, l, at, l.fates[at], r)
		if err != nil {
			return err
		}
		if k.MergeCommitID != 0 {
			merges[k.MergeCommitID] = true
		}
	}
	for _, merge := range slices.Sorted(maps.Keys(merges)) {
		affected = append(affected, commitSpan{d.ID, merge, merge})
		r.unsaid = append(r.unsaid, commitRef{d.ID, merge})
		if err := e.countMerge(ctx, l, merge, r); err != nil {
			return err
		}
	}
	affected = joinSpans(affected)
	r.affected = append(r.affected, affected...)
	return e.tell(ctx, l, affected)
}

// countIn takes the records off the counts of a commit.
func (e *erasing) countIn(
	ctx context.Context, l *lifetimes, at int64, f fate, r *removal,
) (k catalog.Commit, err error) {
	err = e.catalog.Read(ctx, func(tx catalog.Tx) error { k, err = tx.Commit(l.dataset.ID, at); return err })
	if err != nil {
		return k, err
	}
	return k, e.takeOff(ctx, k, k.Previous, f, r)
}

// countMerge takes the records off the counts of a merge, which are those of the states before and after it.
func (e *erasing) countMerge(ctx context.Context, l *lifetimes, merge int64, r *removal) error {
	var played []catalog.Commit
	var k catalog.Commit
	err := e.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if k, err = tx.Commit(l.dataset.ID, merge); err == nil {
			played, err = tx.Played(l.dataset.ID, merge)
		}
		return err
	})
	if err != nil || len(played) == 0 {
		return err
	}
	before := played[0].Previous
	var f fate
	for _, one := range l.kinds {
		f = f.plus(l.alive(one.rows, before), l.alive(one.rows, merge), one.records)
	}
	return e.takeOff(ctx, k, before, f, r)
}

// comparing are the modes whose counts are those of a comparison: a record that has another row counts only if its
// values differ. The others write a row only where they do.
var comparing = []catalog.Mode{catalog.Rollback, catalog.Restore, catalog.Merge}

func (e *erasing) takeOff(ctx context.Context, k catalog.Commit, before int64, f fate, r *removal) error {
	modified := f.moved
	if modified > 0 && slices.Contains(comparing, k.Mode) {
		var err error
		// Where vacuum has removed one of the states, it is taken that the values of all of them differ.
		if modified, err = e.differing(ctx, k, before); isGone(err) {
			modified = f.moved
		} else if err != nil {
			return err
		}
	}
	if f.added != 0 || f.removed != 0 || modified != 0 {
		r.counts = append(r.counts, changedCount{
			commitRef{k.DatasetID, k.ID}, f.added, f.removed, min(modified, k.Modified),
		})
	}
	return nil
}

// differing counts the records whose values differ before and after a commit.
func (e *erasing) differing(ctx context.Context, k catalog.Commit, before int64) (n int64, err error) {
	var d *snapshot.Difference
	err = e.catalog.Read(ctx, func(tx catalog.Tx) error {
		dataset, err := tx.Dataset(k.DatasetID)
		if err != nil {
			return err
		}
		a, err := e.history.snapshot(tx, dataset, before)
		if err != nil {
			return err
		}
		b, err := e.history.snapshot(tx, dataset, k.ID)
		if err == nil {
			d = snapshot.Diff(a, b)
		}
		return err
	})
	if err != nil || d.Empty() {
		return 0, err
	}
	var on []string
	for _, c := range d.Schema.KeyColumns() {
		on = append(on, "CAST(k."+schema.ColumnName(c.ID)+" AS VARCHAR) = CAST(j.b"+schema.ColumnName(c.ID)[1:]+" AS VARCHAR)")
	}
	err = e.conn.Row(ctx, duck.Fill(countDiffering, duck.Parts{
		"joined": d.Joined(), "differs": d.Differs(), "same_key": strings.Join(on, " AND "),
	}), &n)
	return n, err
}

const countDiffering = `SELECT count(*) FROM ({joined}) j SEMI JOIN erase_keys k ON {same_key}
	WHERE in_a AND in_b AND {differs}`

// joinSpans joins spans of one dataset that touch each other.
func joinSpans(list []commitSpan) (out []commitSpan) {
	slices.SortFunc(list, func(a, b commitSpan) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	for _, s := range list {
		if last := len(out) - 1; last >= 0 && s.First <= out[last].Last+1 {
			out[last].Last = max(out[last].Last, s.Last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// tell adds what the erasure says of a dataset.
func (e *erasing) tell(ctx context.Context, l *lifetimes, affected []commitSpan) error {
	one := ErasedDataset{ID: l.dataset.ID, Live: l.liveAt(l.dataset.Head), Versions: []string{}}
	err := e.catalog.Read(ctx, func(tx catalog.Tx) error {
		for _, s := range affected {
			n, err := tx.CountOwn(s.Dataset, s.First, s.Last)
			if err != nil {
				return err
			}
			one.Commits += n
		}
		versions, err := tx.Versions(l.dataset.ID)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if l.liveAt(v.CommitID) > 0 {
				one.Versions = append(one.Versions, VersionNumber(v))
			}
		}
		backups, err := tx.Backups(l.dataset.ID)
		for _, b := range backups {
			if l.liveAt(b.CommitID) > 0 {
				e.details.Backups = append(e.details.Backups, ErasedBackup{b.ID, b.DatasetID, b.CommitID, b.Ref})
			}
		}
		return err
	})
	if len(affected) > 0 {
		one.First, one.Last = affected[0].First, affected[len(affected)-1].Last
	}
	e.details.Datasets = append(e.details.Datasets, one)
	return err
}
