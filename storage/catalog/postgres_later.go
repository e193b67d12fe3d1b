package catalog

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A transaction of PostgreSQL's that writes holds up those of all servers. So what it writes is sent together, once
// something is read in it or it is about to be committed: what most commits record takes one round trip.

// unsent is a statement that is sent later.
type unsent struct {
	query string
	args  []any
	none  error // of one that must change exactly one row: its error otherwise; else nil
	dest  []any // of one that returns a row: where its values go; else nil
}

// later runs a statement by the time that something is read in the transaction, or it is committed: that fails if the
// statement does. SQLite runs it at once.
func (tx Tx) later(query string, args ...any) error {
	if tx.writer == nil {
		return tx.exec(query, args...)
	}
	tx.add(nil, query, args)
	if len(tx.writer.queue) >= mostUnsent {
		return tx.send()
	}
	return nil
}

// mostUnsent is how many statements are kept before they are sent: a catalog that is made anew writes millions.
const mostUnsent = 1000

// oneLater is later for a statement that must change exactly one row; none is its error otherwise.
func (tx Tx) oneLater(none error, query string, args ...any) error {
	if tx.writer == nil {
		return tx.one(none, query, args...)
	}
	tx.add(none, query, args)
	return nil
}

func (tx Tx) add(none error, query string, args []any) {
	tx.writer.queue = append(tx.writer.queue, unsent{query: query, args: tx.texts(args), none: none})
}

// Send runs what is run later, and so returns what refuses it.
func (tx Tx) Send() error { return tx.send() }

func (tx Tx) send() error {
	if tx.writer == nil || len(tx.writer.queue) == 0 {
		return nil
	}
	ctx, done := tx.statement()
	defer done()
	return tx.told(tx.writer.send(ctx))
}

// send sends what is queued, and waits for all answers. The first statement that fails ends the transaction, so that
// those after it do nothing.
func (w *writer) send(ctx context.Context) error {
	batch := &pgx.Batch{}
	for _, q := range w.queue {
		batch.Queue(q.query, q.args...)
	}
	all := w.queue
	w.forget()
	return w.conn.Raw(func(c any) error {
		made, ok := c.(*stdlib.Conn)
		if !ok {
			return errors.New("the connection is not one of the driver's")
		}
		answers := made.Conn().SendBatch(ctx, batch)
		for _, q := range all {
			if err := q.answered(answers); err != nil {
				_ = answers.Close() // the first error is what counts
				return err
			}
		}
		return answers.Close()
	})
}

// forget forgets what is queued.
func (w *writer) forget() {
	if w != nil {
		w.queue = nil
	}
}

// answered reads the answer to a statement.
func (q unsent) answered(answers pgx.BatchResults) error {
	if q.dest != nil {
		return answers.QueryRow().Scan(q.dest...)
	}
	tag, err := answers.Exec()
	if err == nil && q.none != nil && tag.RowsAffected() != 1 {
		err = q.none
	}
	return err
}
