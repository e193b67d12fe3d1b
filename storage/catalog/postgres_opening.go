package catalog

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// openingLock is the lock of the server that opens the catalog, until it has brought it up to date.
const openingLock = "opening"

// beginOpening begins to open the catalog, and finds out whether any other server has it. Until started, no other one
// opens it.
func (p *postgres) beginOpening(ctx context.Context) error {
	err := p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
		var got bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(`+keyOf+`)`, localKey(openingLock)).
			Scan(&got); err != nil {
			return err
		}
		if !got {
			return ErrStarting
		}
		if p.first = p.alone; p.first {
			return nil
		}
		var err error
		if p.first, err = p.hasNoServers(ctx); err != nil { // it is tried again, and would have the lock twice
			err = errors.Join(err, p.endOpening(ctx, conn))
		}
		return err
	})
	return Marked(err)
}

// hasNoServers reports whether no server has a number and is there. Those that wait to open the catalog have none yet.
func (p *postgres) hasNoServers(ctx context.Context) (bool, error) {
	var has bool
	if err := p.read.QueryRowContext(ctx, `SELECT to_regclass('servers') IS NOT NULL`).Scan(&has); err != nil || !has {
		return err == nil, err
	}
	alive, err := p.servers(ctx)
	return err == nil && len(alive) == 0, err
}

// enroll gives this server its number.
func (p *postgres) enroll(ctx context.Context) error {
	alive, err := p.servers(ctx)
	if err != nil {
		return err
	}
	there := map[int64]bool{}
	for _, s := range alive {
		there[s.ID] = true
	}
	now := micros(time.Now())
	return p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error {
		var id int64
		if err := conn.QueryRowContext(ctx, `INSERT INTO servers (id, name, since)
			SELECT GREATEST($1::bigint, COALESCE(MAX(id), 0) + 1), $2, $1 FROM servers RETURNING id`, now, p.server).
			Scan(&id); err != nil {
			return err
		}
		p.id = id
		_, err := conn.ExecContext(ctx, `SELECT pg_try_advisory_lock(`+keyOf+`)`, serverLock(id))
		if err == nil {
			err = p.forgetServers(ctx, conn, there)
		}
		return errors.Join(err, p.makeSequences(ctx, conn))
	})
}

// forgetServers removes the rows of servers that are gone, except for the last ones, which people may ask for.
func (p *postgres) forgetServers(ctx context.Context, conn *sql.Conn, alive map[int64]bool) error {
	rows, err := conn.QueryContext(ctx, `SELECT id FROM servers ORDER BY id DESC OFFSET 100`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var gone []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if !alive[id] {
			gone = append(gone, id)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, id := range gone {
		if _, err := conn.ExecContext(ctx, `DELETE FROM servers WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}

// started lets other servers open the catalog.
func (p *postgres) started(ctx context.Context) error {
	return Marked(p.do(ctx, func(ctx context.Context, conn *sql.Conn, _ *session) error { return p.endOpening(ctx, conn) }))
}

func (p *postgres) endOpening(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(`+keyOf+`)`, localKey(openingLock))
	return err
}

func (p *postgres) isFirst() bool { return p.first }

// servers lists those whose sessions hold their locks.
func (p *postgres) servers(ctx context.Context) ([]Server, error) {
	held, err := p.heldKeys(ctx)
	if err != nil {
		return nil, Marked(err)
	}
	rows, err := p.read.QueryContext(ctx, `SELECT id, name, since FROM servers ORDER BY id`)
	if err != nil {
		return nil, Marked(err)
	}
	defer rows.Close()
	all, alive := []Server{}, []Server{}
	for rows.Next() {
		var s Server
		var since int64
		if err := rows.Scan(&s.ID, &s.Name, &since); err != nil {
			return nil, err
		}
		s.Since = moment(since)
		all = append(all, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, Marked(err)
	}
	for _, s := range all {
		var key int64
		if err := p.read.QueryRowContext(ctx, `SELECT `+keyOf, serverLock(s.ID)).Scan(&key); err != nil {
			return nil, Marked(err)
		}
		if held[key] != 0 {
			alive = append(alive, s)
		}
	}
	return alive, nil
}

// heldKeys are the keys of the locks of names that any session holds for itself, each with the session's number.
func (p *postgres) heldKeys(ctx context.Context) (map[int64]int64, error) {
	rows, err := p.read.QueryContext(ctx, `SELECT (classid::bigint << 32) | objid::bigint, pid FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND mode = 'ExclusiveLock'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	held := map[int64]int64{}
	for rows.Next() {
		var key, session int64
		if err := rows.Scan(&key, &session); err != nil {
			return nil, err
		}
		held[key] = session
	}
	return held, rows.Err()
}
