package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/schema"
)

// grafting is a graft while it is made.
type grafting struct {
	from, to *Store
	was      backup.Dataset // in from
	made     *birth         // in to
	dry      bool           // nothing is to change in the store that it would go into

	line
	shift     struct{ commit, file, version int64 } // from an id in the backup to the one here
	manifests []manifest                            // with the new ids, oldest first
	labels    []namedLabel
}

// namedLabel is a label that is to be written.
type namedLabel struct {
	name string
	text any
}

// line is the history of a dataset as its catalog has it.
type line struct {
	head       catalog.Dataset
	start      birth // of the dataset, or of the one that it was forked from in the end
	commits    []catalog.Commit
	entries    []catalog.Entry
	files      map[int64]*catalog.File
	schemas    map[string]schema.Schema
	properties map[string]catalog.Properties
	versions   []catalog.Version
	savepoints []catalog.Savepoint
	tags       []catalog.Tag
	last       lastIDs // of the family
	used       usedIDs // the last ids of the family's store
}

// lineOf reads the history of a dataset.
func lineOf(tx catalog.Tx, dataset string) (l line, err error) {
	if l.head, err = tx.Dataset(dataset); err != nil {
		return l, err
	}
	if l.start, err = startOf(tx, l.head); err != nil {
		return l, err
	}
	if l.commits, err = tx.CommitsAfter(dataset, 0); err != nil {
		return l, err
	}
	if l.entries, err = tx.Entries(dataset, l.head.Head); err != nil {
		return l, err
	}
	files, err := tx.AllFiles(dataset)
	if err != nil {
		return l, err
	}
	l.files = map[int64]*catalog.File{}
	for _, f := range files {
		if f.Key != "" { // else it has lost all rows
			l.files[f.ID] = f
		}
	}
	var errs [6]error
	l.versions, errs[0] = tx.Versions(dataset)
	l.savepoints, errs[1] = tx.Savepoints(dataset)
	l.tags, errs[2] = tx.Tags(dataset)
	l.last.row, l.last.field, errs[3] = tx.Family(l.head.FamilyID)
	l.used.Commit, errs[4] = tx.Last(catalog.CommitIDs)
	l.used.File, errs[5] = tx.Last(catalog.FileIDs)
	return l, errors.Join(errors.Join(errs[:]...), l.readDocuments(tx))
}

// startOf is a dataset before its first commit, or before the first that it inherited.
func startOf(tx catalog.Tx, d catalog.Dataset) (b birth, err error) {
	for d.IsFork() && err == nil {
		d, err = tx.Dataset(d.UpstreamID)
	}
	if err != nil {
		return b, err
	}
	b.Dataset = d
	var errSchema error
	b.Schema, errSchema = tx.Schema(d.SchemaID)
	b.Properties, err = tx.Properties(d.PropertiesID)
	return b, errors.Join(errSchema, err)
}

// readDocuments reads the schemas and properties of all commits and files.
func (l *line) readDocuments(tx catalog.Tx) (err error) {
	l.schemas, l.properties = map[string]schema.Schema{}, map[string]catalog.Properties{}
	read := func(id string) {
		if _, known := l.schemas[id]; !known && err == nil {
			l.schemas[id], err = tx.Schema(id)
		}
	}
	for _, c := range l.commits {
		read(c.SchemaID)
		if _, known := l.properties[c.PropertiesID]; !known && err == nil {
			l.properties[c.PropertiesID], err = tx.Properties(c.PropertiesID)
		}
	}
	for _, f := range l.files {
		read(f.SchemaID)
	}
	return err
}

// commit is the new id of a commit; 0 stays 0.
func (c *grafting) commit(id int64) int64 {
	if id == 0 {
		return 0
	}
	return id + c.shift.commit
}

// describe makes the descriptions of the line's commits: those that a merge played are in its own.
func (c *grafting) describe() error {
	opened, reopened, closed := c.changes()
	var played []manifest
	for _, old := range c.commits {
		m := manifest{
			Commit: c.renumbered(old), Schema: c.schemas[old.SchemaID], Properties: c.renamed(c.properties[old.PropertiesID]),
			Opened: opened[old.ID], Reopened: reopened[old.ID], Closed: closed[old.ID],
			LastRow: c.last.row, LastField: c.last.field,
		}
		if old.MergeCommitID != 0 {
			played = append(played, m)
			continue
		}
		for _, p := range played {
			if p.Commit.MergeCommitID != m.Commit.ID {
				return fmt.Errorf("commit %d was played by merge %d, and is followed by commit %d", //nolint:err113 // not told
					p.Commit.ID, p.Commit.MergeCommitID, m.Commit.ID)
			}
		}
		m.Played, played = played, nil
		if len(c.manifests) == 0 {
			m.Creates, m.Birth = true, c.made
		}
		c.manifests = append(c.manifests, m)
	}
	return nil
}

