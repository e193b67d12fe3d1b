package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rowback/rowback/storage/bucket"
)

// Inbox has files that others put beside the objects, for records of them to be committed. They stay theirs: nothing
// here writes or removes one, and what they were given as an address is taken as it is, with nothing in it decoded.
type Inbox interface {
	// InboxAddress returns the URI of what has a name in the inbox. A name is a path with slashes, as fs.ValidPath has
	// it, whose first part is a directory that the rest does not lead out of.
	InboxAddress(name string) string
	// Pin looks at a file of the inbox. If there is none, or it is not a regular file, the error is fs.ErrNotExist.
	Pin(ctx context.Context, name string) (Pinned, error)
	// FetchPinned copies a file that was pinned. If it is another one by now, the error is ErrReplaced.
	FetchPinned(ctx context.Context, p Pinned, out io.WriterAt) error
}

// Pinned is a file of the inbox as it was at one moment.
type Pinned struct {
	Name string
	Size int64  // bytes
	tag  string // another file in its place has another one
}

const inboxDir = "incoming"

// InboxAddress implements Inbox.
func (d *Dir) InboxAddress(name string) string {
	return "file://" + filepath.ToSlash(filepath.Join(d.root, inboxDir)) + "/" + name
}

// Pin implements Inbox.
func (d *Dir) Pin(_ context.Context, name string) (Pinned, error) {
	f, err := d.openInbox(name)
	if err != nil {
		return Pinned{}, err
	}
	defer f.Close()
	return pinned(name, f)
}

// openInbox opens a file of the inbox. A symbolic link that leads out of the first directory of its name is not
// followed, and a pipe is not waited for.
func (d *Dir) openInbox(name string) (*os.File, error) {
	first, rest, _ := strings.Cut(name, "/")
	root, err := os.OpenRoot(filepath.Join(d.root, inboxDir, first))
	if err != nil {
		return nil, missing(name, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	f, err := root.OpenFile(filepath.FromSlash(rest), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, missing(name, err)
	}
	return f, nil
}

// missing returns the error for a file that can't be opened: whatever is in its place, it is not one that can be read.
func missing(name string, err error) error {
	return fmt.Errorf("%w: %s: %w", fs.ErrNotExist, name, err)
}

// pinned pins an open file.
func pinned(name string, f *os.File) (Pinned, error) {
	info, err := f.Stat()
	if err != nil {
		return Pinned{}, err
	}
	if !info.Mode().IsRegular() {
		return Pinned{}, missing(name, errNotFile)
	}
	return Pinned{name, info.Size(), strconv.FormatInt(info.ModTime().UnixNano(), 10)}, nil
}

// FetchPinned implements Inbox. It looks at the file before and after, since it may be written to meanwhile.
func (d *Dir) FetchPinned(ctx context.Context, p Pinned, out io.WriterAt) error {
	f, err := d.openInbox(p.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrReplaced, p.Name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := isStill(p, f); err != nil {
		return err
	}
	if err := copyChunks(ctx, io.NewOffsetWriter(out, 0), f); err != nil {
		return err
	}
	return isStill(p, f)
}

// isStill returns an error unless an open file is as it was pinned.
func isStill(p Pinned, f *os.File) error {
	now, err := pinned(p.Name, f)
	if err == nil && now != p {
		err = fmt.Errorf("%w: %s", ErrReplaced, p.Name)
	}
	return err
}

// fetchChunk is how many bytes are copied before it is looked whether someone still waits for them.
const fetchChunk = 16 << 20

func copyChunks(ctx context.Context, out io.Writer, in io.Reader) error {
	for {
		_, err := io.CopyN(out, in, fetchChunk)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// InboxAddress implements Inbox.
func (r *Remote) InboxAddress(name string) string { return r.bucket.Address(inboxDir + "/" + name) }

// Pin implements Inbox.
func (r *Remote) Pin(ctx context.Context, name string) (p Pinned, err error) {
	p.Name = name
	p.Size, p.tag, err = r.bucket.Stat(ctx, inboxDir+"/"+name)
	return p, err
}

// FetchPinned implements Inbox.
func (r *Remote) FetchPinned(ctx context.Context, p Pinned, out io.WriterAt) error {
	err := r.bucket.FetchTagged(ctx, inboxDir+"/"+p.Name, p.tag, p.Size, out)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, bucket.ErrExists) {
		err = fmt.Errorf("%w: %s", ErrReplaced, p.Name)
	}
	return err
}
