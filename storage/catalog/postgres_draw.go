package catalog

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
)

// Numbers are drawn from sequences of PostgreSQL's, which several servers share. Those of a dataset's commits grow as
// the lock on its head passes on, since they are drawn by the session that holds it. A draw is on PostgreSQL's disk
// before anything has its number that may outlive the database's memory, so that no number is drawn twice, though none
// may be recorded: before it is answered, or, of the numbers that come with a lock, before they are published (keep).

// sequenceOf is the sequence of PostgreSQL's for each that Draw draws from.
var sequenceOf = map[string]string{CommitIDs: "drawn_commit", FileIDs: "drawn_file", CompactedIDs: "drawn_compacted"}

// makeSequences makes those that are missing. They begin after what is recorded, whenever that is (draw).
func (p *postgres) makeSequences(ctx context.Context, conn *sql.Conn) error {
	for _, name := range sequenceOf {
		if _, err := conn.ExecContext(ctx, `CREATE SEQUENCE IF NOT EXISTS `+name); err != nil {
			return err
		}
	}
	return nil
}

// draw reserves n numbers. A single one is drawn beside other servers. Several, and what follows on numbers that were
// recorded without being drawn, as when the catalog is made anew, are drawn while no one else draws.
func (p *postgres) draw(ctx context.Context, under, sequence string, n int64) (first int64, err error) {
	name, known := sequenceOf[sequence]
	if !known {
		return 0, errors.New("unknown sequence " + sequence)
	}
	if n == 1 {
		if given, ok := p.locks.give(under, sequence, p.session.Load()); ok {
			return given, nil
		}
	}
	err = p.do(ctx, func(ctx context.Context, conn *sql.Conn, s *session) error {
		if g := p.locks.gripOf(under); g != nil && g.session != s {
			return errors.Join(errNotHeld, ErrLockLost)
		}
		if sequence == CommitIDs && n == 1 && p.locks.joins(under) {
			_, numbers, err := p.lockAndDraw(ctx, conn, s, "")
			if err != nil || numbers != nil {
				p.locks.keep(under, numbers)
				first, _ = p.locks.give(under, sequence, s)
				return err
			}
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

// drawn are numbers of sequences, those of each in ascending order.
type drawn map[string][]int64

// lockAndDraw takes the lock of a key if it is free, and draws what a commit needs then: its id, and those of a data
// file and a rollback file. Without a key, it is held. It draws none where numbers were recorded without being drawn:
// draw passes over them.
func (p *postgres) lockAndDraw(
	ctx context.Context, conn *sql.Conn, s *session, key string,
) (got bool, d drawn, err error) {
	var commit, file, other, at sql.NullInt64
	var follow sql.NullBool
	err = conn.QueryRowContext(ctx, lockAndDraw, key, localKey(sequenceOf[CommitIDs]), localKey(sequenceOf[FileIDs])).
		Scan(&got, &commit, &file, &other, &follow, &at)
	if err != nil || !got || !follow.Bool {
		return got, nil, err
	}
	raise(&s.drawnTo, at.Int64)
	// So that it is done, as a rule, when the commit waits for it.
	p.ends.Go(func() { _ = p.keepAll(context.Background(), s) })
	return got, drawn{CommitIDs: {commit.Int64}, FileIDs: {file.Int64, other.Int64}}, nil
}

// Each part needs the one before it, so that they are done in this order.
var lockAndDraw = `WITH got AS MATERIALIZED (SELECT $1::text = '' OR pg_try_advisory_lock(` + keyOf + `) AS ok),
	entered AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(` + keyAs("$2") + `),
		pg_advisory_xact_lock_shared(` + keyAs("$3") + `) FROM got WHERE ok),
	numbers AS MATERIALIZED (SELECT nextval('` + sequenceOf[CommitIDs] + `') AS commit,
		nextval('` + sequenceOf[FileIDs] + `') AS file, nextval('` + sequenceOf[FileIDs] + `') AS other FROM entered)
	SELECT ok, commit, file, other,
		commit > COALESCE((SELECT last FROM sequences WHERE name = '` + CommitIDs + `'), 0)
			AND file > COALESCE((SELECT last FROM sequences WHERE name = '` + FileIDs + `'), 0),
		CASE WHEN other > 0 THEN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint END
	FROM got LEFT JOIN numbers ON TRUE`

// keep waits until what was drawn under a lock is on PostgreSQL's disk. Numbers that did not come with one are there
// before they are answered.
func (p *postgres) keep(ctx context.Context, under string) error {
	g := p.locks.gripOf(under)
	if g == nil {
		return nil
	}
	return p.keepAll(ctx, g.session)
}

// keepAll waits until all that was drawn in a session so far is on PostgreSQL's disk. It was not lost before, as the
// session would have ended with it: that is made sure of in the same transaction, on another connection.
func (p *postgres) keepAll(ctx context.Context, s *session) error {
	to := s.drawnTo.Load()
	s.keeping.Lock()
	defer s.keeping.Unlock()
	if s.keptTo.Load() >= to {
		return nil
	}
	to = s.drawnTo.Load()
	ctx, done := context.WithTimeout(ctx, statementTime)
	defer done()
	var isThere bool
	err := p.read.QueryRowContext(ctx, `SELECT EXISTS
		(SELECT 1 FROM pg_stat_get_activity($1::int) WHERE backend_start::text = $2),
		pg_logical_emit_message(TRUE, 'rowback', '')`, int64(s.pid), s.start).Scan(&isThere, new(any))
	switch {
	case err != nil:
		return Marked(err)
	case !isThere:
		s.end()
		return errors.Join(errNotHeld, ErrLockLost)
	}
	s.kept(to)
	return nil
}

// kept notes that what was drawn in the session up to a place in PostgreSQL's log is on its disk: a transaction of it
// that began later is.
func (s *session) kept(to int64) { raise(&s.keptTo, to) }

// raise makes a number at least another one.
func raise(n *atomic.Int64, to int64) {
	for before := n.Load(); before < to && !n.CompareAndSwap(before, to); {
		before = n.Load()
	}
}

// drawFields reserves field ids in the family's row. A transaction that is about to record it is waited for.
func (p *postgres) drawFields(ctx context.Context, family string, n int64) (first int64, err error) {
	err = p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
		return conn.QueryRowContext(ctx, `UPDATE families SET last_field = last_field + $1 WHERE id = $2
			RETURNING last_field - $1 + 1`, n, family).Scan(&first)
	})
	return first, Marked(err)
}
