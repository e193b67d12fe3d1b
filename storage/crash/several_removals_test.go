package crash

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
)

// asked asks the database for a number.
func asked(t *testing.T, server *postgrestest.Server, query string) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// cut ends all sessions of servers, and their locks with them.
const cut = `SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'rowback'`

func erasing(key string) storage.Erasure {
	return storage.Erasure{Keys: []json.RawMessage{json.RawMessage(key)}}
}

// A server whose locks were lost while it removes rows does not record that, since another one may have changed the
// same files; and a commit is not made on files from which another server removed rows after its lock was lost.
func TestARemovalIsRefusedOnceItsLocksWereLost(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"}]`)
	second := b.JSON(d, catalog.Upsert, `[{"id":1,"x":"A"},{"id":2,"x":"B"}]`)

	var during func()
	o.Hook = func(op, path string) error {
		if f := during; f != nil && op == "put" && strings.HasSuffix(path, ".json") {
			during = nil
			f()
		}
		return nil
	}
	a := reopen(t, t.TempDir(), o)
	during = func() {
		asked(t, server, cut)
		_, err := b.TryRollback(d, second.ID, storage.Stack) // which has places in the files
		b.Must(err)
	}
	if out, err := a.Removals.Erase(t.Context(), d, erasing("3"), storage.Request{}); err == nil {
		t.Errorf("erased: %+v", out)
	}
	want := []string{`{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`}
	a.Want(d, "head", want...)
	b.Want(d, "head", want...)
	a.EraseKeys(d, "3")

	during = func() {
		asked(t, server, cut)
		b.EraseKeys(d, "1")
	}
	if c, err := a.TryRollback(d, b.HeadID(d), storage.Stack); err == nil {
		t.Errorf("a commit on files that were replaced: %+v", c)
	}
	a.Want(d, "head", `{"id":2,"x":"b"}`)
	b.Want(d, "head", `{"id":2,"x":"b"}`)
	a.Sound()
	b.Sound()
}

// What a server has removed and not finished another one finishes.
func TestARemovalIsFinishedByAnotherServer(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"}]`)
	ended := false
	o.Hook = func(op, path string) error {
		if ended || op == "remove" && strings.HasSuffix(path, ".parquet") {
			ended = true
			return errors.New("the server has ended")
		}
		return nil
	}
	a := reopen(t, t.TempDir(), o)
	if out, err := a.Removals.Erase(t.Context(), d, erasing("2"), storage.Request{}); err == nil || !ended {
		t.Errorf("erased: %+v", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() { b.KeepTold(ctx); close(done) }()
	for unfinished := true; unfinished && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		unfinished = asked(t, server, `SELECT count(*) FROM removals WHERE NOT is_done`) > 0
	}
	if ctx.Err() != nil {
		t.Error("it was not finished")
	}
	cancel()
	<-done
	b.Want(d, "head", `{"id":1,"x":"a"}`)
	b.Sound()
}

// A removal that a server had published when it ended does not stand once others have changed the dataset, not after a
// start either.
func TestARemovalThatOthersOvertookDoesNotStand(t *testing.T) {
	server := postgrestest.Start(t)
	buckettest.Start(t)
	o := inBoth(server, "postgres", nil)
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":1,"x":"a"},{"id":2,"x":"b"},{"id":3,"x":"c"}]`)
	second := b.JSON(d, catalog.Upsert, `[{"id":1,"x":"A"},{"id":3,"x":"C"}]`)
	published, ended := false, false
	with := o
	with.Hook = func(op, path string) error {
		published = published || strings.HasSuffix(path, "removal.json") && op == "put"
		if ended = ended || published && op == "commit"; ended {
			return errors.New("the server has ended")
		}
		return nil
	}
	a := reopen(t, t.TempDir(), with)
	if out, err := a.Removals.Erase(t.Context(), d, erasing("2"), storage.Request{}); err == nil || !ended {
		t.Fatalf("erased: %+v", out)
	}
	_, err := b.TryRollback(d, second.ID, storage.Stack)
	b.Must(err)
	_ = a.Store.Close() // as far as it can
	b.Close()
	c := reopen(t, t.TempDir(), o)
	c.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":2,"x":"b"}`, `{"id":3,"x":"c"}`)
	c.Sound()
	c.EraseKeys(d, "2")
	c.Want(d, "head", `{"id":1,"x":"a"}`, `{"id":3,"x":"c"}`)
	c.Sound()
}
