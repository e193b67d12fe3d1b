package blob

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/bucket"
)

// A request that is answered with a failure must not stand, but the bucket may be away in the moment in which it has to
// be taken back. What is owed then is noted in a file, and nothing is written until it is done: by a goroutine that
// tries again, or by the next start, before anything reads the objects.

// debt is a change of the bucket that may be made twice.
type debt struct {
	note   Note
	Kind   string `json:"kind"`
	Key    string `json:"key"`
	Data   []byte `json:"data,omitempty"`    // put: the object
	IsGone bool   `json:"is_gone,omitempty"` // put: there was none
	Name   string `json:"name,omitempty"`    // withdraw: in quarantine
	Keep   string `json:"keep,omitempty"`    // withdraw: the description
	Sum    string `json:"sum,omitempty"`     // of what is taken back: the description (none was published), or the object
}

// Kinds of debts.
const (
	owedPut      = "put"
	owedRemove   = "remove"
	owedWithdraw = "withdraw"
)

// debts are those that are not paid.
type debts struct {
	mu     sync.Mutex
	list   []debt
	paying sync.Mutex // so that they are paid in their order

	sums, older map[string]string // of descriptions that were published, by the key of their batch
}

// mostSums is how many checksums of descriptions are remembered before the oldest are forgotten.
const mostSums = 10_000

// publishing notes what is about to be published: nothing else may be withdrawn in its place.
func (d *debts) publishing(key string, description []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sums == nil || len(d.sums) > mostSums/2 {
		d.sums, d.older = map[string]string{}, d.sums
	}
	d.sums[key] = sumOf(description)
}

func (d *debts) sumOf(key string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.sums[key], d.older[key])
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// errOwed is why nothing is written while something is owed.
var errOwed = fmt.Errorf("%w: what was given up is not taken back yet", bucket.ErrAway)

// isSettled returns an error while something is owed.
func (r *Remote) isSettled() error {
	r.debts.mu.Lock()
	defer r.debts.mu.Unlock()
	if len(r.debts.list) > 0 {
		return errOwed
	}
	return nil
}

// pay makes a change now, or notes that it is owed. An error says that not even that could be done.
func (r *Remote) pay(d debt) error {
	if err := r.hook(d.Kind, d.Key); err != nil {
		return err
	}
	if r.isSettled() == nil {
		// A client waits for its refusal; what takes longer is done after that.
		ctx, cancel := context.WithTimeoutCause(context.Background(), readyWithin, bucket.ErrAway)
		defer cancel()
		err := r.make(ctx, d)
		if err == nil || !errors.Is(err, bucket.ErrAway) {
			return err
		}
		r.log.Warn("the object store is away: what was given up is taken back once it answers", "key", d.Key, "error", err)
	}
	return r.owe(d)
}

// owe notes a debt, durably.
func (r *Remote) owe(d debt) error {
	r.debts.mu.Lock()
	defer r.debts.mu.Unlock()
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if d.note, err = r.ledger.Owe(text); err != nil {
		return err
	}
	r.debts.list = append(r.debts.list, d)
	return nil
}

// readDebts reads what is owed by processes before, and by servers that have ended.
func (r *Remote) readDebts(ctx context.Context) (list []debt, err error) {
	notes, err := r.ledger.Owed(ctx)
	for _, n := range notes {
		d := debt{note: n}
		err = errors.Join(err, json.Unmarshal(n.Text, &d))
		list = append(list, d)
	}
	return list, err
}

