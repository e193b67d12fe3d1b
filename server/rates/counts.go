package rates

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/rowback/rowback/server/settings"
)

// Settings are counts in settings that servers share, by the database's clock: theirs may differ.
type Settings struct{ db *sql.DB }

// InSettings returns the counts in settings; nil: they are this server's alone.
func InSettings(set *settings.DB) *Settings {
	if !set.IsShared() {
		return nil
	}
	return &Settings{set.Counters()}
}

// Close closes the connection.
func (s *Settings) Close() error { return s.db.Close() }

// thisMoment is when the statement began, in microseconds.
const thisMoment = `CAST(extract(epoch FROM now()) * 1000000 AS BIGINT)`

// add counts what was used. The rows are locked in one order, so that servers do not lock each other out. A bucket is
// full again within the time that the second parameter says, whatever was used of it.
const add = `INSERT INTO request_rates AS had (who, whole)
	SELECT who, ` + thisMoment + ` + takes FROM json_to_recordset(CAST(?1 AS JSON)) AS used (who TEXT, takes BIGINT)
	ORDER BY who
	ON CONFLICT (who) DO UPDATE SET whole = least(` + thisMoment + ` + CAST(?2 AS BIGINT),
		greatest(had.whole, ` + thisMoment + `) + excluded.whole - ` + thisMoment + `)
	RETURNING who, whole - ` + thisMoment

// most is the longest that it takes until a bucket is full again: servers that were apart may have used more than it had.
const most = 3 * window * time.Second

// Add implements Counts.
func (s *Settings) Add(ctx context.Context, uses []Use) (map[string]time.Duration, error) {
	type row struct {
		Who   string `json:"who"`
		Takes int64  `json:"takes"` // microseconds
	}
	list := make([]row, len(uses))
	for i, u := range uses {
		list[i] = row{u.Key, u.Takes.Microseconds()}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	found, err := s.db.QueryContext(ctx, add, string(text), most.Microseconds())
	if err != nil {
		return nil, err
	}
	defer found.Close()
	full := make(map[string]time.Duration, len(uses))
	for found.Next() {
		var who string
		var us int64
		if err := found.Scan(&who, &us); err != nil {
			return nil, err
		}
		full[who] = time.Duration(us) * time.Microsecond
	}
	return full, found.Err()
}

// Forget implements Counts. Rows that another server is counting in are left alone.
func (s *Settings) Forget(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM request_rates WHERE who IN (SELECT who FROM request_rates
		WHERE whole < `+thisMoment+` FOR UPDATE SKIP LOCKED)`)
	return err
}
