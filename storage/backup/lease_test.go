package backup

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/bucket/buckettest"
)

const span = 1500 * time.Millisecond

// One at a time has a target in a bucket: whoever comes meanwhile is refused, and whoever comes after a release has it
// at once.
func TestOneLeaseAtATime(t *testing.T) {
	b, _ := buckettest.Start(t).Open(t, "p")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var got []*lease
	for range 4 {
		wg.Go(func() {
			l, err := acquire(t.Context(), b, span)
			if err != nil && !errors.Is(err, ErrInUse) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, l)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Fatalf("%d have it at the same time", len(got))
	}
	for range 3 {
		if err := errors.Join(got[0].confirm(t.Context()), got[0].release()); err != nil {
			t.Fatal(err)
		}
		next, err := acquire(t.Context(), b, time.Hour)
		if err != nil {
			t.Fatalf("after a release: %v", err)
		}
		got[0] = next
	}
	if err := got[0].release(); err != nil {
		t.Error(err)
	}
	names := 0
	for _, err := range b.List(t.Context(), lockDir+"/", false) {
		if names++; err != nil {
			t.Error(err)
		}
	}
	if names != 1 {
		t.Errorf("%d objects are left", names)
	}
}

// A holder that is gone is followed after the time of the lease. If it comes back, it finds out, and neither renews nor
// releases what another one has.
func TestALeaseIsTakenOver(t *testing.T) {
	s := buckettest.Start(t)
	theirs, wire := s.Open(t, "p")
	b, _ := s.Open(t, "p")
	gone, err := acquire(t.Context(), theirs, span)
	if err != nil {
		t.Fatal(err)
	}
	wire.Down(true)
	next, err := acquire(t.Context(), b, span)
	if err != nil {
		t.Fatalf("it is not taken over: %v", err)
	}
	wire.Down(false)
	if err := gone.confirm(t.Context()); !errors.Is(err, ErrInUse) {
		t.Errorf("the former holder has it still: %v", err)
	}
	if err := errors.Join(gone.release(), next.confirm(t.Context())); err != nil {
		t.Errorf("the new holder: %v", err)
	}
	if _, err := acquire(t.Context(), b, span); !errors.Is(err, ErrInUse) {
		t.Errorf("while the new one has it: %v", err)
	}
	if err := next.release(); err != nil {
		t.Error(err)
	}
}

// A holder that was late, but that no one has followed, goes on: whoever was about to follow it notices.
func TestALateHolderGoesOn(t *testing.T) {
	b, _ := buckettest.Start(t).Open(t, "p")
	l, err := acquire(t.Context(), b, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	before, err := b.Get(t.Context(), lockName(l.number))
	if err = errors.Join(err, l.confirm(t.Context())); err != nil {
		t.Fatal(err)
	}
	// It looked at the object before the renewal, and takes the next number after it.
	follower := &lease{bucket: b, span: span}
	if err := follower.take(t.Context(), l.number, before); !errors.Is(err, ErrInUse) {
		t.Errorf("the follower has it: %v", err)
	}
	if err := errors.Join(l.confirm(t.Context()), l.release()); err != nil {
		t.Error(err)
	}
}

// The name of a backup is that of its target, or of its manifest in it.
func TestSplit(t *testing.T) {
	const id = "20260131T100000.000000Z"
	for name, want := range map[string][]string{
		"/mnt/b":                              {"/mnt/b", ""},
		"/mnt/b/backups/" + id + ".json":      {"/mnt/b", id},
		"s3://b/p":                            {"s3://b/p", ""},
		"s3://b/p/backups/" + id + ".json":    {"s3://b/p", id},
		"s3://b/backups/" + id + ".json":      {"s3://b", id},
		"s3://b/p/" + id + ".json":            {"s3://b/p/" + id + ".json", ""},
		"s3://b/p/backups/" + id + ".json.gz": {"s3://b/p/backups/" + id + ".json.gz", ""},
	} {
		target, got := Split(name)
		if !slices.Equal([]string{target, got}, want) {
			t.Errorf("%s: %q, %q", name, target, got)
		}
	}
	if got := ManifestPath("s3://b/p/", id); got != "s3://b/p/backups/"+id+".json" {
		t.Error(got)
	}
}
