package accounts

import (
	"context"
	"database/sql"
	"time"

	"github.com/rowback/rowback/server/access"
)

// failures counts failed logins in settings that servers share, by the database's clock: theirs may differ.
type failures struct{ *Accounts }

// Failures counts failed logins together with other servers; nil: the settings are this server's alone.
func (a *Accounts) Failures() access.Failures {
	if !a.db.IsShared() {
		return nil
	}
	return failures{a}
}

// byDatabase is the time in microseconds. Only shared settings have the table filled, so only PostgreSQL is asked.
const byDatabase = `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

// Waits implements access.Failures.
func (f failures) Waits(keys ...string) (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for _, key := range keys {
		waits, err := f.db.Query(`SELECT whole - `+byDatabase+` FROM failed_logins WHERE who = ?`, key)
		all, err := list(waits, err, func(r *sql.Rows) (us int64, err error) { return us, r.Scan(&us) })
		if err != nil {
			return nil, err
		}
		for _, us := range all {
			out[key] = max(0, time.Duration(us)*time.Microsecond)
		}
	}
	return out, nil
}

// Failed implements access.Failures. What has been made up for is forgotten.
func (f failures) Failed(pause time.Duration, keys ...string) error {
	ctx := context.Background()
	return f.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM failed_logins WHERE whole < `+byDatabase); err != nil {
			return err
		}
		for _, key := range keys {
			_, err := tx.ExecContext(ctx, `INSERT INTO failed_logins (who, whole)
				VALUES (?1, `+byDatabase+` + CAST(?2 AS BIGINT))
				ON CONFLICT (who) DO UPDATE SET whole = failed_logins.whole + CAST(?2 AS BIGINT)`,
				key, pause.Microseconds())
			if err != nil {
				return err
			}
		}
		return nil
	})
}
