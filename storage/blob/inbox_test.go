package blob_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/bucket/buckettest"
)

// inbox is a store, and a way to write what others write beside its objects.
type inbox struct {
	blob.Store
	write func(name, text string)
}

func TestInbox(t *testing.T) {
	t.Run("directory", func(t *testing.T) {
		root := t.TempDir()
		d, err := blob.Open(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		inboxConforms(t, inbox{d, func(name, text string) { writeInbox(t, root, name, text) }})
	})
	t.Run("bucket", func(t *testing.T) {
		r := openRemote(t, buckettest.Start(t), "inbox", blob.RemoteOptions{})
		inboxConforms(t, inbox{r, func(name, text string) {
			if err := r.bucket.Put(t.Context(), "incoming/"+name, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}})
	})
}

func writeInbox(t *testing.T, root, name, text string) {
	path := filepath.Join(root, "incoming", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func inboxConforms(t *testing.T, s inbox) {
	s.write("1/a b/x.parquet", strings.Repeat("one", 1000))
	if !strings.HasSuffix(s.InboxAddress("1/a b/x.parquet"), "/incoming/1/a b/x.parquet") {
		t.Error("the address is", s.InboxAddress("1/a b/x.parquet"))
	}
	for _, name := range []string{"1/none", "2/a b/x.parquet", "1/a b", "1/a b/x.parquet/y"} {
		if _, err := s.Pin(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := s.Pin(t.Context(), "1/a b/x.parquet")
	if err != nil || p.Size != 3000 {
		t.Fatal(p, err)
	}
	if got, err := fetched(t, s, p); got != strings.Repeat("one", 1000) || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// Of the same size: it is the tag that tells.
	time.Sleep(10 * time.Millisecond) // for a clock of the file system that is coarse
	s.write("1/a b/x.parquet", strings.Repeat("two", 1000))
	if _, err := fetched(t, s, p); !errors.Is(err, blob.ErrReplaced) {
		t.Errorf("of a file that was changed: %v", err)
	}
}

func fetched(t *testing.T, s inbox, p blob.Pinned) (string, error) {
	out, err := os.Create(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := s.FetchPinned(t.Context(), p, out); err != nil {
		return "", err
	}
	text, err := os.ReadFile(out.Name())
	return string(text), err
}

// A symbolic link is followed within the directory that a name begins with, and not out of it.
func TestLinksOfAnInbox(t *testing.T) {
	root := t.TempDir()
	d, err := blob.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	writeInbox(t, root, "1/x", "mine")
	writeInbox(t, root, "2/x", "theirs")
	for link, to := range map[string]string{
		"within": "x", "out": "../2/x", "up": "../2", "whole": filepath.Join(root, "incoming", "2", "x"),
	} {
		if err := os.Symlink(to, filepath.Join(root, "incoming", "1", link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"1/out", "1/up/x", "1/whole", "1/../2/x"} {
		if p, err := d.Pin(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if p, err := d.Pin(t.Context(), "1/within"); err != nil || p.Size != 4 {
		t.Error(p, err)
	}
}
