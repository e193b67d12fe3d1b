package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rowback/rowback/storage/fault"
)

// Folder is the log's in the data directory.
const Folder = "audit"

// Head is the last entry that is known to be durable.
type Head struct {
	Number int64  `json:"number"` // 0: there is none
	Hash   string `json:"hash"`   // the SHA-256 of its line
}

// Keeper keeps the head apart from the files.
type Keeper interface {
	Load(ctx context.Context) (Head, error)
	Save(ctx context.Context, h Head) error
}

// Options configure a log.
type Options struct {
	Dir     string // the data directory
	Keeper  Keeper // nil: the head is not kept
	Log     *slog.Logger
	Now     func() time.Time
	MaxFile int64         // bytes from which on a new file is begun; 0: 64 MB
	Sync    time.Duration // the longest time until an entry is synced; 0: half a second
	// opens a file for appending; nil: os. For tests of full disks.
	Open func(path string) (File, error)
}

// File is what a log writes to.
type File interface {
	Write([]byte) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Log is an open log. Its methods may be called from many goroutines.
type Log struct {
	options  Options
	dir      string
	refusals *refusals

	mu      sync.Mutex
	file    File
	path    string
	size    int64 // of the file, to its last complete line
	month   string
	last    Head
	dirty   bool
	waiting []Entry // entries that could not be written yet
	lost    int64   // and those that are too many to keep
	failed  error   // why; nil: the log can be written

	syncing sync.Mutex // one at a time
	stop    chan struct{}
	stopped sync.WaitGroup
}

// maxWaiting is how many entries are kept in memory while the log can't be written.
const maxWaiting = 1000

// Open opens the log of a data directory, and repairs an entry that a crash left incomplete. A damaged log is
// continued: Check says what is wrong with it. So is one that can't be written now, see Ready.
func Open(ctx context.Context, o Options) (*Log, error) {
	l := &Log{options: o.filled(), dir: filepath.Join(o.Dir, Folder), refusals: newRefusals(), stop: make(chan struct{})}
	var kept Head
	if o.Keeper != nil {
		var err error
		if kept, err = o.Keeper.Load(ctx); err != nil {
			return nil, fmt.Errorf("reading the last number of the audit log: %w", err)
		}
	}
	l.mu.Lock()
	notes := l.resume(kept)
	for _, note := range append(notes, Entry{Route: "start"}) {
		note.Kind, note.Time = Server, l.options.Now()
		l.add(note)
	}
	l.mu.Unlock()
	l.stopped.Go(l.keep)
	return l, nil
}

func (o Options) filled() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxFile == 0 {
		o.MaxFile = 64 << 20
	}
	if o.Sync == 0 {
		o.Sync = 500 * time.Millisecond
	}
	if o.Open == nil {
		o.Open = func(path string) (File, error) {
			return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		}
	}
	return o
}

// Append adds an entry, which has its number and its hash from here. Refusals that repeat are counted instead, see
// refusals. If it can't be written now it is written later, and Ready says so until then.
func (l *Log) Append(e Entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Time = l.options.Now()
	if e.refused() && !l.refusals.admit(e) {
		return
	}
	l.add(e)
}

// Ready returns nil if the log can be written, and otherwise the refusal of a write: what could not be recorded is not
// done.
func (l *Log) Ready() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		l.drain()
	}
	if l.failed == nil {
		return nil
	}
	return fault.Errorf(fault.Unavailable, "audit_unavailable",
		"The audit log can't be written, and nothing is changed unrecorded. Free disk space on the server, or see its log "+
			"for the reason, then try again.").
		Because(l.failed)
}

// add writes an entry, after those that wait. The caller holds the lock.
func (l *Log) add(e Entry) {
	if len(l.waiting) >= maxWaiting {
		l.lost++
		return
	}
	l.waiting = append(l.waiting, e)
	l.drain()
}

// drain writes the entries that wait.
func (l *Log) drain() {
	for len(l.waiting) > 0 {
		if err := l.write(l.waiting[0]); err != nil {
			if l.failed == nil {
				l.options.Log.Error("the audit log can't be written: writes are refused", "error", err)
			}
			l.failed = err
			return
		}
		l.waiting = l.waiting[1:]
	}
	l.waiting = nil
	if l.failed == nil {
		return
	}
	l.options.Log.Info("the audit log can be written again")
	l.failed = nil
	if l.lost > 0 {
		note := Entry{Kind: Server, Route: "lost", Repeated: l.lost, Time: l.options.Now(),
			Detail: "entries that could not be kept while the log could not be written"}
		l.lost = 0
		l.add(note)
	}
}

// write writes an entry as one line, whole or not at all.
func (l *Log) write(e Entry) error {
	if err := l.roll(e.Time); err != nil {
		return err
	}
	e.Number, e.Previous = l.last.Number+1, l.last.Hash
	line := e.line()
	n, err := l.file.Write(append(line, '\n'))
	if err != nil {
		if n > 0 { // a part of it, on a full disk
			err = errors.Join(err, l.file.Truncate(l.size))
		}
		return errors.Join(err, l.close())
	}
	l.size += int64(n)
	l.last = Head{e.Number, HashOf(line)}
	l.dirty = true
	return nil
}

// HashOf returns the SHA-256 of a line without its end.
func HashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// State is the log at one moment, for metrics.
type State struct {
	Head
	Waiting int   // entries that could not be written yet
	Failed  bool  // writes are refused
	Counted int64 // refusals that were counted instead of written, since the start
}

// State returns the log's state.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{l.last, len(l.waiting), l.failed != nil, l.refusals.counted}
}
