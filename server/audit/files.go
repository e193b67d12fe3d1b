package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// A file's name has the month in which it was begun and the number of its first entry.
var fileName = regexp.MustCompile(`^(\d{4}-\d{2})-(\d{15})\.ndjson$`)

// logFile is one file of a log.
type logFile struct {
	path, month string
	first       int64 // the number of its first entry, by its name
}

// files returns the files of a log, in order. Others in the folder are not its own.
func files(dir string) ([]logFile, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []logFile
	for _, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		first, _ := strconv.ParseInt(m[2], 10, 64)
		out = append(out, logFile{filepath.Join(dir, e.Name()), m[1], first})
	}
	slices.SortFunc(out, func(a, b logFile) int { return int(a.first - b.first) })
	return out, err
}

// Files returns the paths of the files of the log, in order.
func (l *Log) Files() ([]string, error) {
	all, err := files(l.dir)
	out := make([]string, len(all))
	for i, f := range all {
		out[i] = f.path
	}
	return out, err
}

// resume finds the last entry, and cuts off what a crash left of another. It returns what is to be noted. The caller
// holds the lock.
func (l *Log) resume(kept Head) (notes []Entry) {
	note := func(route, format string, args ...any) {
		detail := fmt.Sprintf(format, args...)
		l.options.Log.Warn("the audit log was found incomplete", "what", route, "detail", detail)
		notes = append(notes, Entry{Route: route, Detail: detail})
	}
	all, err := files(l.dir)
	if err != nil {
		note("damaged", "the folder can't be read: %v", errors.Unwrap(err))
	}
	for _, f := range slices.Backward(all) {
		line, torn, err := lastLine(f.path)
		if err != nil {
			note("damaged", "the file %s can't be read", filepath.Base(f.path))
		}
		if torn > 0 {
			note("repaired", "%d bytes of an incomplete entry were removed from %s", torn, filepath.Base(f.path))
		}
		if len(line) == 0 {
			continue
		}
		var e Entry
		if json.Unmarshal(line, &e) != nil || e.Number < f.first {
			note("damaged", "the last entry of %s can't be read", filepath.Base(f.path))
			e.Number = max(f.first, kept.Number)
		}
		l.last, l.month = Head{e.Number, HashOf(line)}, f.month
		if about, err := os.Stat(f.path); err == nil { // it is continued
			l.path, l.size = f.path, about.Size()
		}
		break
	}
	if l.last.Number < kept.Number {
		note("cut_off", "the last entry was number %d, and is number %d now", kept.Number, l.last.Number)
		l.last = kept
	}
	if l.last.Number == kept.Number && l.last.Hash != kept.Hash {
		note("damaged", "entry %d is not the one that was written", kept.Number)
		l.last = kept // so that the next entry does not follow from what is there now, and checking the log reports it
	}
	return notes
}

// lastLine returns the last complete line of a file, and cuts off an incomplete one after it, of torn bytes.
func lastLine(path string) (line []byte, torn int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	about, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	tail := make([]byte, min(about.Size(), 1<<20)) // many times the longest entry
	if _, err := f.ReadAt(tail, about.Size()-int64(len(tail))); err != nil && err != io.EOF {
		return nil, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if torn = int64(len(tail) - end); torn > 0 {
		if err := errors.Join(f.Truncate(about.Size()-torn), f.Sync()); err != nil {
			return nil, 0, err
		}
	}
	whole := tail[:max(end-1, 0)]
	return whole[bytes.LastIndexByte(whole, '\n')+1:], torn, nil
}

// roll opens the file for the next entry: a new one if there is none, the last is large, or of an earlier month. The
// clock may go backwards; months don't.
func (l *Log) roll(now time.Time) error {
	month := max(now.UTC().Format("2006-01"), l.month)
	fits := l.path != "" && l.size < l.options.MaxFile && month == l.month
	if l.file != nil && fits {
		return nil
	}
	if err := l.close(); err != nil {
		return err
	}
	if !fits {
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			return err
		}
		if err := syncFolder(l.options.Dir); err != nil {
			return err
		}
		l.path, l.size = filepath.Join(l.dir, fmt.Sprintf("%s-%015d.ndjson", month, l.last.Number+1)), 0
		l.month = month
	}
	var err error
	if l.file, err = l.options.Open(l.path); err != nil {
		l.file = nil
		return err
	}
	return syncFolder(l.dir)
}

// close syncs and closes the file.
func (l *Log) close() error {
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// keep syncs the log in the background, and writes what was counted.
func (l *Log) keep() {
	every := time.NewTicker(l.options.Sync)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			l.tick(false)
		case <-l.stop:
			return
		}
	}
}

// tick does what is due: all of it at the end.
func (l *Log) tick(end bool) {
	l.mu.Lock()
	for _, e := range l.refusals.due(l.options.Now(), end) {
		l.add(e)
	}
	if l.failed != nil {
		l.drain()
	}
	l.mu.Unlock()
	if err := l.Sync(context.Background()); err != nil {
		l.options.Log.Error("the audit log could not be synced", "error", err)
	}
}

// Sync makes all entries durable, and then keeps the last number.
func (l *Log) Sync(ctx context.Context) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	file, last, dirty := l.file, l.last, l.dirty
	l.dirty = false
	l.mu.Unlock()
	if !dirty {
		return nil
	}
	var err error
	if file != nil {
		// A file that was closed in the meantime was synced then.
		if err = file.Sync(); errors.Is(err, os.ErrClosed) {
			err = nil
		}
	}
	if err == nil && l.options.Keeper != nil {
		err = l.options.Keeper.Save(ctx, last)
	}
	if err != nil {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
	}
	return err
}

// Close writes and syncs all that is left.
func (l *Log) Close() error {
	close(l.stop)
	l.stopped.Wait()
	l.Append(Entry{Kind: Server, Route: "stop"})
	l.tick(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failed, l.close())
}
