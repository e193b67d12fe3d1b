package catalog

import (
	"context"
	"errors"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"
)

// postgresOnly are the tests of what only PostgreSQL has. They run with TestOnPostgreSQL, on its server.
var postgresOnly = map[string]func(*testing.T){
	"tables":   sameTables,
	"copy":     copiedToSQLite,
	"taken":    oneServerHasIt,
	"refused":  refusedConnectionsEnd,
	"waiting":  anotherServerWaits,
	"cut":      aCutConnection,
	"restart":  theDatabaseRestarts,
	"takeover": takenOverMeanwhile,
	"text":     anyText,
	"schemas":  aCatalogInASchema,
	"newer":    aNewerProgram,
	"answer":   aLostAnswer,
	"ledger":   aLedgerOfServers,
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

// A second server is refused, and told which has the catalog. Closing it frees it.
func oneServerHasIt(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	_, err := OpenPostgres(t.Context(), url, PostgresOptions{Server: "two", Hook: noHook})
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "one, since 20") {
		t.Errorf("a second server: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := OpenPostgres(t.Context(), url, PostgresOptions{Server: "two", Hook: noHook})
	if err != nil {
		t.Fatalf("after the first is closed: %v", err)
	}
	c.Close()
}

// A server that asks again and again for a catalog that is taken leaves no connections behind.
func refusedConnectionsEnd(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	for range 20 {
		if _, err := OpenPostgres(t.Context(), url, PostgresOptions{Hook: noHook}); !errors.Is(err, ErrTaken) {
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

// A server that waits has the catalog once the other one is gone, and sees all that it did.
func anotherServerWaits(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	waits := make(chan struct{})
	opened := make(chan error, 1)
	var second *Catalog
	go func() {
		var err error
		second, err = OpenPostgres(t.Context(), url, PostgresOptions{Server: "two", Hook: noHook,
			Waiting: func(error) { close(waits) }})
		opened <- err
	}()
	<-waits
	f.must(func(tx Tx) error { return tx.Advance(CommitIDs, 7) })
	// Its session ends, as that of a server that is killed.
	f.Close()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first, err := second.Draw(t.Context(), CommitIDs, 1); first != 8 || err != nil {
		t.Errorf("it draws %d, %v", first, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := OpenPostgres(ctx, url, PostgresOptions{Hook: noHook, Waiting: func(error) {}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that stops waiting: %v", err)
	}
}

// endSession ends the session that has the catalog, as if its connection were cut.
func (f *fixture) endSession() {
	f.Helper()
	execute(f.T, f.in.(*postgres).config.ConnString(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
		WHERE locktype = 'advisory' AND classid = 1919907682
		AND objid::bigint = hashtext(current_schema())::bigint & 4294967295`)
}

// A transaction whose connection is cut before it is committed is rolled back. One whose connection is cut at the very
// end is committed or not, and the catalog finds out which.
func aCutConnection(t *testing.T) {
	f := open(t)
	err := f.Write(t.Context(), func(tx Tx) error {
		err := tx.AddDataset(f.dataset("d", "people"))
		f.endSession()
		return errors.Join(err, tx.Advance(CommitIDs, 9))
	})
	if !IsUnavailable(err) || errors.Is(err, ErrUncertain) {
		t.Errorf("cut before the end: %v", err)
	}
	f.hook = func(op string) error {
		if op == "commit" {
			f.endSession()
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
	timeline := p.timeline.Load()
	for of, want := range map[transaction]error{
		{f.lastID(true), timeline}:     nil,
		{f.lastID(false), timeline}:    errRolledBack,
		{"99999999", timeline}:         ErrUncertain, // PostgreSQL does not know it: it is another one than it was
		{f.lastID(true), timeline + 1}: ErrUncertain, // it may have another transaction by this id
	} {
		lost := errors.New("the answer was lost")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := of.outcome(ctx, p.write, p.lost.Load, lost); !errors.Is(err, want) || want == nil && err != nil {
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

// A server that another one has replaced writes no more, even when that one has ended as well.
func takenOverMeanwhile(t *testing.T) {
	url := newDatabase(t)
	f := openURL(t, url)
	f.write.SetMaxIdleConns(0) // its connection is closed, as if it were cut
	second, err := OpenPostgres(t.Context(), url, PostgresOptions{Server: "two", Hook: noHook,
		Waiting: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Write(t.Context(), func(tx Tx) error { return tx.Advance(CommitIDs, 9) }); !errors.Is(err, ErrLost) {
			t.Errorf("the first server: %v", err)
		}
		second.Close()
	}
	if !f.in.(*postgres).lost.Load() {
		t.Error("it does not know")
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
	execute(t, url, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`)
	_, err := OpenPostgres(t.Context(), url, PostgresOptions{Hook: noHook})
	if err == nil || !strings.Contains(err.Error(), "newer version of the program") {
		t.Errorf("%v", err)
	}
}
