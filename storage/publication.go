package storage

import (
	"errors"
	"slices"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/snapshot"
)

// publication is what one commit.json describes and one transaction records: a commit, the commits that a merge played
// before it, and what else is made with them. Like a draft it is plain data.
type publication struct {
	draft
	played     []draft             // the oldest first
	creates    *birth              // the dataset, where the commit makes it too
	savepoints []catalog.Savepoint // made with it
	activates  int64               // id of the version that becomes active, and later ones not; 0: none
	proposal   int64               // number of the proposal that a merge merges; 0: none
	answers    answers
	last       lastIDs
	isLast     bool // those were recorded before
}

// lastIDs are the last ids that were given to rows and columns of the family. They are recorded, so that none is given
// twice.
type lastIDs struct{ row, field int64 }

// drafts are all commits of the publication, the oldest first.
func (p *publication) drafts() []draft { return append(slices.Clone(p.played), p.draft) }

// record writes everything, in one transaction. A request and the start, which rolls the catalog forward, do the same.
func (p *publication) record(tx catalog.Tx) error {
	// In this order: a dataset before its commits, and these before what names them.
	for _, step := range []func(catalog.Tx) error{
		p.creates.add, p.addCommits, p.addSavepoints, p.advance, p.answers.record, p.activate,
		p.mergeProposal,
	} {
		if err := step(tx); err != nil {
			return err
		}
	}
	return nil
}

// addCommits records the commits, and moves the dataset's head from the one that the first was made on to the last.
func (p *publication) addCommits(tx catalog.Tx) error {
	// First: a head that has moved ends the transaction before anything else is written.
	drafts := p.drafts()
	renames := p.properties.Name != p.head.Dataset.Name
	if renames { // so that what is refused below is the name, and not what was to be recorded before
		if err := tx.Send(); err != nil {
			return err
		}
	}
	err := tx.MoveHead(p.commit.DatasetID, drafts[0].commit.Previous, p.commit.ID, p.properties.Name)
	if err == nil && renames {
		err = tx.Send()
	}
	if err != nil {
		return nameTaken(err, p.properties.Name)
	}
	for i := range drafts {
		if err := drafts[i].record(tx); err != nil {
			return err
		}
	}
	return nil
}

// addSavepoints records the savepoints that are made with the commit.
func (p *publication) addSavepoints(tx catalog.Tx) error {
	for _, s := range p.savepoints {
		if err := tx.AddSavepoint(s); err != nil {
			return err
		}
	}
	return nil
}

// activate makes a version active, if the commit does that.
func (p *publication) activate(tx catalog.Tx) error { return activate(tx, p.commit, p.activates) }

// mergeProposal records that the merge merged a proposal, if it did.
func (p *publication) mergeProposal(tx catalog.Tx) error {
	return mergedProposal(tx, p.commit, p.proposal)
}

// activate makes a version active and all later ones inactive, of those that were there before a commit; 0: none.
func activate(tx catalog.Tx, c catalog.Commit, version int64) error {
	if version == 0 {
		return nil
	}
	all, err := tx.Versions(c.DatasetID)
	after := false
	for _, v := range all {
		after = after || v.ID == version
		if after && v.CommitID < c.ID {
			err = errors.Join(err, tx.SetActive(v.ID, v.ID == version))
		}
	}
	return err
}

// advance records the numbers in the sequences and in the family.
func (p *publication) advance(tx catalog.Tx) error {
	var file int64
	for _, d := range p.drafts() {
		for _, f := range d.opened {
			file = max(file, f.ID)
		}
	}
	if err := tx.AdvanceIDs(p.commit.ID, file); err != nil {
		return err
	}
	if p.isLast {
		return nil
	}
	return tx.AdvanceFamily(p.head.Dataset.FamilyID, p.last.row, p.last.field)
}

// bookmark makes a savepoint a part of the publication.
func (p *publication) bookmark(id string, number, commit int64, description string) {
	p.savepoints = append(p.savepoints, catalog.Savepoint{
		ID: id, DatasetID: p.commit.DatasetID, CommitID: commit, Number: number, Description: description,
		User: p.commit.User,
	})
}

// describe is the publication as commit.json: enough to record it again where the catalog is lost.
func (p *publication) describe() manifest {
	m := describe(p.draft, p.last)
	m.Creates, m.Birth = p.creates != nil, p.creates
	m.Savepoints, m.Activates, m.Proposal, m.answers = p.savepoints, p.activates, p.proposal, p.answers
	for _, d := range p.played {
		m.Played = append(m.Played, describe(d, p.last))
	}
	return m
}

// describe is one commit as its description has it. Files that it reopens or closes are described by others: their ids
// are enough.
func describe(d draft, last lastIDs) manifest {
	return manifest{
		Commit: d.commit, Schema: d.schema, Properties: d.properties,
		Opened: d.opened, Reopened: ids(d.reopened), Closed: ids(d.closed), Marks: d.marks,
		LastRow: last.row, LastField: last.field,
	}
}

// publication is what a description describes, of a dataset that is made as made.
func (m manifest) publication(made snapshot.State) (p publication, err error) {
	p = publication{
		creates: m.Birth, savepoints: m.Savepoints, activates: m.Activates, proposal: m.Proposal, answers: m.answers,
		last: lastIDs{row: m.LastRow, field: m.LastField},
	}
	for _, one := range m.Played {
		d, err := one.draft(made)
		if err != nil {
			return p, err
		}
		p.played = append(p.played, d)
	}
	p.draft, err = m.draft(made)
	return p, err
}

// draft is the commit of a description.
func (m manifest) draft(made snapshot.State) (draft, error) {
	d := draft{
		head: &snapshot.Snapshot{State: made}, commit: m.Commit, schema: m.Schema, properties: m.Properties,
		opened: m.Opened, reopened: filesOf(m.Reopened), closed: filesOf(m.Closed), marks: m.Marks,
	}
	return d, d.nameDocuments()
}

// filesOf are files of which only the id is known.
func filesOf(ids []int64) []*catalog.File {
	out := make([]*catalog.File, len(ids))
	for i, id := range ids {
		out[i] = &catalog.File{ID: id}
	}
	return out
}
