package catalog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// Look is what can be seen of a catalog in PostgreSQL without opening it as a server does.
type Look struct {
	Servers    []Server      // that have it open
	Has, Knows int64         // the version of its tables, and the one that this program makes them
	Refused    error         // why this program can't work with them; nil: it can
	Ahead      time.Duration // how far the database's clock is ahead of this machine's
	Took       time.Duration // a round trip
}

// LookPostgres looks at the catalog in a PostgreSQL database. Without one, the error is ErrNoCatalog.
func LookPostgres(ctx context.Context, url string) (l Look, err error) {
	config, err := PostgresConfig(url)
	if err != nil {
		return l, err
	}
	read := stdlib.OpenDB(*config)
	defer read.Close()
	p := &postgres{config: config, read: read}
	if err := p.explain(read.PingContext(ctx)); err != nil {
		return l, err
	}
	began := time.Now()
	var now int64
	if err := read.QueryRowContext(ctx, `SELECT `+databaseTime).Scan(&now); err != nil {
		return l, err
	}
	l.Took = time.Since(began)
	l.Ahead = moment(now).Sub(began.Add(l.Took / 2))
	files, err := provider(p, read)
	if err != nil {
		return l, err
	}
	err = read.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&l.Has)
	if stateOf(err) == noTable {
		return l, ErrNoCatalog
	}
	if err != nil {
		return l, err
	}
	sources := files.ListSources()
	l.Knows = sources[len(sources)-1].Version
	if l.Has > l.Knows {
		l.Refused = p.beside(ctx, read, l.Has, l.Knows)
	}
	if err = isThere(ctx, read, "servers"); err == nil {
		l.Servers, err = p.servers(ctx)
	}
	if errors.Is(err, ErrNoCatalog) { // of a program that had it alone
		err = nil
	}
	return l, err
}

// noTable is the state of a statement about a table that does not exist.
const noTable = "42P01"

// isThere returns ErrNoCatalog if the database has no table of that name.
func isThere(ctx context.Context, db *sql.DB, name string) error {
	var there bool
	err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&there)
	if err == nil && !there {
		err = ErrNoCatalog
	}
	return err
}
