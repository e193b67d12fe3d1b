package storage

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
)

// ledger is in the catalog that several servers share: what one that has ended noted there, another one finishes.
type ledger struct {
	*catalog.Catalog
	last atomic.Int64 // the number of this server's last debt
}

// ledgerTime is how long noting a debt may take.
const ledgerTime = 10 * time.Second

// Intend implements blob.Ledger.
func (l *ledger) Intend(ctx context.Context, batches ...blob.Intent) error {
	list := make([]catalog.Intent, len(batches))
	for n, i := range batches {
		list[n] = catalog.Intent{Key: i.Key, Description: i.Description}
	}
	return l.Catalog.Intend(ctx, list...)
}

// Renew implements blob.Ledger.
func (l *ledger) Renew(ctx context.Context, keys []string) error { return l.RenewIntents(ctx, keys) }

// Published implements blob.Ledger: those of commits that stand are forgotten all at once, when they are late.
func (l *ledger) Published(string) {}

// Late implements blob.Ledger, by the database's clock.
func (l *ledger) Late(ctx context.Context, _ time.Time, age time.Duration) (late []blob.Intent, err error) {
	list, err := l.LateIntents(ctx, age)
	for _, i := range list {
		late = append(late, blob.Intent{Key: i.Key, Description: i.Description, IsWithdrawn: i.IsWithdrawn})
	}
	return late, err
}

// Swept implements blob.Ledger.
func (l *ledger) Swept(ctx context.Context, key string) error {
	return l.Write(ctx, func(tx catalog.Tx) error { return tx.ForgetIntent(key) })
}

// Owe implements blob.Ledger.
func (l *ledger) Owe(text []byte) (blob.Note, error) {
	ctx, done := context.WithTimeout(context.Background(), ledgerTime)
	defer done()
	n := blob.Note{Server: l.Server(), Number: l.last.Add(1), Text: text}
	return n, l.Write(ctx, func(tx catalog.Tx) error { return tx.Owe(debtOf(n)) })
}

func debtOf(n blob.Note) catalog.Debt {
	return catalog.Debt{Server: n.Server, Number: n.Number, Text: string(n.Text)}
}

// Owed implements blob.Ledger: what servers owe that have ended.
func (l *ledger) Owed(ctx context.Context) (list []blob.Note, err error) {
	var all []catalog.Debt
	if err := l.Read(ctx, func(tx catalog.Tx) error { all, err = tx.Owed(); return err }); err != nil || len(all) == 0 {
		return nil, err
	}
	alive, err := l.Servers(ctx) // after what they owe was read
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if !slices.ContainsFunc(alive, func(s catalog.Server) bool { return s.ID == d.Server }) {
			list = append(list, blob.Note{Server: d.Server, Number: d.Number, Text: []byte(d.Text)})
		}
	}
	return list, nil
}

// Paid implements blob.Ledger.
func (l *ledger) Paid(ctx context.Context, n blob.Note) error {
	return l.Write(ctx, func(tx catalog.Tx) error { return tx.Pay(debtOf(n)) })
}

// KeepClean finishes in the bucket what servers that have ended left there, and removes uploads that are old, until ctx
// ends. Of several servers, one does; where there can't be any, the objects' own part does.
func (s *Store) KeepClean(ctx context.Context) {
	uploads := s.Uploads()
	if uploads == nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { s.Duty(ctx, "bucket", uploads.remote.KeepClean) })
	both.Go(func() { s.Duty(ctx, "uploads", uploads.keepFew) })
	both.Wait()
}
