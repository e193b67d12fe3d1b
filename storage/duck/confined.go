//go:build duckdb_arrow

package duck

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// An instance that is confined to a scope, with its views made and the footers of its files read, is kept for the next
// statement of the same scope, which costs no more than running it. What keeps clients apart there: a connection serves
// one of them only, so that its temporary objects, prepared statements, variables and settings end with it; and it runs
// single SELECT statements only, so that nothing else can be made or changed. Files that are not in the scope, other
// settings and extensions were out of reach before (Scope).

const (
	maxConfined = 4               // confined processes that wait for a borrower
	confinedFor = 2 * time.Minute // how long they wait: somebody looks at a result before asking more
	maxKept     = 128 << 20       // bytes of memory that one may hold while it waits
	maxReads    = 100             // borrowers that a confined instance serves
)

// Kinds of processes that wait.
func isConfined(p *process) bool { return p.scope != "" }
func isNew(p *process) bool      { return p.scope == "" }
func isAny(*process) bool        { return true }

// keepConfined makes a confined process available. The one that has waited longest makes room for it.
func (p *Pool) keepConfined(one *process) {
	p.mu.Lock()
	p.running[one] = false
	p.ready = append(p.ready, one)
	p.mu.Unlock()
	uses := one.uses
	time.AfterFunc(confinedFor, func() {
		p.drop(func(old *process) bool { return old == one && old.uses == uses })
	})
	if p.waiting(isConfined) > maxConfined {
		p.drop(isConfined)
	}
}

// DropConfined ends the processes that wait confined to a scope: what they have read of its files goes with them.
func (p *Pool) DropConfined() {
	for p.drop(isConfined) {
	}
}

// drop ends the process of a kind that has waited longest. It reports whether there was one.
func (p *Pool) drop(is func(*process) bool) bool {
	p.mu.Lock()
	i := slices.IndexFunc(p.ready, is)
	var one *process
	if i >= 0 {
		one = p.ready[i]
		p.ready = slices.Delete(p.ready, i, i+1)
	}
	p.mu.Unlock()
	if one != nil {
		p.end(one)
	}
	return one != nil
}

// exchange lends a process that is confined to a scope, or, if there is none or the scope is empty, one that is not
// confined, in place of the one that is lent.
func (l *lent) exchange(ctx context.Context, scope string) error {
	if l.scope == scope {
		return nil
	}
	var other *process
	if scope != "" {
		other = l.pool.takeWaiting(ctx, func(one *process) bool { return one.scope == scope })
	}
	switch {
	case other == nil && isNew(l.process):
		return nil
	case other == nil:
		var err error
		if other, err = l.pool.takeNew(ctx); err != nil {
			return err
		}
	}
	given := l.process
	l.pool.work.Go(func() {
		if isConfined(given) {
			l.pool.giveBack(given)
		} else {
			l.pool.keep(given) // it has only parsed a statement
		}
	})
	l.process = other
	return nil
}

// confine makes the process confined to a scope.
func (l *lent) confine(ctx context.Context, s Scope, key string) error {
	if l.scope != "" {
		return nil // it is
	}
	err := l.send(ctx, request{Lock: &locking{strings.Join(s.Setup, ";\n"), s.Session, lockTo(s.Files)}})
	if err == nil {
		l.scope = key
	}
	return err
}

// locking asks a process to confine its instance.
type locking struct {
	Setup   string // SQL that makes the views
	Session string // SQL for every connection
	Lock    string // SQL that confines the instance
}

// lock confines the instance. Where names are looked up can still be set after that, in each connection.
func (c *child) lock(l locking) error {
	for _, sql := range []string{l.Setup, l.Lock} {
		if _, err := c.conn.exec(context.Background(), sql); err != nil {
			return err
		}
	}
	c.session, c.reads = l.Session, maxReads
	return c.reconnect()
}

// next makes the instance ready for another borrower, if it is fit for one. The first is served whatever the views took:
// those of tens of thousands of files hold more memory than an instance may while it waits.
func (c *child) next() error {
	if c.broken {
		return errBroken
	}
	if c.reads == 0 || own("self") > maxKept {
		return errUsed
	}
	c.reads--
	if err := c.isLean(); err != nil {
		return err
	}
	return c.reconnect()
}

// reconnect gives the instance another connection in place of the one that was used.
func (c *child) reconnect() error {
	if err := c.conn.sql.Close(); err != nil {
		return err
	}
	var err error
	if c.conn, err = c.connect(); err != nil {
		return err
	}
	if c.session != "" {
		_, err = c.conn.exec(context.Background(), c.session)
	}
	c.conn.reads = true
	return err
}

// errReads is the refusal of a statement in a confined instance.
var errReads = &duckdb.Error{
	Type: duckdb.ErrorTypePermission, Msg: "Permission Error: only a SELECT statement can be run here",
}

// prepare prepares a statement, and refuses it if the connection may not run it.
func (l *local) prepare(ctx context.Context, conn *duckdb.Conn, query string) (*duckdb.Stmt, error) {
	if !l.reads {
		s, err := conn.PrepareContext(ctx, query)
		return statementOf(s), err
	}
	s, err := conn.Prepare(query) // which runs none of several statements, as PrepareContext does
	if err != nil {
		return nil, err
	}
	stmt := statementOf(s)
	if kind, err := stmt.StatementType(); err != nil || kind != duckdb.STATEMENT_TYPE_SELECT {
		stmt.Close()
		return nil, errors.Join(err, errReads)
	}
	return stmt, nil
}

func statementOf(s driver.Stmt) *duckdb.Stmt {
	stmt, _ := s.(*duckdb.Stmt)
	return stmt
}
