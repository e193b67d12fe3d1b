package webhooks

import (
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Hook is a webhook: where messages go, and which.
type Hook struct {
	ID             string
	URL            string
	Secret         string // only the answer to its creation has it
	Description    string
	Kinds          []Kind // empty: all
	Project        int64  // 0: of all projects, and of the server
	Dataset        string // empty: of all datasets
	IsEnabled      bool
	DisabledReason string    // if the server disabled it
	Failures       int       // attempts since the last that succeeded
	FailingSince   time.Time // the first of them; zero: none
	PausedUntil    time.Time // nothing is sent before
	User           string    // who made it, or has enabled it since: it lasts as long as they may have it
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// wants reports whether an event is one of those that a webhook gets. Events of the server go to those of all projects.
func (h Hook) wants(e Event) bool {
	return (len(h.Kinds) == 0 || slices.Contains(h.Kinds, e.Kind)) &&
		(h.Project == 0 || h.Project == e.Project) && (h.Dataset == "" || h.Dataset == e.Dataset)
}

// querier is the database, or a transaction of it.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

type scanner interface{ Scan(dest ...any) error }

// list reads all rows. The result is never nil.
func list[T any](q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// micros is how times are stored: as microseconds since 1970; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the reverse of micros.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

const hookColumns = `id, url, secret, description, kinds, project_id, dataset_id, is_enabled, disabled_reason, failures,
	failing_since, paused_until, user_name, created_at, updated_at`

func scanHook(s scanner) (h Hook, err error) {
	var kinds string
	var failing, paused, created, updated int64
	err = s.Scan(&h.ID, &h.URL, &h.Secret, &h.Description, &kinds, &h.Project, &h.Dataset, &h.IsEnabled,
		&h.DisabledReason, &h.Failures, &failing, &paused, &h.User, &created, &updated)
	if err != nil {
		return h, err
	}
	h.FailingSince, h.PausedUntil = moment(failing), moment(paused)
	h.CreatedAt, h.UpdatedAt = moment(created), moment(updated)
	return h, json.Unmarshal([]byte(kinds), &h.Kinds)
}

// hooks lists webhooks by id.
func hooks(q querier) ([]Hook, error) {
	return list(q, scanHook, `SELECT `+hookColumns+` FROM webhooks ORDER BY id`)
}

// enabledHooks lists those that events are queued for.
func enabledHooks(q querier) ([]Hook, error) {
	return list(q, scanHook, `SELECT `+hookColumns+` FROM webhooks WHERE is_enabled ORDER BY id`)
}

// hook returns one webhook, or ErrNotFound.
func hook(q querier, id string) (Hook, error) {
	h, err := scanHook(q.QueryRow(`SELECT `+hookColumns+` FROM webhooks WHERE id = ?1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return h, err
}

// putHook adds a webhook, or changes the one with its id.
func putHook(tx *sql.Tx, h Hook) error {
	kinds, err := json.Marshal(slices.Concat([]Kind{}, h.Kinds))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO webhooks (`+hookColumns+`)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
		ON CONFLICT (id) DO UPDATE SET url = excluded.url, description = excluded.description, kinds = excluded.kinds,
		is_enabled = excluded.is_enabled, disabled_reason = excluded.disabled_reason, failures = excluded.failures,
		failing_since = excluded.failing_since, paused_until = excluded.paused_until, user_name = excluded.user_name,
		updated_at = excluded.updated_at`,
		h.ID, h.URL, h.Secret, h.Description, string(kinds), h.Project, h.Dataset, h.IsEnabled, h.DisabledReason,
		h.Failures, micros(h.FailingSince), micros(h.PausedUntil), h.User, micros(h.CreatedAt), micros(h.UpdatedAt))
	return err
}

// StopOf disables those webhooks of a user that the user may no longer have: why returns the reason, or nothing for one
// that may stay. It returns how many were disabled. Their messages wait until someone enables them.
func StopOf(tx *sql.Tx, user string, why func(Hook) string) (stopped int, err error) {
	all, err := list(tx, scanHook, `SELECT `+hookColumns+` FROM webhooks WHERE is_enabled AND user_name = ?1`, user)
	if err != nil {
		return 0, err
	}
	for _, h := range all {
		reason := why(h)
		if reason == "" {
			continue
		}
		if _, err := tx.Exec(`UPDATE webhooks SET is_enabled = FALSE, disabled_reason = ?2 WHERE id = ?1`,
			h.ID, reason); err != nil {
			return stopped, err
		}
		stopped++
	}
	return stopped, nil
}

// DisableAll disables all webhooks, for a reason. Their messages wait until they are enabled again.
func DisableAll(tx *sql.Tx, reason string) error {
	_, err := tx.Exec(`UPDATE webhooks SET is_enabled = FALSE, disabled_reason = ? WHERE is_enabled`, reason)
	return err
}
