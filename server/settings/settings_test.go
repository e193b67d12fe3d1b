package settings_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowback/rowback/server/settings"
)

// What a transaction wrote is there after the next start, and what it did not complete is not.
func TestAChangeIsWholeAndStays(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	add := func(db *settings.DB, name string, then error) error {
		return db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO users (name, created_at) VALUES (?, 0)`, name)
			return errors.Join(err, then)
		})
	}
	db, err := settings.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	if err := add(db, "ada", nil); err != nil {
		t.Error(err)
	}
	if err := add(db, "bob", failed); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, err := db.Exec(`DELETE FROM users`); err == nil {
		t.Error("the handle for reading writes")
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if db, err = settings.Open(ctx, dir); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var names string
	if err := db.QueryRow(`SELECT group_concat(name) FROM users`).Scan(&names); err != nil || names != "ada" {
		t.Errorf("%q, %v", names, err)
	}
	info, err := os.Stat(filepath.Join(dir, settings.File))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A database of a newer program is refused and stays as it is.
func TestANewerDatabaseIsRefused(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	db, err := settings.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err := settings.Open(ctx, dir); err == nil {
		db.Close()
		t.Error("it was opened")
	}
}
