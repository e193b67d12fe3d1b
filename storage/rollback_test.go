package storage_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

func blockers(t *testing.T, b *bench, dataset string, commit int64, p storage.Policy) string {
	t.Helper()
	answer, err := b.CanRollback(context.Background(), dataset, commit, p)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, k := range answer.Blockers {
		list = append(list, strconv.FormatInt(k.ID, 10)+":"+strconv.FormatInt(k.Overlapping, 10))
	}
	if answer.Blocked != (len(list) > 0) {
		t.Errorf("blocked %v with %v", answer.Blocked, list)
	}
	return strings.Join(list, " ")
}

func wantRefusal(t *testing.T, err error, code string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want a refusal with %s", err, code)
	}
}

// Seed 003's example, when nobody moves: undoing 2017 only takes the new employees of 2017.
func TestEmployeesWhoStay(t *testing.T) {
	b := open(t)
	d := b.Create("employees", "id")
	a := b.JSON(d, "overwrite", `[{"id":1,"address":"A"},{"id":2,"address":"B"}]`)
	bb := b.JSON(d, "overwrite", `[{"id":1,"address":"A"},{"id":2,"address":"B"},{"id":3,"address":"C"}]`)
	c := b.JSON(d, "overwrite", `[{"id":1,"address":"A"},{"id":3,"address":"C"},{"id":4,"address":"D"}]`)
	dd := b.JSON(d, "overwrite", `[{"id":1,"address":"A"},{"id":4,"address":"D"},{"id":5,"address":"E"}]`)
	for _, k := range []catalog.Commit{bb, c, dd} {
		if counts := storagetest.Counts(k); !strings.HasPrefix(counts, "+1 -0 ~0") {
			t.Errorf("commit %d: %s", k.ID, counts)
		}
	}
	if got := blockers(t, b, d, c.ID, storage.Stack); got != strconv.FormatInt(dd.ID, 10)+":0" {
		t.Errorf("stack: %s blocks", got)
	}
	_, err := b.TryRollback(d, c.ID, storage.Stack)
	wantRefusal(t, err, "rollback_blocked")
	if got := blockers(t, b, d, c.ID, storage.Records); got != "" {
		t.Errorf("records: %s blocks", got)
	}
	r, err := b.TryRollback(d, c.ID, storage.Records)
	if err != nil {
		t.Fatal(err)
	}
	if storagetest.Counts(r) != "+0 -1 ~0 =4" || r.ParentCommitID != c.ID || r.Mode != catalog.Rollback {
		t.Errorf("%s, of %d, %s", storagetest.Counts(r), r.ParentCommitID, r.Mode)
	}
	b.Want(d, "head", `{"id":1,"address":"A"}`, `{"id":2,"address":"B"}`, `{"id":3,"address":"C"}`,
		`{"id":5,"address":"E"}`)
	if undone, err := b.CommitByID(context.Background(), d, c.ID); err != nil || undone.RollbackCommitID != r.ID {
		t.Errorf("the undone commit says %d, %v", undone.RollbackCommitID, err)
	}
	_, _ = a, bb
}

