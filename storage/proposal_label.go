package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
)

const proposalPrefix = "proposal-"

// proposalLabelName is the name of a proposal's label.
func proposalLabelName(number int64) string { return fmt.Sprintf("%s%06d", proposalPrefix, number) }

// parseProposal reads the number of a proposal from the name of its label.
func parseProposal(name string) (number int64, ok bool) {
	text, ok := strings.CutPrefix(name, proposalPrefix)
	number, err := strconv.ParseInt(text, 10, 64)
	return number, ok && err == nil
}

// proposalSequence names the sequence that holds a dataset's last number where no proposal has it.
func proposalSequence(dataset string) string { return "proposal " + dataset }

// quarantinedProposal matches the name in quarantine of a proposal's label.
var quarantinedProposal = regexp.MustCompile(`^(.+)-proposal-(\d+)\.json-(?:unreadable|unplaced)-\d{8}T`)

// proposalLabel is a proposal, with the answers to the requests that changed it.
type proposalLabel struct {
	catalog.Proposal
	answers
}

// putProposal records a proposal and the answers to a request, and writes the label, with the answers that it had
// before.
func (l *labels) putProposal(tx catalog.Tx, p catalog.Proposal, a answers) error {
	p.Revision++
	if err := errors.Join(tx.PutProposal(p), a.record(tx)); err != nil {
		return err
	}
	name := proposalLabelName(p.Number)
	kept, err := l.kept(p.DatasetID, name)
	if err != nil {
		return err
	}
	a.Receipts = append(kept.Receipts, a.Receipts...)
	return l.put(p.DatasetID, name, proposalLabel{p, a})
}

// recordProposal records a proposal as its label has it. Merges, which are commits, say that it was merged.
func (f *forward) recordProposal(tx catalog.Tx, dataset, key string) error {
	var l proposalLabel
	if err := f.read(key, &l); err != nil {
		return err
	}
	known, err := tx.Proposal(dataset, l.Number)
	switch {
	case err == nil && known.Revision == l.Revision:
		return l.record(tx)
	case err == nil && known.State == catalog.ProposalMerged && l.State != catalog.ProposalMerged:
		l.State, l.MergeCommitID = known.State, known.MergeCommitID
	case err != nil && !errors.Is(err, catalog.ErrNotFound):
		return err
	}
	if err := fits(tx, dataset, l.DatasetID, 0); err != nil {
		return err
	}
	f.step("proposal %d to dataset %s", l.Number, dataset)
	return errors.Join(tx.PutProposal(l.Proposal), l.record(tx))
}

// describesProposal is describes for the label of a proposal.
func describesProposal(tx catalog.Tx, dataset, name string, text []byte) bool {
	var l proposalLabel
	if json.Unmarshal(text, &l) != nil || l.DatasetID != dataset || proposalLabelName(l.Number) != name {
		return false
	}
	p, err := tx.Proposal(dataset, l.Number)
	return err == nil && p.Revision == l.Revision
}

// unsay takes the keys of comments that may name a record that was erased out of the proposals and the discussions of
// the family. What people wrote stays, as messages of commits do. It follows the erasure, and the same erasure again,
// which finds no record, does what a crash left.
func (e *erasing) unsay(ctx context.Context, found bool) error {
	names := e.named
	if !e.isNamed || names == nil && !found {
		return nil
	}
	return e.label(ctx, Request{}, func(tx catalog.Tx, l *labels) error {
		datasets, err := tx.FamilyDatasets(e.dataset.FamilyID)
		if err != nil {
			return err
		}
		for _, d := range datasets {
			if isRemoved(d) {
				continue
			}
			if err := l.unsayIn(tx, d.ID, names); err != nil {
				return err
			}
		}
		return nil
	})
}

// unsayIn takes keys out of what was said of one dataset.
func (l *labels) unsayIn(tx catalog.Tx, dataset string, names []string) error {
	proposals, errProposals := tx.Proposals(dataset, "", catalog.Forever, 1<<30)
	discussions, errDiscussions := tx.Discussions(dataset)
	if err := errors.Join(errProposals, errDiscussions); err != nil {
		return err
	}
	for _, p := range proposals {
		if err := l.unsayProposal(tx, p, names); err != nil {
			return err
		}
	}
	for _, d := range discussions {
		if err := l.unsayDiscussion(tx, d.Compared, names); err != nil {
			return err
		}
	}
	return nil
}

// unsayProposal takes keys out of one proposal, and out of the answers that its requests were given.
func (l *labels) unsayProposal(tx catalog.Tx, listed catalog.Proposal, names []string) error {
	p, err := tx.Proposal(listed.DatasetID, listed.Number)
	if err != nil {
		return err
	}
	if found, err := unsayEntries(p.Discussion, names); err != nil || !found {
		return err
	}
	name := proposalLabelName(p.Number)
	kept, err := l.keptWithoutKeys(p.DatasetID, name)
	if err != nil {
		return err
	}
	p.Revision++
	if err := errors.Join(tx.PutProposal(p), kept.replace(tx)); err != nil {
		return err
	}
	return l.put(p.DatasetID, name, proposalLabel{p, kept})
}

// unsayEntries takes keys out of entries, and reports whether there were any; nil names: all.
func unsayEntries(entries []catalog.DiscussionEntry, names []string) (found bool, err error) {
	for i, entry := range entries {
		text, err := json.Marshal(entry.Key)
		if err != nil {
			return found, err
		}
		if entry.Key == nil || names != nil && !keyHasAny(text, names) {
			continue
		}
		entries[i].Key, entries[i].IsErased, found = nil, true, true
	}
	return found, nil
}

// keptWithoutKeys is kept, with answers that name no record.
func (l *labels) keptWithoutKeys(dataset, name string) (answers, error) {
	kept, err := l.kept(dataset, name)
	for i := range kept.Receipts {
		kept.Receipts[i].Answer = withoutKeys(kept.Receipts[i].Answer)
	}
	return kept, err
}

// keyHasAny reports whether a key, as JSON, has one of the names.
func keyHasAny(key json.RawMessage, names []string) bool {
	for _, text := range textsIn(key) {
		if hasAny(text, names) {
			return true
		}
	}
	return false
}

// withoutKeys returns the answer to a comment without the key that it names.
func withoutKeys(answer json.RawMessage) json.RawMessage {
	var told map[string]json.RawMessage
	if json.Unmarshal(answer, &told) != nil {
		return answer
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(told["body"], &body) != nil || body["key"] == nil {
		return answer
	}
	body["key"] = json.RawMessage("null")
	text, err := json.Marshal(body)
	if err == nil {
		told["body"] = text
		text, err = json.Marshal(told)
	}
	if err != nil {
		return answer
	}
	return text
}
