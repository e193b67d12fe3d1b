package storage

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

// removalsDir is a dataset's directory of removals that were asked for it: each has a directory with its description
// and the files that it wrote anew, which may be those of other datasets of the family.
const (
	removalsDir = "removals"
	removalFile = "removal.json"
	removalCopy = "removal-copy.json" // the same: without it no one would know what became of the files of many commits
)

// twinOf returns the key of the other one of a removal's description and its copy; empty: key is neither.
func twinOf(key string) string {
	if directory, is := strings.CutSuffix(key, "/"+removalFile); is {
		return directory + "/" + removalCopy
	}
	if directory, is := strings.CutSuffix(key, "/"+removalCopy); is {
		return directory + "/" + removalFile
	}
	return ""
}

// removalDocument is removal.json: all that a removal changes.
type removalDocument struct {
	catalog.Removal
	Files    []replacedFile `json:"files"`
	Counts   []changedCount `json:"counts,omitempty"`
	Totals   []changedTotal `json:"totals,omitempty"`
	Affected []commitSpan   `json:"affected,omitempty"`
	Unsaid   []commitRef    `json:"unsaid,omitempty"`

	Vacuumed *vacuumedStates `json:"vacuumed,omitempty"`
	answers

	gone map[int64]*replacedFile // Files, by id
}

// replacedFile is a file that lost rows.
type replacedFile struct {
	ID    int64         `json:"id"`
	Was   string        `json:"was"`           // its former key
	Now   *catalog.File `json:"now,omitempty"` // nil: it has no row left
	Write commitRef     `json:"described_by"`  // the commit whose commit.json describes it
}

// commitRef is a commit of a dataset's own.
type commitRef struct {
	Dataset string `json:"dataset"`
	Commit  int64  `json:"commit"`
}

// commitSpan is the own commits of a dataset from one to another.
type commitSpan struct {
	Dataset string `json:"dataset"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
}

func (s commitSpan) has(dataset string, commit int64) bool {
	return s.Dataset == dataset && s.First <= commit && commit <= s.Last
}

// changedCount is how many records fewer a commit says that it added, removed and modified.
type changedCount struct {
	commitRef
	Added    int64 `json:"added"`
	Removed  int64 `json:"removed"`
	Modified int64 `json:"modified"`
}

// changedTotal is how many records fewer there are after commits.
type changedTotal struct {
	commitSpan
	Records int64 `json:"records"`
}

// record has the catalog say what the removal leaves. What the catalog knows already, or does not have, stays.
func (d removalDocument) record(tx catalog.Tx) error {
	if _, err := tx.Removal(d.ID); err == nil || ifFound(err) != nil {
		return ifFound(err)
	}
	changed := map[int64]bool{}
	for _, f := range d.Files {
		changed[f.ID] = true
		err := tx.Advance(catalog.FileIDs, f.ID)
		if err == nil && f.Now == nil {
			err = tx.RemoveFile(d.FamilyID, f.ID)
		} else if err == nil {
			err = tx.ReplaceFile(f.Now)
		}
		if err != nil {
			return err
		}
	}
	for _, step := range []func(catalog.Tx) error{d.changeCommits, d.answers.record} {
		if err := step(tx); err != nil {
			return err
		}
	}
	if err := forgetCompacted(tx, d.FamilyID, changed); err != nil {
		return err
	}
	if err := tx.AddRemoval(d.Removal); err != nil {
		return err
	}
	return tx.Advance(catalog.CommitIDs, d.ID)
}

// changeCommits changes what commits say of the rows that are gone.
func (d removalDocument) changeCommits(tx catalog.Tx) error {
	for _, c := range d.Counts {
		if err := tx.ChangeCounts(c.Dataset, c.Commit, c.Added, c.Removed, c.Modified); err != nil {
			return err
		}
	}
	for _, t := range d.Totals {
		if err := tx.ChangeTotals(t.Dataset, t.First, t.Last, t.Records); err != nil {
			return err
		}
	}
	for _, s := range d.Affected {
		if err := tx.MarkErased(s.Dataset, s.First, s.Last, d.CreatedAt); err != nil {
			return err
		}
	}
	if err := d.Vacuumed.record(tx, d.CreatedAt); err != nil {
		return err
	}
	for _, c := range d.Unsaid {
		k, err := tx.Commit(c.Dataset, c.Commit)
		if err == nil {
			err = tx.SetParams(c.Dataset, c.Commit, unsaid(k.Params))
		}
		if ifFound(err) != nil {
			return err
		}
	}
	return nil
}

// forgetCompacted forgets the compacted files that have rows of files which have changed, or places in them.
func forgetCompacted(tx catalog.Tx, family string, changed map[int64]bool) error {
	list, err := tx.Compacted(family)
	if err != nil {
		return err
	}
	for _, c := range list {
		if slices.ContainsFunc(slices.Concat(c.Sources, c.Without), func(id int64) bool { return changed[id] }) {
			if err := tx.RemoveCompacted(c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func jsonOf(v any) (json.RawMessage, error) {
	if v == nil {
		return json.RawMessage("{}"), nil
	}
	return json.Marshal(v)
}
