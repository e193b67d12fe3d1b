package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// Erasing removes records from all states of a dataset and of all datasets of its family: every row with the key of the
// record, whatever else was in it at the time. A condition selects keys: those of all rows, live or not, in which it
// holds. What remains is that something was erased: who did it, when and why, and which commits it affects.

// Erasure is what is to be erased: records by their keys, or those that a condition selects.
type Erasure struct {
	Keys   []json.RawMessage // each the value of a key of one column, or an object with the value of each of its columns
	Where  string
	Reason string // kept with the erasure; it must not name what is erased
}

// Erased is what an erasure removed, or would remove.
type Erased struct {
	ID        int64 // 0: nothing was erased
	User      string
	Reason    string
	CreatedAt time.Time
	ErasedDetails
}

// ErasedDetails are what is kept of an erasure. They have no values of records.
type ErasedDetails struct {
	Records   int64           `json:"records"`         // different keys
	Rows      int64           `json:"rows"`            // in data files
	Rewritten int             `json:"files_rewritten"` // data and rollback files that have other rows
	Removed   int             `json:"files_removed"`   // those that had no others
	Datasets  []ErasedDataset `json:"datasets"`        // in which any of the records was, at some time
	Backups   []ErasedBackup  `json:"backups"`         // that still have a record

	// StoreBackups are the backups of the store, in the server's target, that have states with a record; nil if that is
	// not known.
	StoreBackups []ErasedStoreBackup `json:"store_backups"`
}

// ErasedDataset is what an erasure changes in one dataset: of its own commits, and of those that it inherited.
type ErasedDataset struct {
	ID       string   `json:"id"`
	Live     int64    `json:"records_live"` // that it had before
	Commits  int64    `json:"commits"`      // that wrote or removed a record, or whose states had one
	First    int64    `json:"first_commit"` // of these; 0: there are none
	Last     int64    `json:"last_commit"`
	Versions []string `json:"versions"` // whose states had a record
}

// ErasedBackup is an archive with records that were erased from the dataset.
type ErasedBackup struct {
	ID      string `json:"id"`
	Dataset string `json:"dataset_id"`
	Commit  int64  `json:"commit_id"`
	Ref     string `json:"ref"`
}

// ErasedStoreBackup is a backup of the store, or of a part of it, with records that were erased.
type ErasedStoreBackup struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// mostKeys is how many keys one erasure takes. Each is checked.
const mostKeys = 10_000

func (e Erasure) check() error {
	switch {
	case (len(e.Keys) == 0) == (e.Where == ""):
		return fault.Errorf(fault.Invalid, "nothing_to_erase",
			"Say what is to be erased: keys, or a condition in where, and not both.")
	case len(e.Keys) > mostKeys:
		return fault.Errorf(fault.Invalid, "too_many_keys",
			"An erasure takes up to %d keys, and this one has %d. Send several, or a condition.", mostKeys, len(e.Keys)).
			With("field", "keys")
	}
	return nil
}

// Erase erases records. If the dataset's family never had any of them, it writes nothing.
func (rs *Removals) Erase(ctx context.Context, dataset string, e Erasure, r Request) (out Erased, err error) {
	if err := e.check(); err != nil {
		return out, err
	}
	var d catalog.Dataset
	err = rs.catalog.Read(ctx, func(tx catalog.Tx) error {
		if d, err = activeFor(ctx, tx, dataset); err != nil {
			return err
		}
		return permittedInFamily(ctx, tx, d)
	})
	if err != nil {
		return out, err
	}
	one, err := rs.newErasing(ctx, d, e)
	if err != nil {
		return out, err
	}
	defer one.close()
	f := forgetting{Request: r, kind: catalog.Erase, dataset: d, reason: e.Reason, find: one.find}
	f.answer = func(tx catalog.Tx, done removalDocument) (answers, error) {
		return answer(rs.requests, tx, r, one.erased(done))
	}
	done, err := rs.forget(ctx, f)
	if err == nil && done.ID != 0 && r.Preview == nil {
		if err = one.forgetFailures(context.WithoutCancel(ctx)); err != nil {
			err = errUnfinished.Because(err) // the records are gone all the same
		}
	}
	if err == nil && r.Preview == nil {
		if err = one.unsay(context.WithoutCancel(ctx), done.ID != 0); err != nil {
			err = errUnfinished.Because(err)
		}
	}
	return one.erased(done), err
}

// erased is the result of the erasure.
func (e *erasing) erased(done removalDocument) Erased {
	return Erased{
		ID: done.ID, User: done.User, Reason: done.Reason, CreatedAt: done.CreatedAt, ErasedDetails: e.details,
	}
}

// Erasures lists up to limit erasures in a dataset's family, newest first, whose ids are below before.
func (h *History) Erasures(ctx context.Context, dataset string, before int64, limit int) (out []Erased, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err := activeFor(ctx, tx, dataset)
		if err != nil {
			return err
		}
		list, err := tx.Removals(d.FamilyID, catalog.Erase, before, limit)
		for _, r := range list {
			one := Erased{ID: r.ID, User: r.User, Reason: r.Reason, CreatedAt: r.CreatedAt}
			if err := json.Unmarshal(r.Details, &one.ErasedDetails); err != nil {
				return err
			}
			if err := hideErased(ctx, tx, &one.ErasedDetails); err != nil {
				return err
			}
			out = append(out, one)
		}
		return err
	})
	return out, err
}
