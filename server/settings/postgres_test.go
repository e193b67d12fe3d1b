package settings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
)

// The settings in PostgreSQL, all on one server.
func TestInPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	n := 0
	database := func() string {
		n++
		server.Create(t, fmt.Sprint("d", n))
		return server.URL(fmt.Sprint("d", n), "")
	}
	for name, test := range map[string]func(*testing.T, string){
		"both databases have the same tables": sameTables,
		"a change is whole and stays":         aChangeIsWhole,
		"servers write one after another":     oneAfterAnother,
		"a newer program's tables":            ofANewerProgram,
		"one that stands still holds up none": standingStill,
		"they are moved there and back":       thereAndBack,
	} {
		url := database()
		t.Run(name, func(t *testing.T) { test(t, url) })
	}
	t.Run("a database that is away", func(t *testing.T) { away(t, server, database()) })
}

func openURL(t *testing.T, url string) *DB {
	t.Helper()
	db, err := OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openFile(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// texts reads the only column of a query.
func texts(t *testing.T, db *DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func sameTables(t *testing.T, url string) {
	there, here := openURL(t, url), openFile(t)
	want := slices.Sorted(slices.Values(tables))
	inFile := texts(t, here, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'
		AND name NOT LIKE 'goose%' ORDER BY name`)
	if !slices.Equal(inFile, want) {
		t.Errorf("copies do not have all tables: %v, and there are %v", want, inFile)
	}
	for _, table := range want {
		a := texts(t, here, `SELECT name || ' ' || CASE WHEN "notnull" = 1 OR pk > 0 THEN 'NO' ELSE 'YES' END
			FROM pragma_table_info('`+table+`') ORDER BY 1`)
		b := texts(t, there, `SELECT column_name || ' ' || is_nullable FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name = '`+table+`' ORDER BY 1`)
		if !slices.Equal(a, b) {
			t.Errorf("%s is %v in a file and %v in PostgreSQL", table, a, b)
		}
	}
}

func aChangeIsWhole(t *testing.T, url string) {
	db := openURL(t, url)
	add := func(name string, then error) error {
		return db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO users (name, created_at) VALUES (?2, ?1)`, 0, name)
			return errors.Join(err, then)
		})
	}
	failed := errors.New("failed")
	if err := add("a\x00b\xff\ue000", nil); err != nil {
		t.Error(err)
	}
	if err := add("bob", failed); !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := add("a\x00b\xff\ue000", nil); !IsConstraint(err) {
		t.Errorf("a second one by that name: %v", err)
	}
	if _, err := db.Exec(`DELETE FROM users`); err == nil {
		t.Error("the handle for reading writes")
	}
	again := openURL(t, url) // nothing is migrated twice
	if names := texts(t, again, `SELECT name FROM users`); !slices.Equal(names, []string{"a\x00b\xff\ue000"}) {
		t.Errorf("%q", names)
	}
}

