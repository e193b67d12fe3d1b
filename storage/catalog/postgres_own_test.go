package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresOnly are the tests of what only PostgreSQL has. They run with TestOnPostgreSQL, on its server.
var postgresOnly = map[string]func(*testing.T){
	"tables":   sameTables,
	"copy":     copiedToSQLite,
	"together": serversTogether,
	"alone":    oneHasItAlone,
	"refused":  refusedConnectionsEnd,
	"opening":  oneOpensAtATime,
	"at once":  serversStartAtOnce,
	"locks":    aLockOfServers,
	"lost":     aLockIsLost,
	"stopped":  aServerStandsStill,
	"drawn":    numbersOfServers,
	"kept":     numbersThatMayBeLost,
	"cut":      aCutConnection,
	"restart":  theDatabaseRestarts,
	"crash":    theDatabaseCrashes,
	"text":     anyText,
	"schemas":  aCatalogInASchema,
	"newer":    aNewerProgram,
	"answer":   aLostAnswer,
	"ledger":   aLedgerOfServers,
	"versions": versionsBesideEachOther,
	"later":    statementsSentLater,
	"reader":   aCutReader,
	"syncs":    allConnectionsSync,
	"look":     oneStatementIsReadAlone,
}

// columnsOf describes the tables of a catalog: their columns with what may be in them, and their keys.
func columnsOf(t *testing.T, c *Catalog, query string) []string {
	t.Helper()
	var out []string
	err := c.Read(t.Context(), func(tx Tx) (err error) { out, err = list(tx, scanText, query); return err })
	if err != nil {
		t.Fatal(err)
	}
	for i := range out {
		out[i] = strings.ToLower(out[i])
	}
	sort.Strings(out)
	return out
}

// Both databases have the same tables, with the same columns, keys and indexes.
func sameTables(t *testing.T) {
	p, s := open(t), openAt(t, t.TempDir()+"/catalog.db")
	for what, queries := range map[string][2]string{
		"columns": {
			`SELECT m.name || '.' || c.name || ' ' || c.type ||
				CASE WHEN c."notnull" <> 0 OR c.pk > 0 THEN ' not null' ELSE '' END
				FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose%'
				AND m.name NOT LIKE 'sqlite%'`,
			`SELECT table_name || '.' || column_name || ' ' || data_type ||
				CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END
				FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose%'`,
		},
		"keys": {
			`SELECT m.name || ': ' || group_concat(c.name, ', ' ORDER BY c.pk) FROM sqlite_master m
				JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose%'
				AND m.name NOT LIKE 'sqlite%' AND c.pk > 0 GROUP BY m.name`,
			`SELECT table_name || ': ' || string_agg(column_name, ', ' ORDER BY ordinal_position)
				FROM information_schema.key_column_usage JOIN information_schema.table_constraints
				USING (constraint_schema, constraint_name, table_name) WHERE constraint_type = 'PRIMARY KEY'
				AND constraint_schema = current_schema() AND table_name NOT LIKE 'goose%' GROUP BY table_name`,
		},
		"indexes": {
			`SELECT name || ' on ' || tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`,
			`SELECT indexname || ' on ' || tablename FROM pg_indexes WHERE schemaname = current_schema()
				AND tablename NOT LIKE 'goose%' AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'`,
		},
	} {
		inSQLite, inPostgres := columnsOf(t, s.Catalog, queries[0]), columnsOf(t, p.Catalog, queries[1])
		if len(inSQLite) < 10 || !reflect.DeepEqual(inSQLite, inPostgres) {
			t.Errorf("the %s differ:\n%s\n\n%s", what, strings.Join(inSQLite, "\n"), strings.Join(inPostgres, "\n"))
		}
	}
}

// A copy of the catalog is one in SQLite, with the same rows.
func copiedToSQLite(t *testing.T) {
	f := open(t)
	f.history()
	frozen, err := f.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/copy.db"
	if err := errors.Join(frozen.CopyTo(t.Context(), path), frozen.Close()); err != nil {
		t.Fatal(err)
	}
	c, err := Open(t.Context(), path, noHook)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if what, err := c.Damage(t.Context()); what != "" || err != nil {
		t.Errorf("%s, %v", what, err)
	}
	for _, read := range []func(Tx) (any, error){
		func(tx Tx) (any, error) { return tx.Commits("d", 9, 9) },
		func(tx Tx) (any, error) { return tx.AllFiles("d") },
		func(tx Tx) (any, error) { return tx.Entries("d", 9) },
		func(tx Tx) (any, error) { return tx.Dataset("d") },
		func(tx Tx) (any, error) { return tx.Last(CommitIDs) },
		func(tx Tx) (any, error) { return tx.Usage(1) },
	} {
		var was, is any
		err := errors.Join(
			f.Read(t.Context(), func(tx Tx) (err error) { was, err = read(tx); return err }),
			c.Read(t.Context(), func(tx Tx) (err error) { is, err = read(tx); return err }))
		if err != nil || !reflect.DeepEqual(was, is) {
			t.Errorf("%+v became %+v, %v", was, is, err)
		}
	}
}

