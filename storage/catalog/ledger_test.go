package catalog

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// What one server notes another one finds: batches that came to nothing, and debts.
func aLedgerOfServers(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
	f.must(func(tx Tx) error { return tx.AddCommit(f.commit(3, Append)) })
	for _, i := range []Intent{
		{Key: "d/3", Description: "commit.json"}, {Key: "d/3", Description: "commit.json"},
		{Key: "d/4", Description: "commit.json"}, {Key: "d/backups/b", Description: "backup.json"},
	} {
		if err := f.Intend(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	late := func(age time.Duration) []Intent {
		t.Helper()
		list, err := f.LateIntents(t.Context(), age)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := late(time.Hour); len(list) != 0 {
		t.Errorf("late after no time: %v", list)
	}
	list := late(0)
	slices.SortFunc(list, func(a, b Intent) int { return len(a.Key) - len(b.Key) })
	if fmt.Sprint(list) != "[{d/4 commit.json true} {d/backups/b backup.json false}]" {
		t.Errorf("late: %v", list)
	}
	f.must(func(tx Tx) error {
		if ids, err := tx.Withdrawn(); err != nil || !slices.Equal(ids, []int64{4}) {
			t.Errorf("withdrawn: %v, %v", ids, err)
		}
		return tx.ForgetIntent("d/4")
	})
	if list := late(0); len(list) != 1 {
		t.Errorf("late: %v", list)
	}
	// What is still being put is noted anew, and what was not noted is not.
	execute(t, url, fmt.Sprintf(`UPDATE intents SET noted_at = noted_at - %d`, 2*time.Hour.Microseconds()))
	if err := f.RenewIntents(t.Context(), []string{"d/backups/b", "d/9"}); err != nil {
		t.Fatal(err)
	}
	if list := late(time.Hour); len(list) != 0 {
		t.Errorf("late after it was renewed: %v", list)
	}
	if list := late(0); len(list) != 1 {
		t.Errorf("late: %v", list)
	}
	owe := []Debt{{2, 1, `{"a": 1}`}, {1, 2, "b"}, {1, 1, "c"}}
	f.must(func(tx Tx) error { return errors.Join(tx.Owe(owe[0]), tx.Owe(owe[1]), tx.Owe(owe[2])) })
	f.must(func(tx Tx) error {
		got, err := tx.Owed()
		if fmt.Sprint(got) != `[{1 1 c} {1 2 b} {2 1 {"a": 1}}]` {
			t.Errorf("owed: %v", got)
		}
		return errors.Join(err, tx.Pay(owe[2]), tx.Pay(owe[0]))
	})
	f.must(func(tx Tx) error {
		got, err := tx.Owed()
		if fmt.Sprint(got) != "[{1 2 b}]" {
			t.Errorf("owed: %v", got)
		}
		return err
	})
}
