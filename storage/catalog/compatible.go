package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Servers of two versions of the program may have the catalog open in one database: each is replaced while the others
// go on. So migrations are additions that a program which does not know them works beside: tables, columns with a
// default, indexes. It names the columns that it reads and writes. A migration that is not, such as one that removes or
// renames something, or gives it another meaning, raises needs to its own version. It is run only once no server is
// there that does not know it, and programs that do not are refused from then on. Table tenure waits for one: nothing
// uses it, but backups that servers of former versions make copy every table that those know.
const needs = 26

// ErrOthersAreOlder is returned by a program whose migrations the servers that have the catalog can't work beside.
var ErrOthersAreOlder = errors.New("this version of the program changes the catalog in a way that other servers, which " +
	"have it open, can't work with: stop them all, start this one, then replace the others")

// errNewer refuses a catalog of a newer version of the program.
func errNewer(has, knows int64, remedy string) error {
	return fmt.Errorf("it is of a newer version of the program (%d; this one knows %d). Use that version%s", has, knows,
		remedy)
}

// beside reports why a program that knows the tables up to a version can't work with those of a later one, has.
func (p *postgres) beside(ctx context.Context, db *sql.DB, has, knows int64) error {
	var there bool
	var least int64
	err := db.QueryRowContext(ctx, `SELECT to_regclass('compatibility') IS NOT NULL`).Scan(&there)
	if err == nil && there {
		err = db.QueryRowContext(ctx, `SELECT needs FROM compatibility`).Scan(&least)
	}
	if err == nil && (!there || least > knows) {
		err = errNewer(has, knows, "")
	}
	return err
}

// mayUpgrade refuses migrations after a version that others who have the catalog can't work beside. They know no later
// version, or they would have made it.
func (p *postgres) mayUpgrade(ctx context.Context, has int64) error {
	if p.first || p.needs() <= has {
		return nil
	}
	others, err := p.servers(ctx)
	if err != nil {
		return err
	}
	names := ""
	for _, s := range others {
		names += "\n  " + s.Name
	}
	return fmt.Errorf("%w. They are:%s", ErrOthersAreOlder, names)
}

// upgraded notes what programs must know from now on.
func (p *postgres) upgraded(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `UPDATE compatibility SET needs = $1 WHERE needs < $1`, p.needs())
	return err
}

// needs is that of the program, or of the one that a test plays.
func (p *postgres) needs() int64 {
	if p.plays != nil {
		return p.plays.needs
	}
	return needs
}