// second opens the catalog of another server.
func second(t *testing.T, url string, o PostgresOptions) *fixture {
	t.Helper()
	o.Hook = noHook
	if o.Server == "" {
		o.Server = "two"
	}
	c, err := OpenPostgres(t.Context(), url, o)
	return opened(t, c, err)
}

// Two servers write to one catalog, and each sees what the other did. The first to come is told that it is.
func serversTogether(t *testing.T) {
	url := newDatabase(t)
	a := openURL(t, url)
	b := second(t, url, PostgresOptions{})
	if !a.IsFirst() || b.IsFirst() || !b.IsShared() {
		t.Errorf("first: %v, %v", a.IsFirst(), b.IsFirst())
	}
	a.must(func(tx Tx) error { return tx.AddDataset(a.dataset("d", "people")) })
	b.must(func(tx Tx) error { return tx.MoveHead("d", 0, 0, "others") })
	a.must(func(tx Tx) error {
		d, err := tx.Dataset("d")
		if d.Name != "others" {
			t.Errorf("the name is %s", d.Name)
		}
		return err
	})
	// One after another, whoever they are: what a transaction reads stays until its end.
	var work sync.WaitGroup
	for _, f := range []*fixture{a, b} {
		work.Go(func() {
			for range 40 {
				f.must(func(tx Tx) error {
					last, err := tx.Last("count")
					return errors.Join(err, tx.Advance("count", last+1))
				})
			}
		})
	}
	work.Wait()
	a.must(func(tx Tx) error {
		if last, err := tx.Last("count"); err != nil || last != 80 {
			t.Errorf("counted %d, %v", last, err)
		}
		return nil
	})
	names := func(of *fixture, want ...string) {
		t.Helper()
		list, err := of.Servers(t.Context())
		var got []string
		for _, s := range list {
			got = append(got, s.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("alive are %v, not %v: %v", got, want, err)
		}
	}
	names(a, "one", "two")
	if a.Server() == b.Server() {
		t.Error("they have one number")
	}
	b.Close()
	names(a, "one")
	if third := second(t, url, PostgresOptions{Server: "three"}); third.IsFirst() || third.Server() <= b.Server() {
		t.Errorf("a third: first %v, number %d after %d", third.IsFirst(), third.Server(), b.Server())
	}
}

// A program that is to have the catalog alone is refused while a server is there, and keeps servers out.
func oneHasItAlone(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	second(t, url, PostgresOptions{Server: "one that ended"}).Close()
	_, err := OpenPostgres(t.Context(), url, PostgresOptions{Server: "two", Hook: noHook, Alone: true})
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "one, since 20") {
		t.Errorf("beside a server: %v", err)
	}
	f.must(func(tx Tx) error { return tx.Advance(CommitIDs, 7) })
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	alone := second(t, url, PostgresOptions{Alone: true})
	if _, err := OpenPostgres(t.Context(), url, PostgresOptions{Hook: noHook}); !errors.Is(err, ErrTaken) {
		t.Errorf("a server beside it: %v", err)
	}
	alone.must(func(tx Tx) error { return tx.Advance(CommitIDs, 9) })
}

