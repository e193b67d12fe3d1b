package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// A label is what is kept beside a dataset's commits and is not one: how the dataset was made, its versions, its tags,
// savepoints that were made or described by themselves, proposals to merge into it, discussions of its comparisons, its
// backups, and whether it is deleted. Like a commit, it is written first and recorded in the catalog after: at the
// start the labels win. Each has the receipt of the request that made it.

// Directories of a dataset that are not commits.
const (
	labelsDir    = "labels"
	backupsDir   = "backups"
	birthLabel   = "dataset" // how the dataset was made, where it was made without a commit
	deletedLabel = "deleted" // when the dataset was deleted
)

// versionLabel is a version, with the answers to the requests that made it.
type versionLabel struct {
	catalog.Version
	answers
}

// savepointLabel is a savepoint. One that was made with a commit is in that commit's description, and has a label only
// once it is described anew.
type savepointLabel struct {
	catalog.Savepoint
	answers
}

// backupLabel lies beside the archive. One among the other labels says that the backup was removed.
type backupLabel struct {
	catalog.Backup
	RemovedAt time.Time `json:"removed_at,omitzero"`
	answers
}

// deletion is when a dataset was deleted; zero: it was brought back. Older versions wrote the time alone, and removed
// it.
type deletion struct {
	At time.Time `json:"deleted_at"`
	answers
}

// UnmarshalJSON reads both forms.
func (d *deletion) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte(`"`)) {
		return json.Unmarshal(text, &d.At)
	}
	type plain deletion
	return json.Unmarshal(text, (*plain)(d))
}

// labelKey is the key of a label's object.
func labelKey(dataset, name string) string {
	return dataset + "/" + labelsDir + "/" + name + ".json"
}

// versionName is the name of a version's label.
func versionName(v catalog.Version) string { return "version-" + VersionNumber(v) }

// labels are those that a transaction writes. Where it fails, they are as they were before. They are written within the
// transaction and before its end; undoing them is what keeps both sides equal.
type labels struct {
	*journal
	dry    bool // none is written
	placed []blob.Placed
	holds  func(dataset string) error // whether the dataset's lock was lost, if it was taken; nil: no one asks
	of     []string                   // the datasets that they are of
	keys   []string                   // of their objects
}

// put writes a label, and remembers the former one in case the transaction fails. On a dry run it only makes sure
// that it could be written.
func (l *labels) put(dataset, name string, label any) error {
	if err := l.hasDirectory(dataset); err != nil && name != birthLabel {
		return err
	}
	text, err := sealed(label)
	if err != nil {
		return err
	}
	if l.dry {
		return nil
	}
	if l.holds != nil {
		// A server that stood still must not write over what others wrote since.
		if err := l.holds(dataset); err != nil {
			return err
		}
	}
	l.of, l.keys = append(l.of, dataset), append(l.keys, labelKey(dataset, name))
	p, err := l.blobs.PutPromised(labelKey(dataset, name), text)
	l.placed = append(l.placed, p)
	if errors.Is(err, blob.ErrReplaced) { // by a server that went on while this one stood still
		err = errors.Join(catalog.ErrLockLost, err)
	}
	return err
}

// record ends the transaction's part: what was put is what stands.
func (l *labels) record(tx catalog.Tx) error {
	for _, dataset := range l.of {
		if err := tx.Touch(dataset); err != nil {
			return err
		}
	}
	for _, key := range l.keys {
		if err := tx.ForgetPromises(key); err != nil {
			return err
		}
	}
	if l.dry {
		return errDry
	}
	return nil
}

// errDry ends the transaction of a dry run, so that nothing of it stands.
var errDry = errors.New("this was a dry run")

// label runs a transaction that writes labels: the last thing before it ends, since what the catalog refuses is not to
// be written. A dry run does the same, up to the end of the transaction, which is rolled back.
func (j *journal) label(ctx context.Context, r Request, f func(tx catalog.Tx, l *labels) error) error {
	if err := j.halted(); err != nil {
		return err
	}
	j.labelling.RLock()
	defer j.labelling.RUnlock()
	// Labels are written inside the transaction, before its end: what the catalog refuses is not written, and what is
	// written is recorded or undone.
	l := &labels{journal: j, dry: r.Preview != nil}
	err := j.catalog.Write(ctx, func(tx catalog.Tx) error {
		l.holds = tx.Holds
		if !l.dry {
			if err := j.recant(tx); err != nil { // the answers that a former text has are kept with the next one
				return err
			}
		}
		err := f(tx, l)
		if err == nil {
			err = l.record(tx)
		}
		return j.doubled(err)
	})
	switch {
	case errors.Is(err, errDry):
		return nil
	case err == nil:
		for _, p := range l.placed {
			err = errors.Join(err, p.Keep())
		}
		if err != nil {
			j.log.Warn("a label's former text could not be removed", "error", err)
		}
		for _, dataset := range l.of {
			j.changed(dataset)
		}
		return nil
	case errors.Is(err, catalog.ErrUncertain):
		return j.halt(err)
	}
	for _, p := range l.placed {
		if err2 := p.Undo(); err2 != nil {
			return j.halt(errors.Join(err, err2))
		}
	}
	if err2 := j.recantAll(context.WithoutCancel(ctx)); err2 != nil { // then whoever writes next does
		j.log.Warn("a label that was not recorded could not be taken back yet", "error", err2)
	}
	return err
}

// kept returns the answers that a label has, so that it can be written again with them; those older than receipts are
// kept are left out. A damaged label is not replaced: what it has is not known.
func (j *journal) kept(dataset, name string) (answers, error) {
	return j.keptAt(labelKey(dataset, name))
}

// keptAt is kept by the label's key.
func (j *journal) keptAt(key string) (a answers, err error) {
	switch err := j.readJSON(key, &a); {
	case errors.Is(err, fs.ErrNotExist):
		return answers{}, nil
	case isRefusal(err):
		return answers{}, err
	case err != nil:
		e := fault.Errorf(fault.Corrupt, "corrupted_data", "What is stored beside the dataset's commits is damaged, "+
			"so it is not changed. Look at …/validation; put the file back from a copy of the data directory.")
		e.Cause = err
		return answers{}, e
	}
	oldest := j.now().Add(-receiptsKept)
	a.Receipts = slices.DeleteFunc(a.Receipts, func(r catalog.Receipt) bool { return r.CreatedAt.Before(oldest) })
	return a, nil
}

// labelName is the name of the label at a key; empty where it is not one.
func labelName(key string) string {
	name, ok := strings.CutSuffix(key[strings.LastIndexByte(key, '/')+1:], ".json")
	if !ok {
		return ""
	}
	return name
}
