package storage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// pause is a hook that holds a commit up before its description is written.
type pause struct {
	armed   bool
	there   chan struct{} // closed once the commit waits
	release chan struct{}
}

func newPause() *pause { return &pause{there: make(chan struct{}), release: make(chan struct{})} }

func (p *pause) hook(op, path string) error {
	if p.armed && strings.HasSuffix(path, "commit.json") {
		p.armed = false
		close(p.there)
		<-p.release
	}
	return nil
}

// Whoever waits for the row ids of a family waits no longer than the deadline.
func TestWaitingForRowNumbersEnds(t *testing.T) {
	p := newPause()
	b := reopen(t, t.TempDir(), storage.Options{Hook: p.hook})
	d := b.Create("x")
	b.JSON(d, "append", `[{"v":1}]`)
	f := b.MakeFork(d, "fork", "head")
	first, second := b.Upload(intake.JSON, `[{"v":2}]`), b.Upload(intake.JSON, `[{"v":3}]`)
	p.armed = true
	done := make(chan error, 2)
	go func() {
		_, err := b.Commit(context.Background(), d, storage.Change{Mode: "append", Upload: first})
		done <- err
	}()
	<-p.there
	waits := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := b.Commit(ctx, f, storage.Change{Mode: "append", Upload: second})
		waits <- err
	}()
	select {
	case err := <-waits:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the wait ended in %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the commit waits past its deadline")
	}
	close(p.release)
	b.Must(<-done)
	b.JSON(f, "append", `[{"v":4}]`)
	b.Sound()
}

// A name that a commit gives is not taken by a dataset that is made meanwhile.
func TestANameIsReservedUntilItsCommitStands(t *testing.T) {
	p := newPause()
	b := reopen(t, t.TempDir(), storage.Options{Hook: p.hook})
	d, name := b.Create("x"), "renamed"
	p.armed = true
	done, made := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := b.EditDataset(context.Background(), d, storage.Edit{Name: &name}, storage.Request{})
		done <- err
	}()
	<-p.there
	go func() {
		_, err := b.CreateDataset(context.Background(), storage.NewDataset{ProjectID: 1, Name: name}, storage.Request{})
		made <- err
	}()
	select {
	case err := <-made:
		t.Errorf("the dataset was made, or refused, before: %v", err)
		made <- err
	case <-time.After(300 * time.Millisecond):
	}
	close(p.release)
	b.Must(<-done)
	wantRefusal(t, <-made, "name_taken")
	b.Sound()
}

// A request that goes away while it waits for a name waits no longer.
func TestWaitingForANameEnds(t *testing.T) {
	p := newPause()
	b := reopen(t, t.TempDir(), storage.Options{Hook: p.hook})
	d, other, name := b.Create("x"), b.Create("y"), "renamed"
	p.armed = true
	done, waits := make(chan error, 1), make(chan error, 1)
	rename := func(ctx context.Context, d string, told chan error) {
		_, err := b.EditDataset(ctx, d, storage.Edit{Name: &name}, storage.Request{})
		told <- err
	}
	go rename(context.Background(), d, done)
	<-p.there
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	go rename(ctx, other, waits)
	select {
	case err := <-waits:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the wait ended in %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the request waits past its deadline")
	}
	close(p.release)
	b.Must(<-done)
}