// What a transaction reads stays until it is committed, though it locks no row.
func oneAfterAnother(t *testing.T, url string) {
	servers := []*DB{openURL(t, url), openURL(t, url), openURL(t, url)}
	const each = 10
	var work sync.WaitGroup
	for _, db := range servers {
		work.Go(func() {
			for range each {
				err := db.Write(t.Context(), func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRow(`SELECT count(*) FROM users`).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(`INSERT INTO users (name, created_at) VALUES (?, 0)`, fmt.Sprintf("%03d", n))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if names := texts(t, servers[0], `SELECT name FROM users ORDER BY name`); len(names) != each*len(servers) {
		t.Errorf("%d users: %v", len(names), names)
	}
}

// A server that stands still while it writes, such as one that was suspended, loses its transaction to those that wait.
func standingStill(t *testing.T, url string) {
	still, other := openURL(t, url+"&idle_in_transaction_session_timeout=200ms"), openURL(t, url)
	add := func(tx *sql.Tx, name string) error {
		_, err := tx.Exec(`INSERT INTO users (name, created_at) VALUES (?, 0)`, name)
		return err
	}
	err := still.Write(t.Context(), func(tx *sql.Tx) error {
		if err := add(tx, "ada"); err != nil {
			return err
		}
		// It returns only once the session of the one that stands still was ended.
		if err := other.Write(t.Context(), func(tx *sql.Tx) error { return add(tx, "ben") }); err != nil {
			t.Errorf("who waited: %v", err)
		}
		return nil
	})
	if !catalog.IsUnavailable(err) || errors.Is(err, catalog.ErrUncertain) {
		t.Errorf("who stood still: %v", err)
	}
	if names := texts(t, other, `SELECT name FROM users`); !slices.Equal(names, []string{"ben"}) {
		t.Error(names)
	}
	if err := still.Write(t.Context(), func(tx *sql.Tx) error { return add(tx, "eve") }); err != nil {
		t.Errorf("it does not go on: %v", err)
	}
}

// Settings that a newer program has added to are used; those that it has changed otherwise are refused.
func ofANewerProgram(t *testing.T, url string) {
	c, err := catalog.OpenPostgres(t.Context(), url, catalog.PostgresOptions{Hook: func(string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	db := openURL(t, url)
	run := func(statement string) {
		t.Helper()
		err := db.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(statement); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	run(`ALTER TABLE users ADD COLUMN later BIGINT NOT NULL DEFAULT 1`)
	run(`INSERT INTO settings_version (version_id, is_applied) VALUES (90001, TRUE)`)
	beside := openURL(t, url)
	if err := beside.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO users (name, created_at) VALUES ('ada', 0)`)
		return err
	}); err != nil {
		t.Error(err)
	}
	run(`UPDATE compatibility SET settings = 90001`)
	if _, err := OpenPostgres(t.Context(), url); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("%v", err)
	}
}

// fill puts one row into each table, with all sorts of values.
func fill(t *testing.T, db *DB) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		for _, statement := range []string{
			`INSERT INTO belongs (store_id, restored_at) VALUES ('s', 7)`,
			`INSERT INTO users (name, description, is_disabled, single_sign_on, created_at) VALUES ('ada', 'é', TRUE, FALSE, 5)`,
			`INSERT INTO roles (user_name, project_id, role) VALUES ('ada', 0, 'admin'), ('ada', 3, 'reader')`,
			`INSERT INTO projects (id, name, created_at) VALUES (3, 'three', 1)`,
			`INSERT INTO closed (is_closed) VALUES (1)`,
			`INSERT INTO identities (issuer, subject, user_name) VALUES ('i', 's', 'ada')`,
			`INSERT INTO webhooks (id, url, secret, description, kinds, project_id, dataset_id, is_enabled, disabled_reason,
				failures, failing_since, paused_until, user_name, created_at, updated_at)
				VALUES ('w', 'https://x', 's', '', '[]', 0, '', TRUE, '', 0, 0, 0, 'ada', 1, 1)`,
			`INSERT INTO webhook_deliveries (id, webhook_id, event_id, kind, body, state, attempts, status, problem,
				created_at, first_at, last_at, next_at) VALUES (41, 'w', 'e', 'k', '{}', 'queued', 0, 0, '', 1, 0, 0, 1)`,
			`INSERT INTO webhook_marks (dataset_id, commit_id, deleted_at) VALUES ('d', 9, 0)`,
			`UPDATE webhook_versions SET last = 4`,
			`INSERT INTO failed_logins (who, whole) VALUES ('name ada', 7)`,
			`INSERT INTO request_rates (who, whole) VALUES ('user 0f', 8)`,
			`INSERT INTO vault_entries (id, kind, project_id, path, user_name, created_at, document)
				VALUES ('e', 'folder', 1, '/a', 'ada', 1, '{}')`,
			`INSERT INTO webhook_alerts (webhook_id, name) VALUES ('w', 'disk')`,
			`INSERT INTO webhook_proposals (dataset_id, number, revision, entries, state) VALUES ('d', 1, 2, 3, 'open')`,
			`INSERT INTO webhook_discussions (dataset_id, from_commit, to_dataset_id, to_commit, revision, entry)
				VALUES ('d', 1, 'd', 2, 3, 4)`,
			`INSERT INTO audit_heads (directory, number, hash) VALUES ('', 12, 'h')`,
			`INSERT INTO quotas (project_id, max_bytes) VALUES (3, 1000)`,
		} {
			if _, err := tx.Exec(statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		_, err := tx.Exec(`INSERT INTO tokens (id, hash, user_name, role, all_projects, created_at, created_by)
			VALUES ('tok', ?, 'ada', 'admin', FALSE, 1, 'ada')`, []byte{0, 255, 1})
		if err == nil {
			_, err = tx.Exec(`INSERT INTO token_projects (token_id, project_id) VALUES ('tok', 3)`)
		}
		if err == nil {
			_, err = tx.Exec(`INSERT INTO sessions (hash, id, user_name, token_id, started_at, used_at, expires_at, lasts_to)
				VALUES (?, 'ses', ?, 'tok', 1, 2, 3, 4)`, []byte{9}, "a\x00\xff")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// content is all that settings have, as text.
func content(t *testing.T, db *DB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range tables {
		rows, err := db.QueryContext(t.Context(), `SELECT * FROM `+table+` ORDER BY 1, 2`)
		if err != nil {
			rows, err = db.QueryContext(t.Context(), `SELECT * FROM `+table)
		}
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for ; rows.Next(); found++ {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(&out, table)
			for i, name := range columns {
				v := *values[i].(*any)
				if yes, ok := v.(bool); ok {
					v = map[bool]int64{false: 0, true: 1}[yes]
				}
				fmt.Fprintf(&out, " %s=%q", name, fmt.Sprint(v))
			}
			fmt.Fprintln(&out)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if found == 0 {
			t.Errorf("the table %s has no row to compare", table)
		}
	}
	return out.String()
}

func thereAndBack(t *testing.T, url string) {
	file, there := openFile(t), openURL(t, url)
	if _, err := ReadPostgres(t.Context(), url+"&search_path=none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a schema without settings: %v", err)
	}
	fill(t, file)
	want := content(t, file)
	for range 2 { // one that was interrupted is begun again
		if err := there.Replace(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if got := content(t, there); got != want {
			t.Errorf("moved there:\n%s\nbut it was\n%s", got, want)
		}
	}
	err := there.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO webhook_deliveries (webhook_id, event_id, kind, body, state, attempts, status,
			problem, created_at, first_at, last_at, next_at) VALUES ('w', 'f', 'k', '', 'failed', 1, 0, '', 1, 1, 1, 1)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if ids := texts(t, there, `SELECT CAST(max(id) AS TEXT) FROM webhook_deliveries`); ids[0] != "42" {
		t.Errorf("the next message has the number %v", ids)
	}
	want = content(t, there)
	dir := t.TempDir()
	read, err := ReadPostgres(t.Context(), url)
	if err := errors.Join(err, read.CopyTo(t.Context(), dir), read.Close()); err != nil {
		t.Fatal(err)
	}
	back, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if got := content(t, back); got != want {
		t.Errorf("moved back:\n%s\nbut it was\n%s", got, want)
	}
	other := openFile(t)
	err = other.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO belongs (store_id) VALUES ('other')`)
		return err
	})
	if err := errors.Join(err, there.Replace(t.Context(), other)); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("settings of another store were replaced: %v", err)
	}
}

// While PostgreSQL is away, that is what is said; once it is back, nothing has to be done.
func away(t *testing.T, server *postgrestest.Server, url string) {
	db := openURL(t, url)
	write := func() error {
		return db.Write(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`UPDATE webhook_versions SET last = last + 1`)
			return err
		})
	}
	var n int
	read := func() error { return db.QueryRow(`SELECT count(*) FROM users`).Scan(&n) }
	if err := errors.Join(write(), read()); err != nil {
		t.Fatal(err)
	}
	broken := db.Write(t.Context(), func(tx *sql.Tx) error {
		_ = tx.QueryRow(`SELECT pg_terminate_backend(pg_backend_pid())`).Scan(new(bool)) // it fails, as what follows does
		_, err := tx.Exec(`UPDATE webhook_versions SET last = last + 1`)
		return err
	})
	if !catalog.IsUnavailable(broken) {
		t.Errorf("a statement on a connection that broke: %v", broken)
	}
	server.Stop(t)
	for name, do := range map[string]func() error{"writing": write, "reading": read} {
		if err := do(); !catalog.IsUnavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Start(t)
	if err := errors.Join(write(), read()); err != nil {
		t.Error(err)
	}
}