// Seed 003's example, when people move: 2017 can't be undone before 2018; then it goes back to 2016.
func TestEmployeesWhoMove(t *testing.T) {
	b := open(t)
	d := b.Create("employees", "id")
	b.JSON(d, "overwrite", `[{"id":1,"address":"A1"},{"id":2,"address":"B1"}]`)
	b.JSON(d, "overwrite", `[{"id":1,"address":"A2"},{"id":2,"address":"B1"},{"id":3,"address":"C1"}]`)
	c := b.JSON(d, "overwrite", `[{"id":1,"address":"A3"},{"id":2,"address":"B3"},{"id":4,"address":"D1"}]`)
	dd := b.JSON(d, "overwrite", `[{"id":1,"address":"A4"},{"id":2,"address":"B3"},{"id":5,"address":"E1"}]`)
	for _, p := range []storage.Policy{storage.Stack, storage.Records} {
		if got := blockers(t, b, d, c.ID, p); got != strconv.FormatInt(dd.ID, 10)+":1" {
			t.Errorf("%s: %s blocks", p, got)
		}
		before := b.Rows(d, "head", true)
		_, err := b.TryRollback(d, c.ID, p)
		wantRefusal(t, err, "rollback_blocked")
		if after := b.Rows(d, "head", true); strings.Join(before, "") != strings.Join(after, "") {
			t.Error("a refused rollback changed the records")
		}
	}
	if _, err := b.TryRollback(d, dd.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1,"address":"A2"}`, `{"id":2,"address":"B1"}`, `{"id":3,"address":"C1"}`)
}

// Undoing a commit that nothing followed leaves rows, tags, schema and counts as they were; undoing that redoes it.
func TestRollbackIsTheIdentity(t *testing.T) {
	start := `[{"id":1,"a":1,"quality_score":0.5,"category":"x"},{"id":2,"a":2,"quality_score":0.7,"category":"y"}]`
	for mode, body := range map[catalog.Mode]string{
		"append":    `[{"id":3,"new":"column"}]`,
		"overwrite": `[{"id":1,"a":1.5},{"id":9,"a":9}]`,
		"upsert":    `[{"id":1,"a":2147483648000,"s":{"t":1}},{"id":2,"category":null}]`,
		"delete":    `[{"id":1},{"id":77}]`,
	} {
		t.Run(string(mode), func(t *testing.T) {
			b := open(t)
			d := b.Create("x", "id")
			b.JSON(d, "append", start)
			before := stateOf(b, d)
			c := b.JSON(d, mode, body)
			after := stateOf(b, d)
			r, err := b.TryRollback(d, c.ID, storage.Stack)
			if err != nil {
				t.Fatal(err)
			}
			if got := stateOf(b, d); got != before {
				t.Errorf("undone\n got %s\nwant %s", got, before)
			}
			if _, err := b.TryRollback(d, r.ID, storage.Stack); err != nil {
				t.Fatal(err)
			}
			if got := stateOf(b, d); got != after {
				t.Errorf("redone\n got %s\nwant %s", got, after)
			}
			b.Sound()
		})
	}
}

// stateOf is all that a state is: rows with tags, columns, quality, categories.
func stateOf(b *bench, d string) string {
	b.Helper()
	ctx := context.Background()
	snap, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		b.Fatal(err)
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	q, _, err := snap.Quality(ctx, conn)
	if err != nil {
		b.Fatal(err)
	}
	k, _, err := snap.Categories(ctx, conn)
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(b.Rows(d, "head", true), "\n") +
		storagetest.ToJSON(snap.Schema.Columns) + storagetest.ToJSON(q) + storagetest.ToJSON(k) +
		storagetest.ToJSON(snap.Properties)
}

// No order of deletes, appends and rollbacks leaves a key twice (design, section 4).
func TestNoKeyComesBackTwice(t *testing.T) {
	for _, p := range []storage.Policy{storage.Stack, storage.Records} {
		b := open(t)
		d := b.Create("x", "id")
		b.JSON(d, "append", `[{"id":1,"v":"first"}]`)
		gone := b.JSON(d, "delete", `[{"id":1}]`)
		again := b.JSON(d, "append", `[{"id":1,"v":"second"}]`)
		if got := blockers(t, b, d, gone.ID, p); got != strconv.FormatInt(again.ID, 10)+":1" {
			t.Errorf("%s: %q blocks", p, got)
		}
		_, err := b.TryRollback(d, gone.ID, p)
		wantRefusal(t, err, "rollback_blocked")
		b.Want(d, "head", `{"id":1,"v":"second"}`)
	}
}

func TestARolledBackCommitCantBeRolledBackAgain(t *testing.T) {
	b := open(t)
	d := b.Create("x")
	c := b.JSON(d, "append", `[{"v":1}]`)
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	_, err := b.TryRollback(d, c.ID, storage.Stack)
	wantRefusal(t, err, "already_rolled_back")
	_, err = b.TryRollback(d, 999, storage.Stack)
	wantRefusal(t, err, "commit_not_found")
	_, err = b.TryRollback(d, c.ID, "queue")
	wantRefusal(t, err, "unknown_policy")
}

func TestEditsRollBackByField(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	text := func(s string) *string { return &s }
	edit := func(e storage.Edit) catalog.Commit {
		t.Helper()
		c, err := b.EditDataset(ctx, d, e, storage.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	named := edit(storage.Edit{Name: text("y"), Metadata: map[string]any{"k": 1.0}})
	described := edit(storage.Edit{Description: text("about")})
	more := edit(storage.Edit{Metadata: map[string]any{"k": nil, "l": "2"}})
	b.JSON(d, "append", `[{"id":1}]`)
	if got := blockers(t, b, d, named.ID, storage.Stack); got != strconv.FormatInt(more.ID, 10)+":0" {
		t.Errorf("%q blocks the undoing of the first metadata", got)
	}
	if got := blockers(t, b, d, described.ID, storage.Stack); got != "" {
		t.Errorf("%q blocks the undoing of the description", got)
	}
	for _, c := range []catalog.Commit{described, more, named} {
		if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.State(ctx, d, "head")
	if err != nil || s.Properties.Name != "x" || s.Properties.Description != "" || len(s.Properties.Metadata) != 0 ||
		s.Total() != 1 {
		t.Errorf("%+v, %v", s.Properties, err)
	}
	if _, err := b.FindDataset(ctx, 1, "x"); err != nil {
		t.Error(err)
	}
	b.Sound()
}

// A restore is another thing than a rollback: it goes back to a whole state, as one commit, which a rollback undoes.
func TestRestore(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":"a"},{"id":2,"v":"b"}]`)
	if _, err := b.Increment(ctx, d, storagetest.Forced("major", "first"), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	old := stateOf(b, d)
	b.JSON(d, "upsert", `[{"id":1,"v":"A"},{"id":3,"w":1}]`)
	b.JSON(d, "delete", `[{"id":2}]`)
	b.JSON(d, "append", `[{"id":2,"v":"again"}]`)
	now := stateOf(b, d)
	c, err := b.Restore(ctx, d, "1.0.0", storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if storagetest.Counts(c) != "+0 -1 ~2 =2" || c.Mode != catalog.Restore {
		t.Errorf("%s %s", c.Mode, storagetest.Counts(c))
	}
	if got := stateOf(b, d); got != old {
		t.Errorf("restored\n got %s\nwant %s", got, old)
	}
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(b, d); got != now {
		t.Errorf("undone\n got %s\nwant %s", got, now)
	}
	b.Sound()
}

// delta-rs #4613: a restore that silently does nothing where deleted rows are involved.
func TestRestoreBringsDeletedRowsBack(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	c := b.JSON(d, "append", `[{"id":1},{"id":2},{"id":3}]`)
	b.JSON(d, "delete", `[{"id":1}]`)
	b.JSON(d, "delete", `[{"id":2}]`)
	if _, err := b.Restore(context.Background(), d, strconv.FormatInt(c.ID, 10), storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1}`, `{"id":2}`, `{"id":3}`)
}

func TestADamagedTargetIsRefused(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	if _, err := b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.JSON(d, "append", `[{"id":2}]`)
	snap, err := b.Snapshot(ctx, d, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	path := snap.Paths()[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte{}, whole...)
	bad[len(bad)/2] ^= 1
	for what, damage := range map[string]func() error{
		"a bit flipped": func() error { return os.WriteFile(path, bad, 0o644) },
		"cut":           func() error { return os.WriteFile(path, whole[:len(whole)-1], 0o644) },
		"gone":          func() error { return os.Remove(path) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		_, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{})
		var e *fault.Error
		if !errors.As(err, &e) || e.Detail != "Cannot rollback: target version is corrupted" || e.Kind != fault.Corrupt {
			t.Errorf("%s: %v", what, err)
		}
		if problems, err := b.Check(ctx, true); err != nil || len(problems) == 0 {
			t.Errorf("%s: the check finds %v, %v", what, problems, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"id":1}`, `{"id":2}`)
	if _, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.Sound()
}
