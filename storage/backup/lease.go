package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/bucket"
)

// lease is the lock of a target in a bucket. Buckets have no locks; they only refuse to write an object that exists.
// The objects below lock/ are numbered. The one with the highest number says who has the target, or that it is free.
// To take the lease, a process creates the object with the next number, which only one can do, and checks that there is
// no higher one. The holder rewrites its object at intervals. Where it does not change for the time of the lease, its
// holder is gone, and the next number may be written; if the object has changed even so, the new number is removed
// again. No clocks are compared. The highest object stays when its holder lets go, so that a late holder's number is
// never given to another. TestALeaseIsTakenOver and TestALateHolderGoesOn prove it.
type lease struct {
	bucket *bucket.Bucket
	span   time.Duration
	number int64
	text   leaseText
	stop   context.CancelFunc
	done   chan struct{}

	writing sync.Mutex // one renewal at a time
	mu      sync.Mutex
	renewed time.Time // when the last renewal that succeeded began
	lost    bool
}

// leaseText is what an object below lock/ says.
type leaseText struct {
	Holder string `json:"holder"`
	Beat   int64  `json:"beat"` // grows while it is held
	IsFree bool   `json:"is_free"`
}

const (
	lockDir      = "lock"
	defaultLease = 30 * time.Second
)

// acquire takes the lock, or waits until it is certain that its holder is there, which is ErrInUse.
func acquire(ctx context.Context, b *bucket.Bucket, span time.Duration) (*lease, error) {
	l := &lease{bucket: b, span: span, text: leaseText{Holder: rand.Text()}}
	var seen []byte
	var since time.Time
	for {
		number, text, err := l.top(ctx)
		if err != nil {
			return nil, err
		}
		var other leaseText
		isFree := number == 0 || json.Unmarshal(text, &other) == nil && other.IsFree
		switch {
		case isFree, seen != nil && bytes.Equal(text, seen) && time.Since(since) >= span:
			return l, l.take(ctx, number, text)
		case seen == nil:
			seen, since = text, time.Now()
		case !bytes.Equal(text, seen):
			return nil, ErrInUse
		}
		if err := pause(ctx, span/10); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// top returns the highest number, and what its object says; 0: there is none.
func (l *lease) top(ctx context.Context) (number int64, text []byte, err error) {
	for {
		if number, _, err = l.numbers(ctx); err != nil || number == 0 {
			return 0, nil, err
		}
		text, err = l.bucket.Get(ctx, lockName(number))
		if !isMissing(err) {
			return number, text, err
		}
		// A higher one was written in this moment.
		if err := pause(ctx, l.span/100); err != nil {
			return 0, nil, err
		}
	}
}

// numbers lists the numbers: the highest, and the names of those below it.
func (l *lease) numbers(ctx context.Context) (highest int64, below []string, err error) {
	for o, err := range l.bucket.List(ctx, lockDir+"/", false) {
		if err != nil {
			return 0, nil, err
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(path.Base(o.Key), manifestEnd), 10, 64)
		if err != nil || o.Key != lockName(n) {
			continue
		}
		if highest > 0 {
			below = append(below, lockName(highest))
		}
		highest = n // names have the order of their numbers
	}
	return highest, below, nil
}

func lockName(n int64) string { return fmt.Sprintf("%s/%012d%s", lockDir, n, manifestEnd) }

// take takes the number after another, which has that text, and keeps it.
func (l *lease) take(ctx context.Context, after int64, before []byte) error {
	l.number, l.renewed = after+1, time.Now()
	text, err := json.Marshal(l.text)
	if err != nil {
		return err
	}
	err = l.bucket.PutNew(ctx, lockName(l.number), text)
	if errors.Is(err, bucket.ErrExists) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	if err := l.clean(ctx, after, before); err != nil {
		return errors.Join(err, l.bucket.Remove(context.WithoutCancel(ctx), lockName(l.number)))
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop, l.done = stop, make(chan struct{})
	go l.beat(beating)
	return nil
}

// clean makes sure that the former holder is gone and that no one came after it, and removes the former numbers.
func (l *lease) clean(ctx context.Context, after int64, before []byte) error {
	if after > 0 {
		now, err := l.bucket.Get(ctx, lockName(after))
		if err == nil && !bytes.Equal(now, before) || isMissing(err) {
			err = ErrInUse
		}
		if err != nil {
			return err
		}
	}
	highest, below, err := l.numbers(ctx)
	if err == nil && highest != l.number {
		err = ErrInUse
	}
	if err != nil {
		return err
	}
	return l.bucket.Remove(ctx, below...)
}

// beat renews the lease until it is released or lost.
func (l *lease) beat(ctx context.Context) {
	defer close(l.done)
	for pause(ctx, l.span/6) == nil {
		if errors.Is(l.confirm(ctx), errLost) {
			return
		}
	}
}

// confirm renews the lease, and makes sure that no one has taken the target over.
func (l *lease) confirm(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if _, lost := l.state(); lost {
		return errLost
	}
	begun := time.Now()
	l.text.Beat++
	if err := l.write(ctx); err != nil {
		return away(err)
	}
	highest, _, err := l.numbers(ctx)
	if err != nil {
		return away(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if highest != l.number {
		l.lost = true
		return errLost
	}
	l.renewed = begun
	return nil
}

// state returns when the last renewal began, and whether another one has the target.
func (l *lease) state() (renewed time.Time, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed, l.lost
}

func (l *lease) write(ctx context.Context) error {
	text, err := json.Marshal(l.text)
	if err != nil {
		return err
	}
	return l.bucket.Put(ctx, lockName(l.number), text)
}

// errLost is for a holder that could not renew its lease in time.
var errLost = fmt.Errorf("%w, which began while this one could not reach the bucket", ErrInUse)

// check implements lock.
func (l *lease) check(ctx context.Context) error {
	if renewed, lost := l.state(); lost || time.Since(renewed) > l.span/2 {
		return l.confirm(ctx)
	}
	return nil
}

// releaseWithin limits how long a release takes. A lease that is not released ends by itself.
const releaseWithin = 5 * time.Second

// release implements lock. The object stays, so that its number is not used again.
func (l *lease) release() error {
	l.stop()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	if l.confirm(ctx) != nil {
		return nil // it is not this one's any more, or ends by itself
	}
	l.text.IsFree = true
	_ = l.write(ctx)
	return nil
}