// changes returns what each commit did to the files, by its id in the backup: the new rows of files that it opened
// first, and the new ids of those that it opened again or closed.
func (c *grafting) changes() (opened map[int64][]*catalog.File, reopened, closed map[int64][]int64) {
	opened, reopened, closed = map[int64][]*catalog.File{}, map[int64][]int64{}, map[int64][]int64{}
	seen := map[int64]bool{}
	for _, e := range c.entries { // by file, and of one by when they begin
		f, ok := c.files[e.File]
		if !ok {
			continue
		}
		if seen[e.File] {
			reopened[e.Begin] = append(reopened[e.Begin], e.File+c.shift.file)
		} else {
			opened[e.Begin] = append(opened[e.Begin], c.renumberedFile(f, e.Begin))
		}
		seen[e.File] = true
		if e.End != catalog.Forever {
			closed[e.End] = append(closed[e.End], e.File+c.shift.file)
		}
	}
	return opened, reopened, closed
}

// renumberedFile is a file as the commit has it that opens it here. What depends on its bytes is not known yet.
func (c *grafting) renumberedFile(f *catalog.File, commit int64) *catalog.File {
	now := *f
	now.ID, now.DatasetID, now.CommitID = f.ID+c.shift.file, c.made.Dataset.ID, c.commit(commit)
	now.Targets = nil
	if f.Targets != nil {
		now.Targets = map[int64]int64{}
	}
	for id, rows := range f.Targets {
		now.Targets[id+c.shift.file] = rows
	}
	return &now
}

// renumbered is a commit with the new ids.
func (c *grafting) renumbered(old catalog.Commit) catalog.Commit {
	now := old
	now.DatasetID = c.made.Dataset.ID
	for _, id := range []*int64{
		&now.ID, &now.Previous, &now.ParentCommitID, &now.RollbackCommitID, &now.MergeCommitID, &now.RowTag,
	} {
		*id = c.commit(*id)
	}
	now.Params = c.renumberedParams(old)
	return now
}

// renumberedParams are the parameters of a commit with the new ids of the commits that they name.
func (c *grafting) renumberedParams(old catalog.Commit) json.RawMessage {
	params := map[string]json.RawMessage{}
	if json.Unmarshal(old.Params, &params) != nil {
		return old.Params
	}
	changed := false
	var one int64
	if text, ok := params["commit"]; ok && json.Unmarshal(text, &one) == nil {
		params["commit"], changed = json.RawMessage(fmt.Sprint(c.commit(one))), true
	}
	var list []int64
	if text, ok := params["cascade"]; ok && json.Unmarshal(text, &list) == nil {
		for i := range list {
			list[i] = c.commit(list[i])
		}
		text, err := json.Marshal(list)
		params["cascade"], changed = text, err == nil
	}
	if text, err := json.Marshal(params); changed && err == nil {
		return text
	}
	return old.Params
}

// renamed are properties with the new name in place of the dataset's last one. Names that it had before stay.
func (c *grafting) renamed(p catalog.Properties) catalog.Properties {
	if p.Name == c.head.Name {
		p.Name = c.made.Dataset.Name
	}
	return p
}

// name makes the labels: versions, savepoints and tags with the commits' new ids.
func (c *grafting) name() {
	d := c.made.Dataset.ID
	for _, v := range c.versions {
		v.ID, v.DatasetID, v.CommitID = v.ID+c.shift.version, d, c.commit(v.CommitID)
		c.labels = append(c.labels, namedLabel{versionName(v), versionLabel{Version: v}})
	}
	for _, p := range c.savepoints {
		p.ID, p.DatasetID, p.CommitID = c.to.newID(), d, c.commit(p.CommitID)
		c.labels = append(c.labels, namedLabel{SavepointName(p.Number), savepointLabel{Savepoint: p}})
	}
	for _, t := range c.tags {
		t.DatasetID, t.CommitID = d, c.commit(t.CommitID)
		c.labels = append(c.labels, namedLabel{tagLabelName(t.Name), tagLabel{Tag: t}})
	}
}

// used are the last ids that the graft takes.
func (c *grafting) usedIDs() *usedIDs {
	return &usedIDs{Commit: c.commit(c.used.Commit), File: c.used.File + c.shift.file}
}

// usage is what the new dataset takes of its project's quota.
func (c *grafting) usage() (u catalog.Usage) {
	for _, m := range c.manifests {
		for _, one := range append(slices.Clone(m.Played), m) {
			for _, f := range one.Opened {
				u.Bytes += f.Bytes
			}
			u.Records = m.Commit.Total
		}
	}
	return u
}
