// Package settingstest opens settings for tests, in a file or in PostgreSQL: the same tests are run on both.
package settingstest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/catalog/postgrestest"
)

// prefix begins the names of tests that OnPostgreSQL runs.
const prefix = "TestOnPostgreSQL/"

// place is the one server of a package's tests, and the schemas that stand for directories.
type place struct {
	mu      sync.Mutex
	server  *postgrestest.Server
	root    *settings.DB
	schemas map[string]string
}

var shared place //nolint:gochecknoglobals // PostgreSQL is started once for the tests of a package

// OnPostgreSQL runs tests whose settings are in PostgreSQL. It is called by the test TestOnPostgreSQL.
func OnPostgreSQL(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	server := postgrestest.Start(t)
	root, err := settings.OpenPostgres(t.Context(), server.URL("postgres", ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	shared = place{server: server, root: root, schemas: map[string]string{}}
	for name, test := range tests {
		t.Run(name, test)
	}
}

// IsOn reports whether a test is one of those that OnPostgreSQL runs.
func IsOn(t testing.TB) bool { return strings.HasPrefix(t.Name(), prefix) }

// Open opens the settings of a data directory. Where the test is one of OnPostgreSQL, a schema stands for each
// directory.
func Open(ctx context.Context, t testing.TB, dir string) (*settings.DB, error) {
	t.Helper()
	if !IsOn(t) {
		return settings.Open(ctx, dir)
	}
	return settings.OpenPostgres(ctx, shared.url(t, dir))
}

// url is that of the schema that stands for a directory.
func (p *place) url(t testing.TB, dir string) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	name, known := p.schemas[dir]
	if !known {
		name = fmt.Sprintf("s%d", len(p.schemas))
		p.schemas[dir] = name
		err := p.root.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`CREATE SCHEMA ` + name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p.server.URL("postgres", name)
}
