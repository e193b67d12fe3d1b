package catalog

import (
	"errors"
	"fmt"
	"testing"
)

// What a transaction runs later is seen by what it reads, and refuses all of it when it is sent: by the first error,
// and at the end at the latest.
func statementsSentLater(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
	twice := func(tx Tx) error {
		const add = `INSERT INTO documents (id, body) VALUES ('twice', '{}')`
		return errors.Join(tx.later(add), tx.later(add), tx.Advance("mine", 7))
	}
	moved := func(tx Tx) error {
		return errors.Join(tx.MoveHead("d", 5, 6, "people"), twice(tx))
	}
	for what, refused := range map[string]struct {
		by func(Tx) error
		is func(error) bool
	}{
		"a number twice":            {twice, IsDuplicate},
		"a head that has moved":     {moved, func(err error) bool { return errors.Is(err, ErrMoved) }},
		"a head, read after it":     {readAfter(moved), func(err error) bool { return errors.Is(err, ErrMoved) }},
		"a number twice, and after": {readAfter(twice), IsDuplicate},
	} {
		if err := f.Write(t.Context(), refused.by); !refused.is(err) || errors.Is(err, ErrUncertain) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f.must(func(tx Tx) error {
		if last, err := tx.Last("mine"); err != nil || last != 0 {
			return fmt.Errorf("something of it was recorded: %d, %w", last, err)
		}
		if err := tx.Advance("mine", 3); err != nil {
			return err
		}
		if last, err := tx.Last("mine"); err != nil || last != 3 {
			return fmt.Errorf("what was written before is read as %d, %w", last, err)
		}
		if err := tx.Try(func() error { return twice(tx) }); !IsDuplicate(err) {
			return fmt.Errorf("tried: %w", err)
		}
		if last, err := tx.Last("mine"); err != nil || last != 3 {
			return fmt.Errorf("after what was tried, it is %d, %w", last, err)
		}
		return tx.MoveHead("d", 0, 1, "people")
	})
}

// readAfter reads something after what a transaction does, and passes on what is refused then.
func readAfter(do func(Tx) error) func(Tx) error {
	return func(tx Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		_, err := tx.Last("mine")
		return err
	}
}

// A transaction that reads sees one state: where its connection is cut, it does not go on with another one.
func aCutReader(t *testing.T) {
	f := open(t)
	cut := func(tx Tx) error {
		pid, err := get(tx, scanInt, `SELECT pg_backend_pid()`)
		if err == nil {
			execute(t, f.in.(*postgres).config.ConnString(), fmt.Sprintf(`SELECT pg_terminate_backend(%d, 5000)`, pid))
		}
		return err
	}
	for what, first := range map[string]func(Tx) error{
		"after a row": cut,
		"after none": func(tx Tx) error {
			if _, err := tx.Dataset("none"); !errors.Is(err, ErrNotFound) {
				t.Errorf("none: %v", err)
			}
			return cut(tx)
		},
	} {
		err := f.Read(t.Context(), func(tx Tx) error {
			if err := first(tx); err != nil {
				return err
			}
			_, err := tx.Last("mine")
			return err
		})
		if !IsUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is answered is on the disk, whatever the database's default is, on each of the connections.
func allConnectionsSync(t *testing.T) {
	f := openURL(t, newDatabase(t)+"&synchronous_commit=off")
	for what, run := range map[string]func(func(Tx) error) error{
		"reads":  func(do func(Tx) error) error { return f.Read(t.Context(), do) },
		"writes": func(do func(Tx) error) error { return f.Write(t.Context(), do) },
	} {
		err := run(func(tx Tx) error {
			is, err := get(tx, scanText, `SELECT current_setting('synchronous_commit')`)
			if err == nil && is != "on" {
				t.Errorf("the one that %s does not wait for the disk: %s", what, is)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
