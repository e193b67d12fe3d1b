package settings

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rowback/rowback/storage/catalog"
)

// connector connects to PostgreSQL. Statements are translated, texts are stored as the catalog's are, and the errors of
// a database that is away are marked as such.
type connector struct {
	driver.Connector
	reads bool // only: a statement that was cut off can be run again
}

// Connect makes a connection.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, told(err)
	}
	to, ok := made.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(errors.New("the driver of PostgreSQL makes connections of another kind"), made.Close())
	}
	return conn{to, c.reads}, nil
}

// told marks an error of a database that is away. Marked or not, that of a connection that was kept and is gone has
// another connection tried.
func told(err error) error { return catalog.Marked(err) }

type conn struct {
	*stdlib.Conn
	reads bool
}

// again returns the error with which another connection is tried, if this one is gone.
func (c conn) again(err error) error {
	if c.Conn.Conn().IsClosed() {
		return told(driver.ErrBadConn)
	}
	return told(err)
}

// BeginTx begins a transaction.
func (c conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	if err != nil {
		return nil, c.again(err)
	}
	return tx, nil
}

// PrepareContext prepares a statement.
func (c conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	prepared, err := c.Conn.PrepareContext(ctx, translate(query))
	if err != nil {
		return nil, told(err)
	}
	return prepared, nil
}

// ExecContext runs a statement.
func (c conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	done, err := c.Conn.ExecContext(ctx, translate(query), args)
	if err != nil {
		return nil, told(err)
	}
	return done, nil
}

// QueryContext runs a query.
func (c conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	found, err := c.Conn.QueryContext(ctx, translate(query), args)
	if err != nil && c.reads {
		return nil, c.again(err)
	}
	if err != nil {
		return nil, told(err)
	}
	return rows{found}, nil
}

// CheckNamedValue makes a parameter one that PostgreSQL can store.
func (c conn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value); err != nil {
		return err
	}
	if text, ok := v.Value.(string); ok {
		v.Value = catalog.Escape(text)
	}
	return nil
}

// rows are the rows of a query, whose texts are as they were before they were stored.
type rows struct{ driver.Rows }

// Next reads the next row.
func (r rows) Next(dest []driver.Value) error {
	if err := r.Rows.Next(dest); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return told(err)
	}
	for i, v := range dest {
		if text, ok := v.(string); ok {
			dest[i] = catalog.Unescape(text)
		}
	}
	return nil
}

// ColumnTypeDatabaseTypeName returns the name of a column's type.
func (r rows) ColumnTypeDatabaseTypeName(i int) string {
	if named, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return named.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}
