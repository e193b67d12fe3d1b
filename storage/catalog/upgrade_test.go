package catalog

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
)

// shape is what a catalog's tables and indexes are.
func shape(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT name || ': ' || sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(out, "\n")
}

// From every earlier version, a catalog becomes what a new one is.
func TestEveryVersionIsUpgraded(t *testing.T) {
	dir := t.TempDir()
	fresh := filepath.Join(dir, "fresh.db")
	if err := openAt(t, fresh).Close(); err != nil {
		t.Fatal(err)
	}
	_, knows, err := Versions(t.Context(), fresh)
	if err != nil || knows < 12 {
		t.Fatalf("this program knows version %d, %v", knows, err)
	}
	want := shape(t, fresh)
	for version := int64(1); version <= knows; version++ {
		path := filepath.Join(dir, fmt.Sprint(version, ".db"))
		err := eachVersion(t.Context(), path, func(p *goose.Provider) error {
			_, err := p.UpTo(t.Context(), version)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := Upgrade(t.Context(), path); err != nil {
			t.Errorf("from version %d: %v", version, err)
		}
		if has, _, err := Versions(t.Context(), path); has != knows || err != nil {
			t.Errorf("from version %d: has %d, %v", version, has, err)
		}
		if got := shape(t, path); got != want {
			t.Errorf("from version %d: got\n%s\nwant\n%s", version, got, want)
		}
	}
}
