package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/seal"
)

// A label is put before its transaction ends, by a server that may die in between. What the catalog has is what stands:
// so where several servers write, a label is promised before it is put, and the transaction that records it forgets the
// promise. Whoever writes the next label, or looks for what ended servers left, finds a promise that was not kept, and
// has the former text back, whatever kind of label that is and whatever any clock says. No label is on its way then:
// transactions that write are one after another.

// Promise implements blob.Ledger.
func (l *ledger) Promise(ctx context.Context, p blob.Promise) error {
	ctx, done := context.WithTimeout(ctx, ledgerTime)
	defer done()
	return l.Catalog.Promise(ctx, catalog.Promise{
		Key: p.Key, Sum: p.Sum, Former: base64.StdEncoding.EncodeToString(p.Former), IsNew: p.IsNew,
	})
}

// recant takes back the labels of which the transaction finds that they were put, and not recorded.
func (j *journal) recant(tx catalog.Tx) error {
	list, err := tx.Promised()
	if err != nil {
		return err
	}
	for _, p := range list {
		if err := j.recantOne(p); err != nil {
			return err
		}
		// It counts as a change: who has read the text in between reads it again (copying.shelf).
		dataset, _, _ := strings.Cut(p.Key, "/")
		if err := errors.Join(tx.ForgetPromises(p.Key), tx.Touch(dataset)); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) recantOne(p catalog.Promise) error {
	if p.IsOlder {
		// The transaction that kept it may be among those that the database lacks: a start goes by the objects then.
		j.log.Warn("the database has failed over since a label was written: the label stands", "key", p.Key)
		return nil
	}
	former, err := base64.StdEncoding.DecodeString(p.Former)
	if err != nil {
		return err
	}
	promised := blob.Promise{Key: p.Key, Sum: p.Sum, Former: former, IsNew: p.IsNew}
	if err := j.blobs.Recant(promised, seal.Again); err != nil {
		return err
	}
	j.log.Info("a label was not recorded before its server ended, or gave it up: it does not stand", "key", p.Key)
	return nil
}

// recantAll takes back the labels that no transaction records any more, if there are any.
func (j *journal) recantAll(ctx context.Context) error {
	var list []catalog.Promise
	err := j.catalog.Read(ctx, func(tx catalog.Tx) (err error) { list, err = tx.Promised(); return err })
	if err != nil || len(list) == 0 {
		return err
	}
	return j.catalog.Write(ctx, j.recant)
}

// signEvery is how often a transaction that does other things gives a sign: its session would be ended without one.
const signEvery = time.Second

// atRest runs f while no label is written or taken back, on any server. f calls goOn every now and then.
func (j *journal) atRest(ctx context.Context, f func(goOn func() error) error) error {
	j.labelling.Lock()
	defer j.labelling.Unlock()
	if !j.catalog.IsShared() {
		return f(func() error { return nil })
	}
	return j.catalog.Write(ctx, func(tx catalog.Tx) error {
		if err := j.recant(tx); err != nil {
			return err
		}
		last := time.Now()
		return f(func() error {
			if time.Since(last) < signEvery {
				return nil
			}
			last = time.Now()
			_, err := tx.LastChange()
			return err
		})
	})
}
