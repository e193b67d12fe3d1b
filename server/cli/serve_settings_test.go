package cli

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
	"github.com/rowback/rowback/storage/datadir"
)

// settingsWorld is directories of one store, each of a server, and the database that they share.
type settingsWorld struct {
	*testing.T
	url string
}

// directory makes the data directory of a server.
func (w settingsWorld) directory() place {
	w.Helper()
	dir := w.TempDir()
	marker, err := json.Marshal(datadir.Marker{ID: "store", FormatVersion: 2, Catalog: datadir.PostgresCatalog})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, datadir.MarkerFile), marker, 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
	return place{dir: dir, catalog: w.url}
}

// start opens settings as a server does, adds a user unless that is empty, and returns all users.
func (w settingsWorld) start(p place, want, user string) (users string, err error) {
	w.Helper()
	ctx := context.Background()
	if err := p.check(want); err != nil {
		return "", err
	}
	set, err := p.settled(ctx, want, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer set.Close()
	err = set.Write(ctx, func(tx *sql.Tx) error {
		if user == "" {
			return nil
		}
		_, err := tx.Exec(`INSERT INTO users (name, created_at) VALUES (?, 0)`, user)
		return err
	})
	if err == nil {
		err = set.QueryRow(`SELECT coalesce(string_agg(name, ' ' ORDER BY name), '') FROM users`).Scan(&users)
	}
	return users, err
}

// Servers with directories of their own share the settings that one of them has moved to the database. No start makes
// empty ones, or gives up those that are there.
func TestSettingsThatServersShare(t *testing.T) {
	server := postgrestest.Start(t)
	w := settingsWorld{t, server.URL("postgres", "")}
	one, two, three := w.directory(), w.directory(), w.directory()
	here := two
	here.catalog = "embedded"
	for _, step := range []struct {
		what       string
		of         place
		want, user string
		users      string
		says       string // of the error; empty: there is none
	}{
		{"they begin in the directory", one, "", "ada", "ada", ""},
		{"another directory has its own", three, "", "eve", "eve", ""},
		{"they are moved", one, settingsInCatalog, "", "ada", ""},
		{"and stay", one, "", "ben", "ada ben", ""},
		{"a directory without any finds them", two, "", "", "ada ben", ""},
		{"and does not leave them unseen", here, "", "", "", "name the database"},
		{"nor moves what it does not see", here, settingsInDirectory, "", "", "name the database"},
		{"one with its own is not asked to choose", three, settingsInCatalog, "", "", "both in"},
		{"in either direction", three, settingsInDirectory, "", "", "both in"},
		{"they are moved to one of the directories", two, settingsInDirectory, "cat", "ada ben cat", ""},
		{"where they are", two, "", "", "ada ben cat", ""},
		{"the others are told", one, "", "", "", "not in the database"},
		{"who has others can go on with them", three, settingsInCatalog, "", "eve", ""},
	} {
		users, err := w.start(step.of, step.want, step.user)
		if step.says == "" && (err != nil || users != step.users) {
			t.Errorf("%s: %q, %v", step.what, users, err)
		}
		if step.says != "" && (err == nil || !strings.Contains(err.Error(), step.says)) {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	file := filepath.Join(three.dir, settings.File)
	if _, err := os.Stat(file); err == nil {
		t.Error("what was moved is in the directory as well")
	}
	// Where the database has lost them, a copy that someone puts back in the directory is not removed.
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	three.catalog = server.URL("postgres", "lost")
	if _, err := w.start(three, "", ""); err == nil || !strings.Contains(err.Error(), "not in the database") {
		t.Errorf("the settings are lost: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if err := (place{dir: t.TempDir()}).check(settingsInCatalog); err == nil || !strings.Contains(err.Error(), "--catalog") {
		t.Errorf("no database is named: %v", err)
	}
}