// SettleAbandoned pays what servers that have ended owed.
func (r *Remote) SettleAbandoned(ctx context.Context) error {
	list, err := r.readDebts(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := r.settleOne(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// Settle pays what is owed, in its order.
func (r *Remote) Settle(ctx context.Context) error {
	r.debts.paying.Lock()
	defer r.debts.paying.Unlock()
	for {
		r.debts.mu.Lock()
		list := r.debts.list
		r.debts.mu.Unlock()
		if len(list) == 0 {
			return nil
		}
		if err := r.settleOne(ctx, list[0]); err != nil {
			return err
		}
		r.debts.mu.Lock()
		r.debts.list = r.debts.list[1:]
		r.debts.mu.Unlock()
	}
}

// settleOne pays a debt.
func (r *Remote) settleOne(ctx context.Context, d debt) error {
	// Another server that has the objects may have recorded what is to be taken back here.
	if err := r.mine(ctx); err != nil {
		return err
	}
	if err := r.make(ctx, d); err != nil {
		return err
	}
	r.log.Info("what was given up is taken back", "key", d.Key)
	return r.ledger.Paid(ctx, d.note)
}

// settleEvery is how often what is owed is tried, and sweepEvery how often orphans are looked for.
const (
	settleEvery = time.Second
	sweepEvery  = time.Hour
)

// keepSettled pays what is owed, renews intents and removes orphans, until ctx ends.
func (r *Remote) keepSettled(ctx context.Context) {
	settle, sweep := time.NewTicker(settleEvery), time.NewTicker(sweepEvery)
	defer settle.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-settle.C:
			if err := r.Settle(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("nothing is written until the object store answers", "error", err)
			}
		case <-sweep.C:
			if err := r.Renew(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("uploads that are under way could not be noted anew", "error", err)
			}
			if !r.isShared { // else one of the servers does
				r.sweepOnce(ctx)
			}
		}
	}
}

// settleAbandonedEvery is how often what ended servers owed is looked for.
const settleAbandonedEvery = 20 * time.Second

// KeepClean pays what ended servers of the store owed, and removes what failed commits of any server left, until ctx
// ends. One server does, of those that share a ledger.
func (r *Remote) KeepClean(ctx context.Context) {
	settle, sweep := time.NewTicker(settleAbandonedEvery), time.NewTicker(sweepEvery)
	defer settle.Stop()
	defer sweep.Stop()
	r.sweepOnce(ctx)
	for {
		if err := r.SettleAbandoned(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("what servers that have ended gave up could not be taken back", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-settle.C:
		case <-sweep.C:
			r.sweepOnce(ctx)
		}
	}
}

// sweepOnce is Sweep as of now, and logs what comes of it.
func (r *Remote) sweepOnce(ctx context.Context) {
	removed, err := r.Sweep(ctx, time.Now())
	if err != nil && ctx.Err() == nil {
		r.log.Warn("looking for what failed commits left in the object store", "error", err)
	}
	if len(removed) > 0 {
		r.log.Info("what failed commits left in the object store was removed", "commits", len(removed))
	}
}

// make makes a change of the bucket.
func (r *Remote) make(ctx context.Context, d debt) error {
	switch {
	case d.Kind == owedRemove:
		return r.removeAll(ctx, d.Key)
	case d.Kind == owedWithdraw:
		return r.entomb(ctx, d)
	}
	text, tag, err := r.bucket.GetTagged(ctx, d.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && d.Sum != "" && sumOf(text) != d.Sum:
		return nil // it was not put, is taken back already, or is what another server has put since
	case err != nil:
		return err
	case d.IsGone:
		return r.bucket.Remove(ctx, d.Key)
	}
	err = r.bucket.PutOver(ctx, d.Key, tag, d.Data)
	if errors.Is(err, bucket.ErrExists) {
		return nil // another server has put something since
	}
	return err
}

// tombstone is in the place of a description that was withdrawn.
var tombstone = []byte("withdrawn\n")

// entomb keeps the description of a batch in quarantine, and puts a tombstone in its place: whoever still tries to
// publish it finds the place taken. What else it has is removed when it is a day old.
func (r *Remote) entomb(ctx context.Context, d debt) error {
	key := named(d.Key + "/" + d.Keep)
	text, err := r.bucket.Get(ctx, key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !isTombstone(text) {
		if sumOf(text) != d.Sum {
			return nil // it is another server's
		}
		if err := r.bucket.Put(ctx, quarantineDir+"/"+d.Name+"/"+d.Keep, text); err != nil {
			return err
		}
		r.noteAside(d.Name)
	}
	switch {
	case len(text) > 0:
		return r.bucket.Put(ctx, key, tombstone)
	case d.Sum == "":
		return nil // no one tried to publish it
	}
	err = r.bucket.PutNew(ctx, key, tombstone)
	if errors.Is(err, bucket.ErrExists) { // it came in this moment
		err = fmt.Errorf("%w: %w", bucket.ErrAway, err)
	}
	return err
}

// TakeBack implements Changes.
func (r *Remote) TakeBack(key string) error {
	return r.pay(debt{Kind: owedRemove, Key: key})
}

// Withdraw implements Changes.
func (r *Remote) Withdraw(key, name, keep string) (left, err error) {
	r.cache.drop(key)
	if err := r.intend(context.Background(), Intent{Key: key, Description: keep}); err != nil {
		return nil, err
	}
	return nil, r.pay(debt{Kind: owedWithdraw, Key: key, Name: name, Keep: keep, Sum: r.debts.sumOf(key)})
}
