package catalog

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Receipt is the answer to a request with an Idempotency-Key.
type Receipt struct {
	User        string          `json:"user"`
	Key         string          `json:"key"`
	Fingerprint string          `json:"fingerprint"` // of method, target and body
	Answer      json.RawMessage `json:"answer"`
	CreatedAt   time.Time       `json:"created_at"`
}

// AddReceipt records the answer to a user's key, unless it has one.
func (tx Tx) AddReceipt(r Receipt) error {
	answer, err := compact(r.Answer)
	if err != nil {
		return err
	}
	return tx.later(`INSERT INTO receipts (user_name, request_key, fingerprint, answer, created_at)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_name, request_key) DO NOTHING`, r.User, r.Key, r.Fingerprint, answer, micros(r.CreatedAt))
}

// SetAnswer replaces the answer to a user's key, if there is one.
func (tx Tx) SetAnswer(r Receipt) error {
	answer, err := compact(r.Answer)
	if err != nil {
		return err
	}
	return tx.exec(`UPDATE receipts SET answer = $1 WHERE user_name = $2 AND request_key = $3`, answer, r.User, r.Key)
}

// compact removes indentation, so that an answer read back from commit.json has the bytes of the original one.
func compact(text json.RawMessage) (string, error) {
	var out bytes.Buffer
	err := json.Compact(&out, text)
	return out.String(), err
}

// Receipt returns the recorded answer to a user's key.
func (tx Tx) Receipt(user, key string) (Receipt, error) {
	return get(tx, func(s scanner) (r Receipt, err error) {
		var created int64
		var answer string
		err = s.Scan(&r.User, &r.Key, &r.Fingerprint, &answer, &created)
		r.Answer, r.CreatedAt = json.RawMessage(answer), moment(created)
		return r, err
	}, `SELECT user_name, request_key, fingerprint, answer, created_at FROM receipts
		WHERE user_name = $1 AND request_key = $2`, user, key)
}

// ForgetReceipts removes the answers from before t.
func (tx Tx) ForgetReceipts(t time.Time) error {
	return tx.exec(`DELETE FROM receipts WHERE created_at < $1`, micros(t))
}

// JobDone is the progress of a job that has succeeded, JobFailed of one that has failed.
const (
	JobDone   = 100
	JobFailed = -1
)

// Job is work that the server answers with 202 and does in the background.
type Job struct {
	ID        string          `json:"id"`
	Progress  int             `json:"progress"` // 0 to 100; -1: it failed
	Message   string          `json:"message"`
	Answer    json.RawMessage `json:"answer"` // of work that is done; else null
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`

	Server   int64     `json:"-"` // that does the work (Catalog.Server)
	Promised []Receipt `json:"-"` // of the request that asked for it, until it has ended
}

const jobColumns = `id, progress, message, answer, created_at, updated_at`

// AddJob adds the row of a job that begins.
func (tx Tx) AddJob(j Job) error {
	promised := ""
	if len(j.Promised) > 0 {
		text, err := json.Marshal(j.Promised)
		if err != nil {
			return err
		}
		promised = string(text)
	}
	return tx.exec(`INSERT INTO jobs (`+jobColumns+`, server, promised) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		j.ID, j.Progress, j.Message, string(j.Answer), micros(j.CreatedAt), micros(j.UpdatedAt), j.Server, promised)
}

