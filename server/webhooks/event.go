package webhooks

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// Kind is what an event is about: the type of its message.
type Kind string

// The kinds. A commit that rolls back, merges or begins a fork is two events: that, and a commit.
const (
	CommitCreated     Kind = "commit.created"
	RollbackCreated   Kind = "rollback.created" // also a restore
	MergeCreated      Kind = "merge.created"
	ForkCreated       Kind = "fork.created"
	VersionCreated    Kind = "version.created"
	ProposalOpened    Kind = "proposal.opened" // also again
	ProposalCommented Kind = "proposal.commented"
	ProposalApproved  Kind = "proposal.approved"
	ProposalMerged    Kind = "proposal.merged"
	ProposalClosed    Kind = "proposal.closed"
	CompareCommented  Kind = "comparison.commented"
	DatasetCreated    Kind = "dataset.created"
	DatasetDeleted    Kind = "dataset.deleted"
	DatasetUndeleted  Kind = "dataset.undeleted"
	MonitorFinding    Kind = "monitor.finding"
	DamageFound       Kind = "damage.found"
	DiskLow           Kind = "disk.low"
	BackupFailed      Kind = "backup.failed"
	Test              Kind = "webhook.test" // sent on request only
)

// Kinds are those that a webhook may ask for.
var Kinds = []Kind{
	CommitCreated, RollbackCreated, MergeCreated, ForkCreated, VersionCreated, ProposalOpened, ProposalCommented,
	ProposalApproved, ProposalMerged, ProposalClosed, CompareCommented, DatasetCreated, DatasetDeleted, DatasetUndeleted,
	MonitorFinding, DamageFound, DiskLow, BackupFailed,
}

// Event is something that happened. One without a project is of the server as a whole.
type Event struct {
	ID      string
	Kind    Kind
	Project int64  // 0: none
	Dataset string // its id; empty: none
	Time    time.Time
	Data    map[string]any
}

// body returns the message, as the Standard Webhooks specification suggests it. It names things rather than containing
// them: a message is kept for days, and what it told of may be erased meanwhile.
func (e Event) body() ([]byte, error) {
	return json.Marshal(struct {
		Type      Kind           `json:"type"`
		Timestamp time.Time      `json:"timestamp"`
		Data      map[string]any `json:"data"`
	}{e.Kind, e.Time, e.Data})
}

// ofDataset returns an event of a dataset. at is what tells it from others of its kind.
func ofDataset(d catalog.Dataset, kind Kind, when time.Time, more map[string]any, at ...any) Event {
	data := map[string]any{"project_id": d.ProjectID, "dataset_id": d.ID, "dataset_name": d.Name}
	for name, value := range more {
		data[name] = value
	}
	return Event{
		ID: eventID(kind, append([]any{d.ID}, at...)...), Kind: kind, Project: d.ProjectID, Dataset: d.ID, Time: when,
		Data: data,
	}
}

// alsoKinds are the events that a commit of a mode is besides a commit.
var alsoKinds = map[catalog.Mode]Kind{
	catalog.Rollback: RollbackCreated, catalog.Restore: RollbackCreated, catalog.Merge: MergeCreated,
	catalog.Fork: ForkCreated,
}

// commitEvents returns the events of a commit.
func commitEvents(d catalog.Dataset, c catalog.Commit) (out []Event) {
	data := map[string]any{"commit": map[string]any{
		"id": c.ID, "mode": c.Mode, "message": clip(c.Message), "user": c.User, "created_at": c.CreatedAt,
		"parent_commit_id": orNil(c.ParentCommitID), "records_added": c.Added, "records_removed": c.Removed,
		"records_modified": c.Modified, "records_total": c.Total, "hash": c.Hash,
	}}
	if c.Mode == catalog.Fork {
		data["upstream_id"], data["fork_commit"] = d.UpstreamID, d.ForkCommit
	}
	// The hash: a store that was put back to an earlier state gives ids again, of other commits.
	for _, kind := range []Kind{CommitCreated, alsoKinds[c.Mode]} {
		if kind != "" {
			out = append(out, ofDataset(d, kind, c.CreatedAt, data, c.ID, c.Hash))
		}
	}
	return out
}

// versionEvent returns the event of a new version.
func versionEvent(d catalog.Dataset, v catalog.Version) Event {
	number := storage.VersionNumber(v)
	return ofDataset(d, VersionCreated, v.CreatedAt, map[string]any{"version": map[string]any{
		"version": number, "commit_id": v.CommitID, "description": clip(v.Description), "user": v.User,
		"created_at": v.CreatedAt,
	}}, number, v.CreatedAt.UnixMicro())
}

// clip returns the first 500 characters of what people have written: messages are to stay small.
func clip(text string) string {
	const most = 500
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

func orNil(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// ParseKinds returns kinds by their names. The error is the end of a sentence.
func ParseKinds(names []string) (kinds []Kind, err error) {
	for _, name := range names {
		if !slices.Contains(Kinds, Kind(name)) {
			return nil, fmt.Errorf("must be of %s", joined(Kinds))
		}
		kinds = append(kinds, Kind(name))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds), nil
}

// joined lists kinds in a sentence.
func joined(kinds []Kind) (text string) {
	for i, k := range kinds {
		if i > 0 {
			text += ", "
		}
		text += string(k)
	}
	return text
}
