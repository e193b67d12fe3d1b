package storage

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
)

// Of what several datasets record in one transaction, what is refused is refused alone, and all else is recorded once.
// A refusal shows when what was to be sent later is sent: where another one's part of the transaction reads, or at its
// end.
func TestOneOfThoseThatRecordTogetherIsRefused(t *testing.T) {
	var commits atomic.Int64
	c, err := catalog.OpenPostgres(t.Context(), postgrestest.Start(t).URL("postgres", ""), catalog.PostgresOptions{
		Server: "one", Hook: func(op string) error {
			if op == "commit" {
				commits.Add(1)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &recorder{journal: &journal{catalog: c}}
	owe := func(n int64) func(catalog.Tx) error { // recorded twice, it is refused
		return func(tx catalog.Tx) error { return tx.Owe(catalog.Debt{Server: 1, Number: n}) }
	}
	refused := func(tx catalog.Tx) error { return tx.MoveHead("there is none", 1, 2, "x") }
	var want []string
	for round, parts := range [][]func(catalog.Tx) error{
		{refused, owe(1), owe(2)}, {owe(3), refused, owe(4)}, {owe(5), owe(6), refused},
	} {
		before, got := commits.Load(), r.together(t, parts)
		for i, err := range got {
			isRefused := i == round
			if isRefused != errors.Is(err, catalog.ErrMoved) || !isRefused && err != nil {
				t.Errorf("round %d, part %d: %v", round, i, err)
			}
		}
		// The one that they waited for, and each of the others.
		if n := commits.Load() - before; n != 3 {
			t.Errorf("round %d: %d transactions were committed", round, n)
		}
		want = append(want, fmt.Sprint(2*round+1), fmt.Sprint(2*round+2))
	}
	if got := r.together(t, []func(catalog.Tx) error{owe(7), owe(8)}); errors.Join(got...) != nil {
		t.Error(got)
	}
	want = append(want, "7", "8")
	var has []string
	err = c.Read(t.Context(), func(tx catalog.Tx) error {
		owed, err := tx.Owed()
		for _, d := range owed {
			has = append(has, fmt.Sprint(d.Number))
		}
		return err
	})
	if err != nil || fmt.Sprint(has) != fmt.Sprint(want) {
		t.Errorf("%v are recorded, and not %v; %v", has, want, err)
	}
}

// together has several record while a transaction is under way, so that they wait for it in their order, and returns
// what came of each.
func (r *recorder) together(t *testing.T, parts []func(catalog.Tx) error) []error {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	type one struct {
		at  int
		err error
	}
	ended := make(chan one)
	start := func(at int, record func(catalog.Tx) error) {
		go func() { ended <- one{at, r.record(t.Context(), record)} }()
	}
	start(-1, func(catalog.Tx) error { close(begun); <-end; return nil })
	<-begun
	for i, part := range parts {
		start(i, part)
		for r.queued() <= i {
			time.Sleep(time.Millisecond)
		}
	}
	close(end)
	out := make([]error, len(parts))
	for range len(parts) + 1 {
		if got := <-ended; got.at >= 0 {
			out[got.at] = got.err
		} else if got.err != nil {
			t.Error(got.err)
		}
	}
	return out
}

func (r *recorder) queued() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}
