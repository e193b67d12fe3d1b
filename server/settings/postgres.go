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

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// shared is what differs where the settings are in a database of PostgreSQL, in the schema of the catalog.
type shared struct{ epoch int64 }

// versions is the table of the migrations that were run. The catalog's, in the same schema, is another.
const versions = "settings_version"

// readers is how many connections read at once, and writers how many may write, one after another.
const (
	readers = 8
	writers = 2
)

// OpenPostgres opens the settings in a PostgreSQL database and runs pending migrations. epoch is the tenure in which this
// server has the catalog: once another server has taken that over, nothing is written here either. 0: no server has it.
func OpenPostgres(ctx context.Context, url string, epoch int64) (*DB, error) {
	config, err := configured(url)
	if err != nil {
		return nil, err
	}
	writes := sql.OpenDB(connector{stdlib.GetConnector(*config), false})
	writes.SetMaxOpenConns(writers)
	if err := migratePostgres(ctx, writes); err != nil {
		return nil, errors.Join(fmt.Errorf("bringing the settings in PostgreSQL up to date: %w", told(err)), writes.Close())
	}
	return &DB{readPostgres(*config), writes, &shared{epoch}}, nil
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
	return &DB{reads, reads, &shared{}}, nil
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

func migratePostgres(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return upgrade(ctx, goose.DialectPostgres, db, catalog.Translated(files, translateMigration),
		goose.WithTableName(versions))
}

// lockClass is the first half of the advisory lock's key; the other is of the schema.
const lockClass = 0x72777374

// enter waits until no other transaction writes, so that what this one reads stays until it is committed, and makes sure
// that no other server has taken over: one that is about to waits for this transaction.
func (s *shared) enter(ctx context.Context, tx *sql.Tx) error {
	// What is answered must be durable, whatever the database's default is.
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, hashtext(current_schema())),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
		ELSE current_setting('synchronous_commit') END, TRUE)`, int64(lockClass))
	if err != nil || s.epoch == 0 {
		return err
	}
	var epoch int64
	if err := tx.QueryRowContext(ctx, `SELECT epoch FROM tenure FOR SHARE`).Scan(&epoch); err != nil {
		return err
	}
	if epoch != s.epoch {
		return catalog.ErrLost
	}
	return nil
}

// Holds reports why nothing can be written: another server has taken over, or the database is away. What can't be undone
// is done only after it was asked.
func (d *DB) Holds(ctx context.Context) error {
	if d.shared == nil || d.shared.epoch == 0 {
		return nil
	}
	var epoch int64
	err := d.QueryRowContext(ctx, `SELECT epoch FROM tenure`).Scan(&epoch)
	if err == nil && epoch != d.shared.epoch {
		err = catalog.ErrLost
	}
	return told(err)
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
