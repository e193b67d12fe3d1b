package catalog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// reader is a transaction of PostgreSQL's that reads. It begins with its first statement, in the same round trip, and
// no one waits for its end.
type reader struct {
	db     *sql.DB
	conn   *sql.Conn // nil: none yet
	once   bool      // it runs one statement, without a transaction
	began  bool
	served bool // a statement was answered, at least in part
}

// beginsReading begins a transaction that sees one state.
const beginsReading = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`

// each runs a statement, and calls f with each row. After the database was restarted, every connection that was kept
// fails once, and another one takes its place.
func (r *reader) each(ctx context.Context, query string, args []any, f func(scanner) error) (err error) {
	if r.once && r.served {
		return errSecond
	}
	for range r.db.Stats().MaxOpenConnections + 1 {
		if r.conn == nil {
			if r.conn, err = r.db.Conn(ctx); err != nil {
				r.conn = nil
				if isStale(err) {
					continue
				}
				return err
			}
		}
		err = r.conn.Raw(func(c any) error {
			made, ok := c.(*stdlib.Conn)
			if !ok {
				return errors.New("the connection is not one of the driver's")
			}
			return r.run(ctx, made.Conn(), query, args, f)
		})
		if err == nil {
			r.served = true // what follows is to see the same state
		}
		if err == nil || r.served || !isStale(err) {
			return err
		}
		_ = r.conn.Close() // it is gone
		r.conn, r.began = nil, false
	}
	return err
}

// errSecond is the error of a mistake in the program.
var errSecond = errors.New("a second statement would see another state than the first")

func (r *reader) run(ctx context.Context, conn *pgx.Conn, query string, args []any, f func(scanner) error) error {
	if r.began || r.once {
		rows, err := conn.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		return r.read(rows, f)
	}
	batch := &pgx.Batch{}
	batch.Queue(beginsReading)
	batch.Queue(query, args...)
	answers := conn.SendBatch(ctx, batch)
	_, err := answers.Exec()
	if err == nil {
		r.began = true
		var rows pgx.Rows
		if rows, err = answers.Query(); err == nil {
			err = r.read(rows, f)
		}
	}
	if failed := answers.Close(); err == nil {
		err = failed
	}
	return err
}

// read calls f with each row.
func (r *reader) read(rows pgx.Rows, f func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		r.served = true
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// endTime is how long the end of a transaction that only read may take, before its connection is closed.
const endTime = 10 * time.Second

// end ends the transaction, and gives its connection back.
func (r *reader) end() {
	if r.conn == nil {
		return
	}
	if !r.began {
		_ = r.conn.Close() // to the others, or it is gone
		return
	}
	go func() {
		ctx, done := context.WithTimeout(context.Background(), endTime)
		defer done()
		_, _ = r.conn.ExecContext(ctx, `ROLLBACK`) // where that fails, the driver closes the connection
		_ = r.conn.Close()
	}()
}
