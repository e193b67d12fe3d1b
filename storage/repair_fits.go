package storage

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

// fits reports whether a description that was found in a backup is the one that the catalog knows: labels may have been
// replaced since.
func (w *repairing) fits(ctx context.Context, key string, text []byte) (fits bool, err error) {
	dataset, rest, _ := strings.Cut(key, "/")
	err = w.catalog.Read(ctx, func(tx catalog.Tx) error { fits = describes(tx, dataset, rest, text); return nil })
	return fits, err
}

// describes reports whether a text is the description at a place in a dataset's directory, as the catalog has it.
func describes(tx catalog.Tx, dataset, place string, text []byte) bool {
	name := labelName("/" + place)
	switch commit, ok := strings.CutSuffix(place, "/"+descriptionFile); {
	case ok:
		id, _ := strconv.ParseInt(commit, 10, 64)
		var m manifest
		k, err := tx.Commit(dataset, id)
		return err == nil && json.Unmarshal(text, &m) == nil && m.Commit.DatasetID == dataset && m.Commit.ID == id &&
			m.Commit.Hash == k.Hash && m.Commit.CreatedAt.Equal(k.CreatedAt)
	case strings.HasPrefix(place, backupsDir+"/"):
		var l backupLabel
		if json.Unmarshal(text, &l) != nil {
			return false
		}
		b, err := tx.Backup(dataset, l.ID)
		return err == nil && b == l.Backup && backupKey(b)+"/"+backupManifest == dataset+"/"+place
	case strings.HasPrefix(place, removalsDir+"/"):
		var d removalDocument
		if json.Unmarshal(text, &d) != nil {
			return false
		}
		r, err := tx.Removal(d.ID)
		return err == nil && r.Directory+"/"+removalFile == dataset+"/"+place
	}
	return describesLabel(tx, dataset, name, text)
}

// describesLabel is describes for a label.
func describesLabel(tx catalog.Tx, dataset, name string, text []byte) bool {
	d, err := tx.Dataset(dataset)
	if err != nil {
		return false
	}
	switch {
	case name == birthLabel:
		var b birth
		return json.Unmarshal(text, &b) == nil && b.Dataset.ID == dataset && (b.Used != nil) == isRemoved(d)
	case name == deletedLabel:
		var del deletion
		return json.Unmarshal(text, &del) == nil && del.At.Equal(d.DeletedAt)
	case strings.HasPrefix(name, "version-"):
		var l versionLabel
		if json.Unmarshal(text, &l) != nil || l.DatasetID != dataset {
			return false
		}
		v, err := tx.Version(dataset, l.Major, l.Minor, l.Patch)
		return err == nil && v.ID == l.ID && v.CommitID == l.CommitID && versionName(v) == name
	case strings.HasPrefix(name, tagPrefix):
		return describesTag(tx, dataset, name, text)
	case strings.HasPrefix(name, proposalPrefix):
		return describesProposal(tx, dataset, name, text)
	case strings.HasPrefix(name, discussionPrefix):
		return describesDiscussion(tx, dataset, name, text)
	case strings.HasPrefix(name, "master__"):
		var l savepointLabel
		all, err := tx.Savepoints(dataset)
		if err != nil || json.Unmarshal(text, &l) != nil || SavepointName(l.Number) != name {
			return false
		}
		for _, p := range all {
			if p.ID == l.ID {
				return p.Description == l.Description && p.UpdatedAt.Equal(l.UpdatedAt)
			}
		}
	}
	return false
}

// describesTag is describes for the label of a tag, which may have been moved since, or removed.
func describesTag(tx catalog.Tx, dataset, name string, text []byte) bool {
	var l tagLabel
	if json.Unmarshal(text, &l) != nil || l.DatasetID != dataset || tagLabelName(l.Name) != name {
		return false
	}
	t, err := tx.Tag(dataset, l.Name)
	if !l.RemovedAt.IsZero() {
		return err != nil && ifFound(err) == nil
	}
	return err == nil && t.CommitID == l.CommitID && t.UpdatedAt.Equal(l.UpdatedAt)
}
