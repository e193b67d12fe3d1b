package blob_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// board is a ledger that servers share. Those of ended have ended.
type board struct {
	mu      sync.Mutex
	intents map[string]blob.Intent
	owed    []blob.Note
	ended   map[int64]bool

	promised []blob.Promise
}

// of is the board as one server sees it.
type of struct {
	*board
	server int64
}

func (b of) Intend(_ context.Context, batches ...blob.Intent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range batches {
		b.intents[i.Key] = i
	}
	return nil
}

func (b of) Renew(_ context.Context, keys []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		if i, noted := b.intents[key]; noted {
			i.At = time.Now()
			b.intents[key] = i
		}
	}
	return nil
}

func (b of) Published(string) {}

func (b of) Late(_ context.Context, now time.Time, age time.Duration) (late []blob.Intent, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.intents {
		if now.Sub(i.At) >= age {
			late = append(late, i)
		}
	}
	return late, nil
}

func (b of) Swept(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.intents, key)
	return nil
}

func (b of) Promise(_ context.Context, p blob.Promise) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.promised = append(b.promised, p)
	return nil
}

func (b *board) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.promised)
}

func (b of) Owe(text []byte) (blob.Note, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := blob.Note{Server: b.server, Number: int64(len(b.owed)), Text: text}
	b.owed = append(b.owed, n)
	return n, nil
}

func (b of) Owed(context.Context) (list []blob.Note, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.owed {
		if b.ended[n.Server] {
			list = append(list, n)
		}
	}
	return list, nil
}

func (b of) Paid(_ context.Context, n blob.Note) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owed = slices.DeleteFunc(b.owed, func(o blob.Note) bool { return o.Server == n.Server && o.Number == n.Number })
	return nil
}

// A server ends with its directory before it could take back what it gave up: another one does, unless there is
// something newer in the place. What it left of a commit is found by its intent.
func TestAnotherServerTakesBackWhatOneOwed(t *testing.T) {
	s := buckettest.Start(t)
	b := &board{intents: map[string]blob.Intent{}, ended: map[int64]bool{}}
	one := openRemote(t, s, "p", blob.RemoteOptions{Ledger: of{b, 1}})
	other := openRemote(t, s, "p", blob.RemoteOptions{Ledger: of{b, 2}})
	put := func(r remote, key, text string) blob.Placed {
		t.Helper()
		p, err := r.Put(key, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var given []blob.Placed
	put(one, "d/labels/changed.json", "was")
	for _, name := range []string{"new", "changed", "since"} {
		given = append(given, put(one, "d/labels/"+name+".json", "given up"))
	}
	one.wire.Break("d/7/commit.json", buckettest.Refused, 9)
	if err := commitTo(one, "d/7", "seven"); !errors.Is(err, bucket.ErrAway) {
		t.Fatal(err)
	}
	one.wire.Down(true)
	for _, p := range given {
		if err := p.Undo(); err != nil {
			t.Fatal(err)
		}
	}
	put(other, "d/labels/since.json", "another server's")
	if err := commitTo(other, "d/8", "eight"); err != nil {
		t.Errorf("another server waits for what one owes: %v", err)
	}
	if err := other.SettleAbandoned(t.Context()); err != nil || len(b.owed) != 3 {
		t.Errorf("what a server owes that goes on was paid: %v, %v", b.owed, err)
	}
	_ = one.Close()
	b.ended[1] = true
	if err := other.SettleAbandoned(t.Context()); err != nil || len(b.owed) != 0 {
		t.Fatalf("still owed: %v, %v", b.owed, err)
	}
	for name, want := range map[string]string{"changed": "was", "since": "another server's"} {
		if got := read(t, other, "d/labels/"+name+".json"); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if there, err := other.Has("d/labels/new.json"); there || err != nil {
		t.Errorf("new is there: %v, %v", there, err)
	}
	removed, err := other.Sweep(t.Context(), time.Now().Add(25*time.Hour))
	if err != nil || fmt.Sprint(removed) != "[d/7]" || len(b.intents) != 0 {
		t.Errorf("removed %v, left %v, %v", removed, b.intents, err)
	}
	if got := read(t, other, "d/8/data-0000.parquet"); got != "eight" {
		t.Errorf("what stands is %q", got)
	}
}

// Where others write as well, what is in a directory may have changed at any moment.
func TestWhatOthersChangeIsNotKnown(t *testing.T) {
	b := &board{}
	r := openRemote(t, buckettest.Start(t), "p", blob.RemoteOptions{Ledger: of{b, 1}})
	first, err := r.ChangedAt("d/labels")
	time.Sleep(time.Millisecond)
	second, err2 := r.ChangedAt("d/labels")
	if err := errors.Join(err, err2); err != nil || !second.After(first) {
		t.Errorf("%v, then %v, %v", first, second, err)
	}
}