// A server that asks again and again for a catalog that is taken leaves no connections behind.
func refusedConnectionsEnd(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	for range 20 {
		_, err := OpenPostgres(t.Context(), url, PostgresOptions{Hook: noHook, Alone: true})
		if !errors.Is(err, ErrTaken) {
			t.Fatal(err)
		}
	}
	err := f.Read(t.Context(), func(tx Tx) error {
		n, err := get(tx, scanInt, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()`)
		if n > 10 {
			t.Errorf("%d connections are left", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// One server at a time opens the catalog: the next one waits until it is up to date, also where the first dies.
func oneOpensAtATime(t *testing.T) {
	url := newDatabase(t)
	c, err := OpenPostgres(t.Context(), url, PostgresOptions{Server: "one", Hook: noHook, Starting: true})
	f := opened(t, c, err)
	waits := make(chan error, 9)
	opened := make(chan *fixture)
	for _, ends := range []func(){func() { f.must(func(Tx) error { return nil }); f.Close() }, func() {
		if err := f.Started(t.Context()); err != nil {
			t.Error(err)
		}
	}} {
		go func() {
			opened <- second(t, url, PostgresOptions{Starting: true, Waiting: func(err error) { waits <- err }})
		}()
		if err := <-waits; !errors.Is(err, ErrStarting) {
			t.Errorf("it waits for %v", err)
		}
		ends()
		f = <-opened
	}
	if f.IsFirst() {
		t.Error("the last one takes itself for the first")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = OpenPostgres(ctx, url, PostgresOptions{Hook: noHook})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that stops waiting: %v", err)
	}
}

// Of servers that start at the same moment, over no catalog yet or after all have ended, the one that opens it first is
// told so, although others wait: it finishes what servers have left.
func serversStartAtOnce(t *testing.T) {
	url := newDatabase(t)
	for _, what := range []string{"a new catalog", "one that there was"} {
		const opening = 3
		waits, open := make(chan error, 100), make(chan *fixture, opening)
		for range opening {
			go func() {
				open <- second(t, url, PostgresOptions{Starting: true, Waiting: func(err error) { waits <- err }})
			}()
		}
		first := 0
		var all []*fixture
		for i := range opening {
			f := <-open
			if f.IsFirst() {
				first++
			}
			if i == 0 {
				for range opening - 1 {
					if err := <-waits; !errors.Is(err, ErrStarting) {
						t.Errorf("%s: one waits for %v", what, err)
					}
				}
				if !f.IsFirst() {
					t.Errorf("%s: the first one takes others for servers", what)
				}
			}
			if err := f.Started(t.Context()); err != nil {
				t.Error(err)
			}
			all = append(all, f)
		}
		if first != 1 {
			t.Errorf("%s: %d take themselves for the first", what, first)
		}
		for _, f := range all {
			f.Close()
		}
	}
}

// A lock is one server's at a time, each server's waiters are served in their order, and none waits for ever.
func aLockOfServers(t *testing.T) {
	url := newDatabase(t)
	servers := []*fixture{openURL(t, url), second(t, url, PostgresOptions{}), second(t, url, PostgresOptions{Server: "three"})}
	var inside atomic.Int64
	var work sync.WaitGroup
	done := make([]atomic.Int64, len(servers))
	for i, f := range servers {
		for range 3 {
			work.Go(func() {
				for range 5 {
					unlock, err := f.Lock(t.Context(), "head")
					if err != nil {
						t.Error(err)
						return
					}
					if inside.Add(1) != 1 {
						t.Error("two have it")
					}
					time.Sleep(time.Millisecond)
					inside.Add(-1)
					unlock()
					done[i].Add(1)
				}
			})
		}
	}
	work.Wait()
	for i := range done {
		if done[i].Load() != 15 {
			t.Errorf("server %d had it %d times", i, done[i].Load())
		}
	}
	a, b := servers[0], servers[1]
	_, unlock, ok, err := a.TryLock(t.Context(), "duty")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, _, ok, err := b.TryLock(t.Context(), "duty"); ok || err != nil || !b.IsLocked(t.Context(), "duty") {
		t.Errorf("tried by another server: %v, %v", ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.Lock(ctx, "duty"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited for: %v", err)
	}
	unlock()
	unlock, err = b.Lock(t.Context(), "duty")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// A server whose connection is cut loses its locks. What it does under one of them is refused, once another server has
// it; where none has, a head that is still the same moves.
func aLockIsLost(t *testing.T) {
	url := newDatabase(t)
	a, b := openURL(t, url), second(t, url, PostgresOptions{})
	a.must(func(tx Tx) error { return tx.AddDataset(a.dataset("d", "people")) })
	held, unlock, ok, err := a.TryLock(t.Context(), "duty")
	unlockHead, errHead := a.Lock(t.Context(), "d")
	if err := errors.Join(err, errHead); err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer unlock()
	defer unlockHead()
	before, err := a.Draw(t.Context(), "d", CommitIDs, 1)
	if err != nil {
		t.Fatal(err)
	}
	a.cut()
	taken, err := b.Lock(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.Draw(t.Context(), "d", CommitIDs, 1); err != nil || n <= before {
		t.Errorf("the other server draws %d after %d, %v", n, before, err)
	}
	move := func(to int64) error {
		return a.Write(t.Context(), func(tx Tx) error { return tx.MoveHead("d", to-1, to, "people") })
	}
	// The first may find that its connection is gone.
	for range 2 {
		_, err = a.Draw(t.Context(), "d", CommitIDs, 1)
	}
	if !errors.Is(err, ErrLockLost) || !IsUnavailable(err) {
		t.Errorf("a draw under the lost lock: %v", err)
	}
	if err := move(1); !errors.Is(err, ErrLockLost) || !isRolledBack(errors.Join(errRolledBack, err)) {
		t.Errorf("a commit under it: %v", err)
	}
	if err := a.Write(t.Context(), func(tx Tx) error { return tx.Holds("d") }); !errors.Is(err, ErrLockLost) {
		t.Errorf("a label under it: %v", err)
	}
	<-held.Done()
	taken()
	for b.IsLocked(t.Context(), "d") { // it is given back in the background
		time.Sleep(time.Millisecond)
	}
	if err := move(1); err != nil {
		t.Errorf("once it is free: %v", err)
	}
}

// cut ends the session that writes, as if its connection were cut.
func (f *fixture) cut() {
	f.Helper()
	p := f.in.(*postgres)
	execute(f.T, p.config.ConnString(), fmt.Sprintf(`SELECT pg_terminate_backend(%d, 5000)`, p.session.Load().pid))
}

// A server that stands still, in a transaction or under a lock, holds others up for some seconds at most, and its
// transaction is not committed.
func aServerStandsStill(t *testing.T) {
	url := newDatabase(t)
	a := openURL(t, url+"&idle_session_timeout=300ms&idle_in_transaction_session_timeout=300ms")
	b := second(t, url, PostgresOptions{})
	a.must(func(tx Tx) error { return tx.AddDataset(a.dataset("d", "people")) })
	if _, err := a.Lock(t.Context(), "d"); err != nil { // and gives no sign for two seconds
		t.Fatal(err)
	}
	unlock, err := b.Lock(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	stands, goes := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- a.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Last("mine")
			close(stands)
			<-goes
			if err != nil {
				return err
			}
			return tx.Advance("mine", 1)
		})
	}()
	<-stands
	b.must(func(tx Tx) error { return tx.Advance("others", 1) })
	close(goes)
	if err := <-ended; !IsUnavailable(err) || errors.Is(err, ErrUncertain) {
		t.Errorf("the transaction that stood still: %v", err)
	}
}

// No two servers draw a number, each server's grow, and those that were recorded without being drawn are passed over.
func numbersOfServers(t *testing.T) {
	url := newDatabase(t)
	servers := []*fixture{openURL(t, url), second(t, url, PostgresOptions{})}
	var mu sync.Mutex
	seen := map[int64]bool{}
	var work sync.WaitGroup
	for _, f := range servers {
		work.Go(func() {
			last := int64(0)
			for i := range 60 {
				n := int64(1 + i%3*4)
				first, err := f.Draw(t.Context(), "", FileIDs, n)
				if err != nil || first <= last {
					t.Errorf("%d after %d, %v", first, last, err)
				}
				mu.Lock()
				for id := first; id < first+n; id++ {
					if seen[id] {
						t.Errorf("%d is drawn twice", id)
					}
					seen[id] = true
				}
				mu.Unlock()
				last = first + n - 1
			}
		})
	}
	work.Wait()
	a, b := servers[0], servers[1]
	a.must(func(tx Tx) error { return tx.Advance(FileIDs, 5000) })
	next, err := b.Draw(t.Context(), "", FileIDs, 0)
	one, errOne := b.Draw(t.Context(), "", FileIDs, 1)
	two, errTwo := a.Draw(t.Context(), "", FileIDs, 1)
	if err := errors.Join(err, errOne, errTwo); err != nil || next != 5001 || one != 5001 || two != 5002 {
		t.Errorf("after 5000 was recorded: %d, %d, %d, %v", next, one, two, err)
	}
	a.must(func(tx Tx) error { return tx.AddFamily("f") })
	first, err := a.DrawFields(t.Context(), "f", 3)
	second, errSecond := b.DrawFields(t.Context(), "f", 1)
	if errors.Join(err, errSecond) != nil || first != 1 || second != 4 {
		t.Errorf("fields %d, %d, %v, %v", first, second, err, errSecond)
	}
}

// A transaction whose connection is cut before it is committed is rolled back. One whose connection is cut at the very
// end is committed or not, and the catalog finds out which.
func aCutConnection(t *testing.T) {
	f := open(t)
	err := f.Write(t.Context(), func(tx Tx) error {
		err := tx.AddDataset(f.dataset("d", "people"))
		f.cut()
		return errors.Join(err, tx.Advance(CommitIDs, 9))
	})
	if !IsUnavailable(err) || errors.Is(err, ErrUncertain) {
		t.Errorf("cut before the end: %v", err)
	}
	f.hook = func(op string) error {
		if op == "commit" {
			f.cut()
		}
		return nil
	}
	err = f.Write(t.Context(), func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
	if !IsUnavailable(err) || errors.Is(err, ErrUncertain) {
		t.Errorf("cut at the end: %v", err)
	}
	f.hook = noHook
	f.must(func(tx Tx) error {
		_, err := tx.Dataset("d")
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("what was rolled back is there: %v", err)
		}
		return tx.AddDataset(f.dataset("d", "people"))
	})
	p := f.in.(*postgres)
	timeline, run := p.timeline.Load(), p.session.Load().run
	for of, want := range map[transaction]error{
		{f.lastID(true), timeline, run}:     nil,
		{f.lastID(false), timeline, run}:    errRolledBack,
		{"99999999", timeline, run}:         errRolledBack, // PostgreSQL has not given the id: it has lost the transaction
		{f.lastID(true), timeline + 1, run}: ErrUncertain,  // it may have another transaction by this id
		{f.lastID(true), timeline, "other"}: ErrCrashed,    // as well
		{f.lastID(false), timeline, ""}:     errRolledBack, // whoever has the id, this one was not committed
	} {
		lost := errors.New("the answer was lost")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := of.outcome(ctx, p.read, p.lost.Load, lost); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("transaction %v: %v, not %v", of, err, want)
		}
		cancel()
	}
}

// lastID is the id of a transaction that is committed, or not.
func (f *fixture) lastID(commit bool) (id string) {
	f.Helper()
	refused := errors.New("refused")
	err := f.Write(f.Context(), func(tx Tx) error {
		if err := tx.row(`SELECT pg_current_xact_id()::text`, nil, &id); err != nil {
			return err
		}
		if !commit {
			return refused
		}
		return nil
	})
	if err != nil && !errors.Is(err, refused) {
		f.Fatal(err)
	}
	return id
}

// After a crash, PostgreSQL gives the ids again of transactions that its disk did not have. One that was lost is not
// taken for the one that has its id since.
func theDatabaseCrashes(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	for _, reused := range []bool{false, true} {
		var id, next int64
		crash := func(op string) error {
			if op == "commit" {
				server.Load().Stop(t)
				server.Load().Start(t)
				for reused && next < id {
					next = nextID(t, url)
				}
			}
			return nil
		}
		for tries := 0; tries == 0 || reused && next != id && tries < 5; tries++ { // the disk may have it by chance
			f.hook, next = crash, 0
			err := f.Write(t.Context(), func(tx Tx) error {
				err := tx.AddDataset(f.dataset("lost", "lost"))
				return errors.Join(err, tx.row(`SELECT pg_current_xact_id()::text::bigint`, nil, &id))
			})
			f.hook = noHook
			if !IsUnavailable(err) || errors.Is(err, ErrCrashed) != (reused && next == id) ||
				errors.Is(err, ErrUncertain) != errors.Is(err, ErrCrashed) {
				t.Errorf("transaction %d, and %d after the crash: %v", id, next, err)
			}
		}
		if reused && next != id {
			t.Errorf("the id %d was not given again: %d", id, next)
		}
		f.must(func(tx Tx) error {
			if _, err := tx.Dataset("lost"); !errors.Is(err, ErrNotFound) {
				t.Errorf("what was lost is there: %v", err)
			}
			return nil
		})
	}
}

// nextID is the id of a transaction that is committed now.
func nextID(t *testing.T, url string) (id int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT pg_current_xact_id()::text::bigint`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// Where PostgreSQL is restarted, what is asked meanwhile is refused, and the next request is served as before.
func theDatabaseRestarts(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
	server.Load().Stop(t)
	for what, ask := range map[string]error{
		"a writer": f.Write(t.Context(), func(tx Tx) error { return tx.Advance(CommitIDs, 9) }),
		"a reader": f.Read(t.Context(), func(tx Tx) error { _, err := tx.Dataset("d"); return err }),
	} {
		if !IsUnavailable(ask) || errors.Is(ask, ErrUncertain) {
			t.Errorf("%s while it is away: %v", what, ask)
		}
	}
	server.Load().Start(t)
	f.must(func(tx Tx) error {
		if _, err := tx.Dataset("d"); err != nil {
			return err
		}
		return tx.Advance(CommitIDs, 9)
	})
	if err := f.Read(t.Context(), func(tx Tx) error { _, err := tx.Dataset("d"); return err }); err != nil {
		t.Errorf("a reader afterwards: %v", err)
	}
}

// The database ends after numbers were drawn with a lock, and before they were on its disk: it may draw them again, so
// nothing is published that has them. Those that are drawn after that are kept.
func numbersThatMayBeLost(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error { return tx.AddDataset(f.dataset("d", "people")) })
	draw := func() *Turn {
		t.Helper()
		turn, err := f.Join(t.Context(), "d")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Draw(t.Context(), "d", CommitIDs, 1); err != nil {
			t.Fatal(err)
		}
		return turn
	}
	session := f.in.(*postgres).session.Load()
	session.keeping.Lock() // they are not kept in the background
	turn := draw()
	server.Load().Stop(t)
	server.Load().Start(t)
	session.keeping.Unlock()
	err := f.Keep(t.Context(), "d")
	for n := 0; n < 30 && IsUnavailable(err) && !errors.Is(err, ErrLockLost); n++ { // by a connection that ended with the database
		err = f.Keep(t.Context(), "d")
	}
	if !errors.Is(err, ErrLockLost) {
		t.Errorf("they are kept: %v", err)
	}
	turn.Leave()
	turn = draw()
	defer turn.Leave()
	if err := f.Keep(t.Context(), "d"); err != nil {
		t.Errorf("the next ones are not kept: %v", err)
	}
}

// What one statement reads needs no transaction, and what two read does.
func oneStatementIsReadAlone(t *testing.T) {
	f := open(t)
	f.history()
	err := f.Look(t.Context(), func(tx Tx) error {
		if d, err := tx.Dataset("d"); err != nil || d.Name != "people" {
			t.Errorf("%+v, %v", d, err)
		}
		_, err := tx.Dataset("d")
		return err
	})
	if !errors.Is(err, errSecond) {
		t.Errorf("two statements: %v", err)
	}
	if err := f.Look(t.Context(), func(tx Tx) error { _, err := tx.Dataset("none"); return err }); !errors.Is(err, ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}

// PostgreSQL's texts are UTF-8 without NUL. Those of the catalog are any bytes, and come back as they were.
func anyText(t *testing.T) {
	f := open(t)
	f.history()
	for i, text := range []string{"", "a\x00b", "\xff\xfe", "\ue000", "\ue000\x00\ue0ff\ue100", "naïve 😀"} {
		id := int64(5 + i)
		f.must(func(tx Tx) error {
			c := f.commit(id, Append)
			c.Message, c.Hash = text, text
			return tx.AddCommit(c)
		})
		err := f.Read(t.Context(), func(tx Tx) error {
			c, err := tx.Commit("d", id)
			if c.Message != text {
				t.Errorf("%q became %q", text, c.Message)
			}
			found, errFound := tx.WithHash("d", text)
			if len(found) != 1 {
				t.Errorf("%q is found %d times", text, len(found))
			}
			return errors.Join(err, errFound)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A schema is a catalog of its own. One that does not exist is refused with a sentence.
func aCatalogInASchema(t *testing.T) {
	execute(t, server.Load().URL("postgres", ""), `CREATE SCHEMA one; CREATE SCHEMA two`)
	for _, schema := range []string{"one", "two"} {
		openURL(t, server.Load().URL("postgres", schema)).history()
	}
	_, err := OpenPostgres(t.Context(), server.Load().URL("postgres", "three"), PostgresOptions{Hook: noHook})
	if err == nil || !strings.Contains(err.Error(), "search_path") {
		t.Errorf("%v", err)
	}
}

// A catalog that a newer program has brought up to date is refused.
func aNewerProgram(t *testing.T) {
	url := newDatabase(t)
	if err := openURL(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, url, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE);
		UPDATE compatibility SET needs = 99999`)
	_, err := OpenPostgres(t.Context(), url, PostgresOptions{Hook: noHook})
	if err == nil || !strings.Contains(err.Error(), "newer version of the program") {
		t.Errorf("%v", err)
	}
}
