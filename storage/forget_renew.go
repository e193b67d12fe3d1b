package storage

import (
	"cmp"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
)

// renewals are removals, oldest first: what descriptions of commits that are older mean since.
type renewals []removalDocument

// readRemoval reads the description of a removal in a directory, or its copy if it is damaged.
func (j *journal) readRemoval(directory string) (d removalDocument, err error) {
	err = j.readJSON(directory+"/"+removalFile, &d)
	if err == nil || isRefusal(err) {
		return d, err
	}
	var copied removalDocument
	if j.readJSON(directory+"/"+removalCopy, &copied) != nil {
		return d, err
	}
	j.log.Error("the description of a removal is damaged: its copy is used", "directory", directory, "error", err)
	return copied, nil
}

// renewalsOf reads the descriptions of removals.
func (j *journal) renewalsOf(list []catalog.Removal) (out renewals, err error) {
	for _, r := range list {
		d, err := j.readRemoval(r.Directory)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out.sorted(), nil
}

func (rs renewals) sorted() renewals {
	slices.SortFunc(rs, func(a, b removalDocument) int { return cmp.Compare(a.ID, b.ID) })
	return rs
}

// renew makes a description say what the removals after it leave of its commit.
func (rs renewals) renew(m *manifest) {
	written := m.Renewed
	for i := range rs {
		if d := &rs[i]; d.ID > written {
			for p := range m.Played {
				d.renew(&m.Played[p])
			}
			d.renew(m)
			if d.ID > m.Commit.ID {
				m.Renewed = d.ID
			}
		}
	}
}

// renew makes a description say what the removal leaves of its commit, if that is older.
func (d *removalDocument) renew(m *manifest) {
	if m.Commit.ID > d.ID {
		return
	}
	for i, opened := range m.Opened {
		if f := d.replaced(opened.ID); f != nil && f.Now != nil {
			m.Opened[i] = f.Now
		}
	}
	isGone := func(id int64) bool { f := d.replaced(id); return f != nil && f.Now == nil }
	m.Opened = slices.DeleteFunc(m.Opened, func(f *catalog.File) bool { return isGone(f.ID) })
	m.Reopened, m.Closed = slices.DeleteFunc(m.Reopened, isGone), slices.DeleteFunc(m.Closed, isGone)
	d.renewCommit(&m.Commit)
	d.renewBirth(m.Birth)
}

// renewBirth is renew for how a dataset was made; nil: it was not with the commit.
func (d *removalDocument) renewBirth(b *birth) {
	if b != nil && d.Vacuumed != nil && slices.Contains(d.Vacuumed.Datasets, b.Dataset.ID) {
		b.Dataset.VacuumedAt = d.CreatedAt
	}
}

// replaced returns what became of a file; nil: it is as it was.
func (d *removalDocument) replaced(id int64) *replacedFile {
	if d.gone == nil {
		d.gone = make(map[int64]*replacedFile, len(d.Files))
		for i := range d.Files {
			d.gone[d.Files[i].ID] = &d.Files[i]
		}
	}
	return d.gone[id]
}

// renewCommit is renew for the commit's row.
func (d *removalDocument) renewCommit(c *catalog.Commit) {
	for _, n := range d.Counts {
		if n.commitRef == (commitRef{c.DatasetID, c.ID}) {
			c.Added, c.Removed, c.Modified = c.Added-n.Added, c.Removed-n.Removed, c.Modified-n.Modified
		}
	}
	for _, t := range d.Totals {
		if t.has(c.DatasetID, c.ID) {
			c.Total -= t.Records
		}
	}
	if slices.ContainsFunc(d.Affected, func(s commitSpan) bool { return s.has(c.DatasetID, c.ID) }) {
		c.ErasedAt = d.CreatedAt
	}
	if d.Vacuumed.has(c.DatasetID, c.ID) {
		c.VacuumedAt = d.CreatedAt
	}
	if slices.Contains(d.Unsaid, commitRef{c.DatasetID, c.ID}) {
		c.Params = unsaid(c.Params)
	}
}