// PutJob adds the row of a job that has ended, or updates the existing one.
func (tx Tx) PutJob(j Job) error {
	answer, err := compact(j.Answer)
	if err != nil {
		return err
	}
	return tx.later(`INSERT INTO jobs (`+jobColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET progress = excluded.progress, message = excluded.message,
		answer = excluded.answer, updated_at = excluded.updated_at, promised = ''`,
		j.ID, j.Progress, j.Message, answer, micros(j.CreatedAt), micros(j.UpdatedAt))
}

// SetJob updates a job's row.
func (tx Tx) SetJob(j Job) error {
	return tx.one(ErrNotFound, `UPDATE jobs SET progress = $1, message = $2, answer = $3, updated_at = $4 WHERE id = $5`,
		j.Progress, j.Message, string(j.Answer), micros(j.UpdatedAt), j.ID)
}

// Job returns one job.
func (tx Tx) Job(id string) (Job, error) {
	return get(tx, func(s scanner) (j Job, err error) {
		var created, updated int64
		var answer, promised string
		err = s.Scan(&j.ID, &j.Progress, &j.Message, &answer, &created, &updated, &j.Server, &promised)
		j.Answer, j.CreatedAt, j.UpdatedAt = json.RawMessage(answer), moment(created), moment(updated)
		if err == nil && promised != "" {
			err = json.Unmarshal([]byte(promised), &j.Promised)
		}
		return j, err
	}, `SELECT `+jobColumns+`, server, promised FROM jobs WHERE id = $1`, id)
}

// JobServers lists the servers that have unfinished jobs.
func (tx Tx) JobServers() ([]int64, error) {
	return list(tx, scanInt, `SELECT DISTINCT server FROM jobs WHERE progress >= 0 AND progress < 100`)
}

// FailJobs marks the unfinished jobs of a server as failed.
func (tx Tx) FailJobs(server int64, message string, at time.Time) error {
	return tx.exec(`UPDATE jobs SET progress = -1, message = $1, updated_at = $2, promised = ''
		WHERE server = $3 AND progress >= 0 AND progress < 100`, message, micros(at), server)
}

// ForgetFailures replaces what is said of failed jobs where it has a text.
func (tx Tx) ForgetFailures(text, instead string) error {
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	return tx.exec(`UPDATE jobs SET message = $1, answer = 'null'
		WHERE progress = -1 AND (message LIKE $2 ESCAPE '\' OR answer LIKE $3 ESCAPE '\')`, instead, pattern, pattern)
}

// Backup is a stored archive of one version of a dataset.
type Backup struct {
	ID          string
	DatasetID   string
	CommitID    int64
	Ref         string // as the request gave it
	Description string
	Key         string
	Bytes       int64
	Checksum    string // SHA-256
	User        string
	CreatedAt   time.Time
}

const backupColumns = `id, dataset_id, commit_id, version, description, object_key, byte_count, checksum, user_name,
	created_at`

func scanBackup(s scanner) (b Backup, err error) {
	var created int64
	err = s.Scan(&b.ID, &b.DatasetID, &b.CommitID, &b.Ref, &b.Description, &b.Key, &b.Bytes, &b.Checksum,
		&b.User, &created)
	b.CreatedAt = moment(created)
	return b, err
}

// AddBackup adds a backup's row.
func (tx Tx) AddBackup(b Backup) error {
	return tx.exec(`INSERT INTO backups (`+backupColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		b.ID, b.DatasetID, b.CommitID, b.Ref, b.Description, b.Key, b.Bytes, b.Checksum, b.User, micros(b.CreatedAt))
}

// Backups lists a dataset's backups, newest first.
func (tx Tx) Backups(dataset string) ([]Backup, error) {
	return list(tx, scanBackup, `SELECT `+backupColumns+` FROM backups
		WHERE dataset_id = $1 ORDER BY created_at DESC, id`, dataset)
}

// EveryBackup lists the backups of all datasets, oldest first.
func (tx Tx) EveryBackup() ([]Backup, error) {
	return list(tx, scanBackup, `SELECT `+backupColumns+` FROM backups ORDER BY created_at, id`)
}

// Backup returns one backup of a dataset.
func (tx Tx) Backup(dataset, id string) (Backup, error) {
	return get(tx, scanBackup, `SELECT `+backupColumns+` FROM backups WHERE dataset_id = $1 AND id = $2`, dataset, id)
}

// RemoveBackup removes a backup's row.
func (tx Tx) RemoveBackup(id string) error {
	return tx.one(ErrNotFound, `DELETE FROM backups WHERE id = $1`, id)
}
