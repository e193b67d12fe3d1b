package settings

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// shared is what differs where the settings are in a database of PostgreSQL, in the schema of the catalog.
type shared struct{ config pgx.ConnConfig }

// versions is the table of the migrations that were run. The catalog's, in the same schema, is another.
const versions = "settings_version"

// readers is how many connections read at once, and writers how many may write, one after another.
const (
	readers = 8
	writers = 2

	// Connections is how many a server has at most for its settings.
	Connections = readers + writers
)

// OpenPostgres opens the settings in a PostgreSQL database, which other servers may have open as well, and runs pending
// migrations.
func OpenPostgres(ctx context.Context, url string) (*DB, error) {
	config, err := configured(url)
	if err != nil {
		return nil, err
	}
	writes := sql.OpenDB(connector{stdlib.GetConnector(*config), false})
	writes.SetMaxOpenConns(writers)
	if err := migratePostgres(ctx, writes); err != nil {
		return nil, errors.Join(fmt.Errorf("bringing the settings in PostgreSQL up to date: %w", told(err)), writes.Close())
	}
	return &DB{readPostgres(*config), writes, &shared{*config}}, nil
}

// ReadPostgres opens the settings in a PostgreSQL database for reading alone: nothing is migrated. Without any, the
// error is fs.ErrNotExist.
func ReadPostgres(ctx context.Context, url string) (*DB, error) {
	config, err := configured(url)
	if err != nil {
		return nil, err
	}
	reads := readPostgres(*config)
	var has bool
	err = reads.QueryRowContext(ctx, `SELECT to_regclass('`+versions+`') IS NOT NULL`).Scan(&has)
	if err == nil && !has {
		err = fmt.Errorf("the schema in PostgreSQL has no settings: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, errors.Join(told(err), reads.Close())
	}
	return &DB{reads, reads, &shared{*config}}, nil
}

// limits are parameters of every session. A server that stands still in a transaction must not hold up the others: its
// session is ended. A statement that waits for longer than this is refused, and so is the request.
var limits = map[string]string{"idle_in_transaction_session_timeout": "10s", "statement_timeout": "30s"}

// configured returns how to connect. What the URL says of the limits is left as it is.
func configured(url string) (*pgx.ConnConfig, error) {
	config, err := catalog.PostgresConfig(url)
	if err != nil {
		return nil, err
	}
	for name, limit := range limits {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = limit
		}
	}
	return config, nil
}

func readPostgres(config pgx.ConnConfig) *sql.DB {
	copied := config.Copy()
	copied.RuntimeParams["default_transaction_read_only"] = "on"
	reads := sql.OpenDB(connector{stdlib.GetConnector(*copied), true})
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers / 2)
	return reads
}

// Counters opens another handle to settings that other servers can reach, with one connection, for counts that may be
// lost with the database's last moment: its transactions wait neither for the disk nor for those of Write. The caller
// closes it.
func (d *DB) Counters() *sql.DB {
	config := d.shared.config.Copy()
	config.RuntimeParams["synchronous_commit"] = "off"
	counters := sql.OpenDB(connector{stdlib.GetConnector(*config), false})
	counters.SetMaxOpenConns(1)
	return counters
}

// needs is the version of the tables that a program must know to work with them: what later ones have more are
// additions, as in the catalog (catalog/compatible.go). A migration that is not raises it, and comes with one of the
// catalog that is not either, which is run only once no other server is there.
const needs = 9

// migratePostgres runs pending migrations. Of servers that start at once, one does.
func migratePostgres(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	one, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	beside := func(knows int64) (bool, error) {
		least, err := readNeeds(ctx, db)
		return err == nil && 0 < least && least <= knows, err
	}
	err = upgrade(ctx, goose.DialectPostgres, db, catalog.Translated(files, translateMigration), beside,
		goose.WithTableName(versions), goose.WithSessionLocker(one))
	if least, errNeeds := readNeeds(ctx, db); err != nil || errNeeds != nil || least == 0 || least >= needs {
		return errors.Join(err, errNeeds)
	}
	_, err = db.ExecContext(ctx, `UPDATE compatibility SET settings = ? WHERE settings < ?`, needs, needs)
	return err
}

// readNeeds returns the version of the tables that programs must know; 0: no catalog beside the settings records it.
func readNeeds(ctx context.Context, db *sql.DB) (least int64, err error) {
	var there bool
	err = db.QueryRowContext(ctx, `SELECT to_regclass('compatibility') IS NOT NULL`).Scan(&there)
	if err == nil && there {
		err = db.QueryRowContext(ctx, `SELECT settings FROM compatibility`).Scan(&least)
	}
	return least, err
}

// lockClass is the first half of the advisory lock's key; the other is of the schema.
const lockClass = 0x72777374

// enter waits until no other transaction writes, so that what this one reads stays until it is committed.
func (s *shared) enter(ctx context.Context, tx *sql.Tx) error {
	// What is answered must be durable, whatever the database's default is.
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, hashtext(current_schema())),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
		ELSE current_setting('synchronous_commit') END, TRUE)`, int64(lockClass))
	return err
}

// commit commits a transaction. Where the database can't say what came of it, whoever asked is told so.
func (s *shared) commit(ctx context.Context, db *sql.DB, tx *sql.Tx) error {
	err := told(catalog.CommitPostgres(ctx, db, tx, nil))
	if errors.Is(err, catalog.ErrUncertain) {
		return fault.Errorf(fault.Unavailable, "outcome_unknown", "The database was cut off while this was recorded: it "+
			"is not known whether it was. Look before you send this again.").Because(err)
	}
	return err
}
