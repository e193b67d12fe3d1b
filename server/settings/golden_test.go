package settings

import (
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// golden lays out the settings that a program whose database had version 6 made: two users with roles, tokens and
// sessions, one of them an admin; a webhook; and the head of the audit log.
func golden(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	in, err := os.Open(filepath.Join("testdata", "settings-00006.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, File), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents is what the settings have of users, tokens, webhooks, sessions and the audit log.
func contents(t *testing.T, db *sql.DB) (out string) {
	t.Helper()
	err := db.QueryRow(`SELECT (SELECT group_concat(name) FROM (SELECT name FROM users ORDER BY name)) || ' '
		|| (SELECT group_concat(role) FROM (SELECT role FROM roles ORDER BY role)) || ' ' || (SELECT count(*) FROM tokens)
		|| ' ' || (SELECT group_concat(url) FROM webhooks) || ' ' || (SELECT count(*) FROM sessions)`).Scan(&out)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const goldenTold = "ada,root admin,writer 2 http://127.0.0.1:19299/ 2"

// Settings of an earlier version open with all that they had, and what they were stays beside them.
func TestSettingsOfAnEarlierVersion(t *testing.T) {
	dir := golden(t)
	for _, older := range []string{"settings.before-00003.db", "settings.before-00005.db"} {
		if err := os.WriteFile(filepath.Join(dir, older), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := filepath.Glob(filepath.Join(dir, "settings.before-*.db")); err != nil || len(all) != 2 {
		t.Errorf("of earlier versions there are %v, not the last two", all)
	}
	if got := contents(t, db.DB); got != goldenTold {
		t.Errorf("got %s", got)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	kept := filepath.Join(dir, "settings.before-00006.db")
	before, err := sql.Open("sqlite3", kept)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	var version int
	if err := before.QueryRow(`SELECT max(version_id) FROM goose_db_version`).Scan(&version); err != nil || version != 6 {
		t.Errorf("the copy has version %d, %v", version, err)
	}
	if got := contents(t, before); got != goldenTold {
		t.Errorf("the copy has %s", got)
	}
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the copy: %v, %v", info, err)
	}
}

// A migration that fails half-way leaves nothing of itself.
func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	dir, ctx := golden(t), context.Background()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, File)+"?_foreign_keys=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := fstest.MapFS{}
	own, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(own, "0000[1-6]_*.sql")
	if err != nil || len(names) != 6 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(own, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	files["00007_fails.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE half (a INT);\n" +
		"DELETE FROM users;\nINSERT INTO nowhere VALUES (1);\n")}
	if err := upgrade(ctx, goose.DialectSQLite3, db, files, nil); err == nil {
		t.Error("it was not refused")
	}
	var half, version int
	err = db.QueryRow(`SELECT (SELECT count(*) FROM sqlite_master WHERE name = 'half'),
		(SELECT max(version_id) FROM goose_db_version)`).Scan(&half, &version)
	if err != nil || half != 0 || version != 6 || contents(t, db) != goldenTold {
		t.Errorf("tables %d, version %d, %s, %v", half, version, contents(t, db), err)
	}
}
