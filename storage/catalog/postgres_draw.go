package catalog

import (
	"context"
	"database/sql"
	"errors"
)

// Numbers are drawn from sequences of PostgreSQL's, which several servers share. Those of a dataset's commits grow as
// the lock on its head passes on, since they are drawn by the session that holds it. Each draw is on PostgreSQL's disk
// before it is answered, so that no number is drawn twice, though none may be recorded.

// drawn is the sequence of PostgreSQL's for each that Draw draws from.
var drawn = map[string]string{CommitIDs: "drawn_commit", FileIDs: "drawn_file", CompactedIDs: "drawn_compacted"}

// makeSequences makes those that are missing. They begin after what is recorded, whenever that is (draw).
func (p *postgres) makeSequences(ctx context.Context, conn *sql.Conn) error {
	for _, name := range drawn {
		if _, err := conn.ExecContext(ctx, `CREATE SEQUENCE IF NOT EXISTS `+name); err != nil {
			return err
		}
	}
	return nil
}

// draw reserves n numbers. A single one is drawn beside other servers. Several, and what follows on numbers that were
// recorded without being drawn, as when the catalog is made anew, are drawn while no one else draws.
func (p *postgres) draw(ctx context.Context, under, sequence string, n int64) (first int64, err error) {
	name, known := drawn[sequence]
	if !known {
		return 0, errors.New("unknown sequence " + sequence)
	}
	err = p.do(ctx, func(ctx context.Context, conn *sql.Conn, s *session) error {
		if g := p.locks.gripOf(under); g != nil && g.session != s {
			return errors.Join(errNotHeld, ErrLockLost)
		}
		if n == 1 {
			var last int64
			err := conn.QueryRowContext(ctx, `WITH entered AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(`+keyOf+`))
				SELECT nextval('`+name+`'), COALESCE((SELECT last FROM sequences WHERE name = $2), 0),
				pg_logical_emit_message(TRUE, 'rowback', '') FROM entered`, localKey(name), sequence).Scan(&first, &last, new(any))
			if err != nil || first > last {
				return err
			}
		}
		recorded := `COALESCE((SELECT last FROM sequences WHERE name = $2), 0)`
		ask := `WITH entered AS MATERIALIZED (SELECT pg_advisory_xact_lock(` + keyOf + `))
			SELECT setval('` + name + `', GREATEST(nextval('` + name + `') - 1, ` + recorded + `) + $3::bigint) FROM entered`
		if n == 0 {
			ask = `SELECT GREATEST(CASE WHEN is_called THEN last_value ELSE 0 END, ` + recorded + `) + $3::bigint
				FROM ` + name + ` WHERE $1::text <> ''`
		}
		var last int64
		err := conn.QueryRowContext(ctx, ask, localKey(name), sequence, n).Scan(&last)
		first = last - n + 1
		return err
	})
	return first, Marked(err)
}

// drawFields reserves field ids in the family's row. A transaction that is about to record it is waited for.
func (p *postgres) drawFields(ctx context.Context, family string, n int64) (first int64, err error) {
	err = p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
		return conn.QueryRowContext(ctx, `UPDATE families SET last_field = last_field + $1 WHERE id = $2
			RETURNING last_field - $1 + 1`, n, family).Scan(&first)
	})
	return first, Marked(err)
}
