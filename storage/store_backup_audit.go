package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/datadir"
)

// addAudit copies the server's audit log, as far as its lines are complete. The settings have the number of its last
// entry, and are copied before: no entry that they know of is missing.
func (c *copying) addAudit(ctx context.Context) error {
	files, err := datadir.AuditFiles(c.path)
	if err != nil {
		return err
	}
	c.manifest.Audit = nil
	for _, f := range files {
		o, err := c.addLog(ctx, f)
		if err != nil {
			return err
		}
		if o.Size > 0 {
			c.manifest.Audit = append(c.manifest.Audit, backup.Entry{Key: f.Name(), Object: o})
		}
	}
	return nil
}

// addLog copies one file of the audit log, unless the backup before has it as it is. An empty object: it has no entry.
func (c *copying) addLog(ctx context.Context, f fs.FileInfo) (o backup.Object, err error) {
	before := c.logs[f.Name()]
	if before.Size == f.Size() && f.ModTime().Before(c.logsAt.Add(-settled)) && c.writer.Has(before) {
		return before, nil
	}
	in, err := datadir.OpenAudit(c.path, f.Name())
	if err != nil {
		return o, err
	}
	defer in.Close()
	size, err := wholeLines(in, f.Size())
	if err != nil || size == 0 {
		return o, err
	}
	return c.writer.Add(ctx, io.NewSectionReader(in, 0, size), backup.Object{})
}

// wholeLines returns how many of the first bytes of a file are complete lines.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	tail := make([]byte, 1<<16)
	for size > 0 {
		start := max(0, size-int64(len(tail)))
		n, err := f.ReadAt(tail[:size-start], start)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if end := bytes.LastIndexByte(tail[:n], '\n'); end >= 0 {
			return start + int64(end) + 1, nil
		}
		size = start
	}
	return 0, nil
}
