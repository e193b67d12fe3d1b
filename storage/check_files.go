package storage

import (
	"context"
	"errors"
	"strings"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/verify"
)

// checkLabels checks that every label can be read, those of backups included.
func (c *checker) checkLabels() error {
	for object, err := range c.blobs.List(c.dataset.ID) {
		if err != nil {
			return err
		}
		isLabel := strings.Contains(object.Key, "/"+labelsDir+"/") || strings.HasSuffix(object.Key, "/"+backupManifest) ||
			strings.HasSuffix(object.Key, "/"+removalFile) || strings.HasSuffix(object.Key, "/"+removalCopy)
		if !isLabel {
			continue
		}
		var label any
		if err := c.readJSON(object.Key, &label); isRefusal(err) {
			return err
		} else if err != nil && !errors.Is(err, blob.ErrUnpublished) { // one that was taken back
			c.found(0, "%s can't be read: %v", object.Key, err)
		}
	}
	return nil
}

// checkFiles checks every file that ever served the dataset, but for what it has inherited: is it there, and what the
// catalog says it is.
func (c *checker) checkFiles(ctx context.Context) error {
	// Not the live files alone: an earlier version must be readable as well.
	var files []*catalog.File
	if err := c.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		files, err = tx.FilesSince(c.dataset.ID, c.inherited)
		return err
	}); err != nil {
		return err
	}
	for _, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.seen[f.ID] {
			continue
		}
		c.seen[f.ID] = true
		if err := c.checkFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// checkFile compares a file with its row: the footer, or with deep every byte. Damage is a problem to report, and not
// an error of the check.
func (c *checker) checkFile(ctx context.Context, f *catalog.File) error {
	err := c.stored.verifier.Examine(ctx, verify.File(f), c.deep)
	var damage *verify.Damage
	if errors.As(err, &damage) {
		c.found(f.CommitID, "file %d (%s): %s", f.ID, f.Key, damage.Detail)
		return nil
	}
	return err
}

// checkHead checks the live rows: every displaced position lies in a live file, once, and no key is there twice.
func (c *checker) checkHead(ctx context.Context, conn *duck.Conn) error {
	head := c.head.Commit.ID
	rows := map[int64]int64{}
	for _, f := range c.head.Data {
		rows[f.ID] = f.Rows
	}
	for _, r := range c.head.Rollbacks {
		for target, n := range r.Targets {
			if have, live := rows[target]; !live || n > have {
				c.found(head, "rollback file %d displaces %d rows of file %d, which has %d live", r.ID, n, target, have)
			}
		}
	}
	// Statements on files that are known to be damaged would fail, or count nonsense.
	if len(c.problems) > 0 {
		return nil // the rows can't be trusted
	}
	if len(c.head.Rollbacks) > 0 {
		var twice int64
		query := duck.Fill(displacedTwice, duck.Parts{"rollbacks": c.head.ReadFiles(c.head.Rollbacks)})
		if err := conn.Row(ctx, query, &twice); err != nil {
			return err
		}
		if twice > 0 {
			c.found(head, "%d positions are displaced twice", twice)
		}
	}
	var total, keys int64
	// Grouped and not joined: it spills to the disk, however many records there are.
	key := keyList(c.head.Schema.KeyColumns())
	query := duck.Fill(countKeys, duck.Parts{"rows": c.head.Rows(false), "key": key})
	if err := conn.Row(ctx, query, &total, &keys); err != nil {
		return err
	}
	if total != c.head.Total() {
		c.found(head, "%d records are live; the commit says %d", total, c.head.Total())
	}
	if keys != total {
		c.found(head, "%d records share their key with another", total-keys)
	}
	return nil
}

const (
	displacedTwice = `SELECT count(*) FROM (SELECT _file, _pos FROM {rollbacks} GROUP BY ALL HAVING count(*) > 1)`
	countKeys      = `SELECT coalesce(sum(n), 0), count(*) FROM (SELECT count(*) AS n FROM ({rows}) GROUP BY {key})`
)
