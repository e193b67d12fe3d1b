//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/rowback/rowback/storage/duck/displaced"
)

// connector is an instance with the functions that this package adds. sql.DB closes it with itself.
type connector struct {
	*duckdb.Connector
	closing func()
}

func (c *connector) Close() error {
	c.closing()
	return c.Connector.Close()
}

// open starts an instance.
func (l Limits) open() (*sql.DB, error) {
	own, err := duckdb.NewConnector(l.dsn(), nil)
	if err != nil {
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	c := &connector{own, func() {}}
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(0) // closing a connection drops its temporary tables
	if err := c.prepare(db); err != nil {
		db.Close()
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	return db, nil
}

// prepare sets what all connections to the instance share.
func (c *connector) prepare(db *sql.DB) error {
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(context.Background(), settings); err != nil {
		return err
	}
	l := &local{sql: conn}
	return l.raw(func(on *duckdb.Conn) error {
		closing, err := displaced.Register(pointerIn(c.Connector, "db"), handleOf(on))
		if err == nil {
			c.closing = closing
		}
		return err
	})
}

// IsLive returns the SQL of whether a row is not among some, given the SQL of its number and that of a query of theirs.
// It is fastest where the number is a column of a scan of Parquet. It may be used in any statement of the server's.
func IsLive(row, positions string) string {
	quote := "$positions$" // the text has lists of files, which the guard finds in it only as they are
	for strings.Contains(positions, quote) {
		quote = "$_" + quote[1:]
	}
	return displaced.Function + "(" + row + ", " + quote + positions + quote + ")"
}

// unnested returns the error of the query in IsLive where err is one of the statement around it.
func unnested(err error) error {
	var de *duckdb.Error
	if !errors.As(err, &de) {
		return err
	}
	inner, ok := strings.CutPrefix(de.Msg, "Binder Error: "+displaced.Failed)
	if !ok {
		return err
	}
	own := statementError(inner)
	if errors.As(own, &de) {
		own = located(de, "", own)
	}
	return own
}
