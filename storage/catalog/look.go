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
	Duties     []Duty        // that servers have
	Owed       int64         // changes of the bucket that servers could not make yet
	Unfinished int64         // jobs of servers that have ended
	Has, Knows int64         // the version of its tables, and the one that this program makes them
	Refused    error         // why this program can't work with them; nil: it can
	Ahead      time.Duration // how far the database's clock is ahead of this machine's
	Took       time.Duration // a round trip

	Connections, Most int64 // how many the database has now, and how many it takes from roles like this one
}

// Duty is what one server does for all.
type Duty struct {
	Name   string
	Server int64 // which has it
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
	if err := read.QueryRowContext(ctx, `SELECT count(*), current_setting('max_connections')::bigint
		- current_setting('superuser_reserved_connections')::bigint FROM pg_stat_activity
		WHERE backend_type = 'client backend'`).Scan(&l.Connections, &l.Most); err != nil {
		return l, err
	}
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
		err = l.look(ctx, p)
	}
	if errors.Is(err, ErrNoCatalog) { // of a program that had it alone
		err = nil
	}
	return l, err
}

// look finds which servers there are, what they do, and what is left to do.
func (l *Look) look(ctx context.Context, p *postgres) (err error) {
	if l.Servers, err = p.servers(ctx); err != nil {
		return err
	}
	if l.Duties, err = p.duties(ctx, l.Servers); err != nil {
		return err
	}
	return p.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM owed), (SELECT count(*) FROM jobs
		WHERE progress >= 0 AND progress < 100 AND NOT server = ANY ($1))`, idsOf(l.Servers)).Scan(&l.Owed, &l.Unfinished)
}

func idsOf(servers []Server) []int64 {
	ids := make([]int64, len(servers))
	for i, s := range servers {
		ids[i] = s.ID
	}
	return ids
}

// duties lists the duties that servers have: the same session holds the server's lock and that of its duty.
func (p *postgres) duties(ctx context.Context, servers []Server) (list []Duty, err error) {
	held, err := p.heldKeys(ctx)
	if err != nil {
		return nil, err
	}
	session := func(lock string) (int64, error) {
		var key int64
		err := p.read.QueryRowContext(ctx, `SELECT `+keyOf, lock).Scan(&key)
		return held[key], err
	}
	of := map[int64]int64{}
	for _, s := range servers {
		n, err := session(serverLock(s.ID))
		if err != nil {
			return nil, err
		}
		of[n] = s.ID
	}
	for _, name := range Duties() {
		n, err := session(localKey(DutyLock(name)))
		if err != nil {
			return nil, err
		}
		if id, ok := of[n]; ok && n != 0 {
			list = append(list, Duty{name, id})
		}
	}
	return list, nil
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
