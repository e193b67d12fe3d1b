package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

// What can't be placed, and what was withdrawn, lies in quarantine/ under a name that says what it was, why it is there
// and since when: <dataset>-<commit>-incomplete-20260131T100000.000000Z. Nothing there is read for its rows; its
// numbers are not given again.

// Why something is in quarantine.
const (
	withdrawn  = "withdrawn"  // its request was answered with a failure
	incomplete = "incomplete" // a file is missing or not what was written
	unreadable = "unreadable" // its description can't be read, or tells of something else
	unplaced   = "unplaced"   // it does not follow on what is there
	corrupt    = "corrupt"    // the catalog
)

// quarantineName is what the object of a key is called in quarantine. The moment makes it unique, and says when to look
// in the log.
func (j *journal) quarantineName(key, why string) string {
	flat := strings.NewReplacer("/"+labelsDir+"/", "-", "/", "-").Replace(key)
	return fmt.Sprintf("%s-%s-%s", flat, why, j.now().Format("20060102T150405.000000Z"))
}

// quarantinedCommit matches the name of a commit's directory.
var quarantinedCommit = regexp.MustCompile(`^(.+)-(\d+)-(?:withdrawn|incomplete|unreadable|unplaced)-\d{8}T`)

// Labels in quarantine: a version's, and a savepoint's.
var (
	quarantinedVersion   = regexp.MustCompile(`^(.+)-version-(\d+\.\d+\.\d+)\.json-(?:unreadable|unplaced)-\d{8}T`)
	quarantinedSavepoint = regexp.MustCompile(`^(.+)-master__(\d+)\.json-(?:unreadable|unplaced)-\d{8}T`)
)

// lastQuarantined is the highest number that a version of a dataset has whose label is in quarantine; zero: there is
// none.
func (j *journal) lastQuarantined(dataset string) (last [3]int64, err error) {
	names, err := j.blobs.Quarantined()
	for _, name := range names {
		m := quarantinedVersion.FindStringSubmatch(name)
		if m == nil || m[1] != dataset {
			continue
		}
		if number, ok := ParseVersion(m[2]); ok && slices.Compare(number[:], last[:]) > 0 {
			last = number
		}
	}
	return last, err
}

// inQuarantine lists what is there and someone may miss: everything but withdrawn commits.
func (j *journal) inQuarantine() ([]Problem, error) {
	names, err := j.blobs.Quarantined()
	var out []Problem
	for _, name := range names {
		if strings.Contains(name, "-"+withdrawn+"-") {
			continue
		}
		p := Problem{Detail: "it is in quarantine/" + name + ". Look at what it is, then move it out of the store"}
		if m := quarantinedCommit.FindStringSubmatch(name); m != nil {
			p.Dataset = m[1]
			p.Commit, _ = strconv.ParseInt(m[2], 10, 64)
		}
		out = append(out, p)
	}
	return out, err
}

// reserveQuarantined makes sure that ids of what is in quarantine are not given again.
func (j *journal) reserveQuarantined(tx catalog.Tx) error {
	names, err := j.blobs.Quarantined()
	if err != nil {
		return err
	}
	// Nothing of what lies there counts but its numbers: who saw one must not find another thing under it.
	for _, name := range names {
		if m := quarantinedSavepoint.FindStringSubmatch(name); m != nil {
			number, _ := strconv.ParseInt(m[2], 10, 64)
			if err := tx.Advance(savepointSequence(m[1]), number); err != nil {
				return err
			}
		}
		if m := quarantinedProposal.FindStringSubmatch(name); m != nil {
			number, _ := strconv.ParseInt(m[2], 10, 64)
			if err := tx.Advance(proposalSequence(m[1]), number); err != nil {
				return err
			}
		}
		match := quarantinedCommit.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		id, _ := strconv.ParseInt(match[2], 10, 64)
		if err := tx.Advance(catalog.CommitIDs, id); err != nil {
			return err
		}
		var m manifest
		text, err := j.blobs.ReadQuarantined(name + "/" + descriptionFile)
		if err != nil || unseal(text) != nil || json.Unmarshal(text, &m) != nil {
			continue // it has no numbers that anyone could know
		}
		if err := reserve(tx, m); err != nil {
			return err
		}
	}
	return nil
}

// reserve makes sure that the ids of a commit are not given again.
func reserve(tx catalog.Tx, m manifest) error {
	if err := tx.Advance(catalog.CommitIDs, m.Commit.ID); err != nil {
		return err
	}
	for _, p := range append(m.Played, m) {
		for _, f := range p.Opened {
			if err := tx.Advance(catalog.FileIDs, f.ID); err != nil {
				return err
			}
		}
	}
	for _, p := range m.Savepoints {
		if err := tx.Advance(savepointSequence(p.DatasetID), p.Number); err != nil {
			return err
		}
	}
	d, err := tx.Dataset(m.Commit.DatasetID)
	if err != nil {
		return ifFound(err)
	}
	return tx.AdvanceFamily(d.FamilyID, m.LastRow, m.LastField)
}

// ifFound returns nil where err says that there is no such row.
func ifFound(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	return err
}
