package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/bucket"
)

// A large file of a batch goes to the bucket in parts while it is being written, and while the commit that it is of is
// checked. What was sent of a batch that is discarded is removed there; after a crash, the batch's intent leads to it.

// sending is a file on its way to the bucket. It grows at its end only.
type sending struct {
	remote *Remote
	batch  Intent
	key    string // in the bucket
	stop   context.CancelFunc
	ended  chan struct{} // closed once nothing more is sent

	mu    sync.Mutex
	path  string
	file  *os.File // nil: it is not there yet
	whole bool     // it does not grow any more

	parts *bucket.Parts // nil: it is too small so far, or nothing of it is to be removed
	at    int64         // up to where it was sent
	err   error         // once ended is closed

	isNoted bool // the batch's intent was noted
}

// followEvery is how often it is looked whether there is more of a file to be sent, and followParts how many parts of
// it are sent at once.
const (
	followEvery = 20 * time.Millisecond
	followParts = 3
)

// Send begins to send the file at a path as the object of that name, though more may yet be written at its end, and it
// may not be there yet. It is for large files, and is nothing but a start: the file has to become one of the batch, and
// Sent or Unsend to be called. The description of that name publishes the batch.
func (b *Batch) Send(name, path, description string) {
	r, ok := b.to.(*Remote)
	if !ok {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &sending{
		remote: r, batch: Intent{Key: b.key, Description: description}, key: named(b.Key(name)), stop: stop,
		ended: make(chan struct{}), path: path,
	}
	if b.sends == nil {
		b.sends = map[string]*sending{}
	}
	b.sends[name] = s
	go s.run(ctx)
}

// Sent says that the file, which is still at its path, is complete.
func (b *Batch) Sent(name string) {
	if s := b.sends[name]; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open()
		s.whole = true
	}
}

// Unsend gives up what was sent of an object.
func (b *Batch) Unsend(name string) {
	if s := b.sends[name]; s != nil {
		if isGone := s.giveUp(); s.isNoted {
			b.noted, b.isLeft = s, b.isLeft || !isGone
		}
		delete(b.sends, name)
	}
}

// unsend gives up all that was sent of a batch that is discarded. If nothing of it is left, its intent is removed: not
// where it was tried to publish it, as other objects of it may be there.
func (b *Batch) unsend() {
	for name := range b.sends {
		b.Unsend(name)
	}
	if b.noted != nil && !b.isLeft && !b.isTried {
		b.noted.forget()
	}
}

// open opens the file if it is there. The caller holds the lock.
func (s *sending) open() {
	if s.file == nil {
		s.file, _ = os.Open(s.path) // it is not there yet, or will not be sent in parts
	}
}

func (s *sending) run(ctx context.Context) {
	defer close(s.ended)
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(followParts)
	err := s.follow(together, g)
	s.err = errors.Join(err, g.Wait())
}

// follow sends parts as they come, until the file is whole.
func (s *sending) follow(ctx context.Context, g *errgroup.Group) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		file, size, whole, err := s.look()
		if err != nil {
			return err
		}
		for file != nil && (size-s.at > bucket.PartSize || whole && s.parts != nil && size > s.at) {
			if err := s.next(ctx, g, file, min(bucket.PartSize, size-s.at)); err != nil {
				return err
			}
		}
		if whole {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// look returns the file as it is now.
func (s *sending) look() (file *os.File, size int64, whole bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open()
	if s.file == nil {
		return nil, 0, s.whole, nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return nil, 0, s.whole, err
	}
	return s.file, info.Size(), s.whole, nil
}

// next sends the next part.
func (s *sending) next(ctx context.Context, g *errgroup.Group, file *os.File, size int64) (err error) {
	if s.parts == nil {
		if err := s.remote.intend(ctx, s.batch); err != nil {
			return err
		}
		s.isNoted = true
		if s.parts, err = s.remote.bucket.Begin(ctx, s.key); err != nil {
			s.parts = nil
			return err
		}
	}
	put := s.parts.Add(file, s.at, size)
	s.at += size
	g.Go(func() error { return put(ctx) })
	return nil
}

// finish makes what was sent the object of the file at path; done is false where it has to be put as a whole.
func (s *sending) finish(ctx context.Context, path string) (done bool, err error) {
	select {
	case <-s.ended:
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
	defer s.close()
	if s.parts == nil {
		return false, nil
	}
	if s.err == nil {
		s.err = s.isOf(path)
	}
	if s.err == nil {
		s.err = s.parts.Complete(ctx)
	}
	if s.err == nil {
		s.parts = nil
		return true, nil
	}
	s.remote.log.Warn("an object could not be put in parts while it was written, and is put again", "key", s.key,
		"error", s.err)
	s.abort()
	return false, nil
}

// isOf makes sure that what was sent is the file at a path: a file may have been made anew, or cut short.
func (s *sending) isOf(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, err := s.file.Stat()
	if err != nil {
		return err
	}
	is, err := os.Stat(path)
	if err == nil && (!os.SameFile(sent, is) || is.Size() != s.at) {
		err = fmt.Errorf("%d bytes of another file were sent than the %d that it has", s.at, is.Size())
	}
	return err
}

// giveUp ends the sending and removes what was sent.
func (s *sending) giveUp() (isGone bool) {
	s.stop()
	<-s.ended
	s.close()
	return s.parts == nil || s.abort()
}

// forget removes the batch's intent.
func (s *sending) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	if err := s.remote.ledger.Swept(ctx, s.batch.Key); err != nil {
		s.remote.log.Warn("a note of an upload that was refused could not be removed", "key", s.key, "error", err)
	}
}

// abort removes the parts. Where that fails, they are found by the batch's intent.
func (s *sending) abort() (done bool) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), readyWithin, bucket.ErrAway)
	defer cancel()
	err := s.parts.Abort(ctx)
	if err != nil {
		s.remote.log.Warn("the parts of an upload that was given up are removed in a day", "key", s.key, "error", err)
		return false
	}
	s.parts = nil
	return true
}

func (s *sending) close() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close() // it was only read
	}
}

// send puts the object of a file of a batch.
func (r *Remote) send(ctx context.Context, b *Batch, name string) error {
	path := filepath.Join(r.root, b.staged, name)
	if s := b.sends[name]; s != nil {
		b.Sent(name)
		if done, err := s.finish(ctx, path); done || err != nil {
			return err
		}
	}
	return r.bucket.PutFile(ctx, named(b.Key(name)), path)
}

// SyncUnpublished does nothing: what is published is in the bucket.
func (r *Remote) SyncUnpublished(*os.File) error { return nil }
