package catalog

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Intent is a batch of objects that is about to be published.
type Intent struct {
	Key         string // of the batch: <dataset>/<commit id>, or another directory of a dataset
	Description string // the file that publishes it
	IsWithdrawn bool   // of a commit that never stands, published or not
}

// ofCommit returns the dataset of a batch, and the commit that it is of; 0: none.
func (i Intent) ofCommit() (dataset string, commit int64) {
	dataset, rest, _ := strings.Cut(i.Key, "/")
	commit, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return dataset, 0
	}
	return dataset, commit
}

// databaseTime is the time by PostgreSQL's clock, in microseconds: those of servers may differ.
const databaseTime = `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

// intend notes batches in a transaction of its own, which does not wait for those that write, nor for the disk: lost
// with the database's last moment, it leaves objects that no one looks for, and no harm.
const intend = `WITH light AS (SELECT set_config('synchronous_commit', 'off', TRUE))
	INSERT INTO intents (object_key, dataset_id, commit_id, description, noted_at)
	SELECT i.*, ` + databaseTime + ` FROM light, unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS i
	ON CONFLICT (object_key) DO NOTHING`

// Intend notes batches that are about to be published, in a catalog that several servers share.
func (c *Catalog) Intend(ctx context.Context, batches ...Intent) error {
	keys, datasets := make([]string, len(batches)), make([]string, len(batches))
	commits, descriptions := make([]int64, len(batches)), make([]string, len(batches))
	for n, i := range batches {
		keys[n], descriptions[n] = i.Key, i.Description
		datasets[n], commits[n] = i.ofCommit()
	}
	ctx, done := context.WithTimeout(ctx, statementTime)
	defer done()
	_, err := c.read.ExecContext(ctx, intend, keys, datasets, commits, descriptions)
	return c.told(err)
}

// RenewIntents has the batches of some keys that were noted be noted now: what takes longer than a day to be published
// is not removed meanwhile.
func (c *Catalog) RenewIntents(ctx context.Context, keys []string) (err error) {
	ctx, done := context.WithTimeout(ctx, statementTime)
	defer done()
	for _, key := range keys {
		_, errOne := c.read.ExecContext(ctx, `UPDATE intents SET noted_at = `+databaseTime+` WHERE object_key = $1`, key)
		err = errors.Join(err, c.told(errOne))
	}
	return err
}

// LateIntents lists the batches that were noted longer ago than an age, by the database's clock, and are not of a
// commit that stands. Those that are, are forgotten.
func (c *Catalog) LateIntents(ctx context.Context, age time.Duration) (late []Intent, err error) {
	err = c.Write(ctx, func(tx Tx) error {
		if err := tx.exec(`DELETE FROM intents WHERE noted_at < `+databaseTime+` - CAST($1 AS BIGINT) AND EXISTS
			(SELECT 1 FROM commits WHERE commits.dataset_id = intents.dataset_id AND commits.id = intents.commit_id)`,
			age.Microseconds()); err != nil {
			return err
		}
		// What was not recorded by now never is: its server has ended, or has given it up.
		if err := tx.exec(`INSERT INTO withdrawn (commit_id, withdrawn_at) SELECT commit_id, `+databaseTime+` FROM intents
			WHERE commit_id > 0 AND noted_at < `+databaseTime+` - CAST($1 AS BIGINT)
			ON CONFLICT (commit_id) DO NOTHING`, age.Microseconds()); err != nil {
			return err
		}
		late, err = list(tx, func(s scanner) (i Intent, err error) {
			return i, s.Scan(&i.Key, &i.Description, &i.IsWithdrawn)
		}, `SELECT object_key, description, commit_id > 0 FROM intents
			WHERE noted_at < `+databaseTime+` - CAST($1 AS BIGINT) ORDER BY noted_at`, age.Microseconds())
		return err
	})
	return late, err
}

// ForgetIntent forgets a batch that was noted.
func (tx Tx) ForgetIntent(key string) error {
	return tx.exec(`DELETE FROM intents WHERE object_key = $1`, key)
}

// Debt is what a server could not take back yet.
type Debt struct {
	Server, Number int64
	Text           string
}

// Owe notes a debt.
func (tx Tx) Owe(d Debt) error {
	return tx.exec(`INSERT INTO owed (server, number, debt) VALUES ($1, $2, $3)`, d.Server, d.Number, d.Text)
}

// Owed lists all debts, those of a server in their order.
func (tx Tx) Owed() ([]Debt, error) {
	return list(tx, func(s scanner) (d Debt, err error) { return d, s.Scan(&d.Server, &d.Number, &d.Text) },
		`SELECT server, number, debt FROM owed ORDER BY server, number`)
}

// Pay forgets a debt.
func (tx Tx) Pay(d Debt) error {
	return tx.exec(`DELETE FROM owed WHERE server = $1 AND number = $2`, d.Server, d.Number)
}
