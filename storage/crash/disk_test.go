package crash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// unstaged makes sure that nothing is left under staging.
func (b *bench) unstaged(what string) {
	b.Helper()
	left, err := os.ReadDir(filepath.Join(b.Dir, "staging"))
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range left {
		b.Errorf("%s: staging has %s", what, e.Name())
	}
}

// faults are what a system refuses, and the code that it is told by.
var faults = map[syscall.Errno]string{
	syscall.ENOSPC: "disk_full",
	syscall.EDQUOT: "disk_full",
	syscall.EFBIG:  "file_size_limit",
	syscall.EROFS:  "read_only",
	syscall.EACCES: "read_only",
	syscall.EPERM:  "read_only",
	syscall.EIO:    "disk_error",
	syscall.EXDEV:  "several_disks",
}

// Whatever the system refuses, at whichever step of whichever write up to the transaction, is reported as unavailable
// and leaves nothing behind; the same request works when the fault is gone. TestFailures has the transaction's own
// faults.
func TestAFaultOfTheSystemAtAnyStep(t *testing.T) {
	ctx := context.Background()
	for errno, code := range faults {
		t.Run(errno.Error(), func(t *testing.T) {
			var mu sync.Mutex
			left := -1 // steps until the fault; negative: there is none
			b := reopen(t, t.TempDir(), storage.Options{Hook: func(op, path string) error {
				mu.Lock()
				defer mu.Unlock()
				if op == "commit" || op == "committed" {
					return nil
				}
				if left--; left == -1 {
					return &fs.PathError{Op: op, Path: path, Err: errno}
				}
				return nil
			}})
			d := b.Create("x", "id")
			b.JSON(d, "append", `[{"id":1,"v":"a"},{"id":2,"v":"b"}]`)
			random := rand.New(rand.NewPCG(1, 1))
			for what, write := range map[string]func() error{
				"append": func() error {
					_, err := b.Try(d, "append", intake.JSON, fmt.Sprintf(`[{"id":%d}]`, random.Int64()))
					return err
				},
				"overwrite": func() error {
					_, err := b.Try(d, "overwrite", intake.JSON, fmt.Sprintf(`[{"id":1,"v":"%d"}]`, random.Int64()))
					return err
				},
				"rollback": func() error {
					c, err := b.Try(d, "append", intake.JSON, fmt.Sprintf(`[{"id":%d}]`, random.Int64()))
					if err == nil {
						_, err = b.TryRollback(d, c.ID, storage.Records)
					}
					return err
				},
				"version": func() error {
					_, err := b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
					return err
				},
				"backup": func() error {
					_, err := b.Backups.Make(ctx, d, storage.NewBackup{Ref: "head"}, storage.Request{})
					return err
				},
			} {
				for step := 0; ; step++ {
					mu.Lock()
					left = step
					mu.Unlock()
					err := write()
					mu.Lock()
					met := left < 0
					left = -1
					mu.Unlock()
					if e := storage.Explain(err); met && (err == nil || e.Kind != fault.Unavailable || e.Code != code) {
						t.Errorf("%s, step %d: %v", what, step, err)
					}
					b.unstaged(what)
					if !met {
						break
					}
				}
			}
			b.Sound()
		})
	}
}

// Writes are refused before the disk is full, and an upload ends where it would fill it; reading goes on, and so does
// writing when there is room again.
func TestWritesEndBeforeTheDiskIsFull(t *testing.T) {
	ctx := context.Background()
	var free atomic.Int64
	free.Store(1 << 40)
	b := reopen(t, t.TempDir(), storage.Options{MinFree: 1 << 30, Free: func(string) (int64, error) {
		return free.Load(), nil
	}})
	d := b.Create("x", "id")
	c := b.JSON(d, "append", `[{"id":1}]`)
	path := b.Scratch("upload")
	upload, err := b.CreateStaged(path)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 8<<20)
	if _, err := upload.Write(part); err != nil {
		t.Fatal(err)
	}
	free.Store(1<<30 - 1)
	low := func(what string, err error) {
		t.Helper()
		if e := storage.Explain(err); err == nil || e.Kind != fault.Unavailable || e.Code != "disk_low" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for written := 0; err == nil && written < 16; written++ {
		_, err = upload.Write(part)
	}
	low("an upload that grows", err)
	if err := errors.Join(upload.Close(), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	low("readiness", b.Ready(ctx))
	_, err = b.CreateStaged(b.Scratch("upload"))
	low("an upload", err)
	_, err = b.Try(d, "append", intake.JSON, `[{"id":2}]`)
	low("a commit", err)
	_, err = b.TryRollback(d, c.ID, storage.Stack)
	low("a rollback", err)
	_, err = b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, storage.Request{})
	low("a version", err)
	_, err = b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "y"}, storage.Request{})
	low("a dataset", err)
	b.Want(d, "head", `{"id":1}`)
	free.Store(1 << 30)
	if err := b.Ready(ctx); err != nil {
		t.Error(err)
	}
	b.JSON(d, "append", `[{"id":2}]`)
	b.Sound()
}

// A store without its directories is not ready.
func TestAStoreWithoutItsFoldersIsNotReady(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	for _, directory := range []string{"objects", "staging"} {
		path := filepath.Join(b.Dir, directory)
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		if e := storage.Explain(b.Ready(context.Background())); e.Kind != fault.Unavailable || e.Code != "objects_missing" {
			t.Errorf("%s: %v", directory, e)
		}
		if directory == "objects" {
			_, err := b.digest(d, "head")
			b.refused("records", err)
		}
		_, err := b.Try(d, "append", intake.JSON, `[{"id":2}]`)
		if e := storage.Explain(err); e.Kind != fault.Unavailable || e.Code != "objects_missing" {
			t.Errorf("a commit without %s: %v (%v)", directory, e, err)
		}
		if directory == "objects" { // the mount point of a disk that is away
			b.Must(os.Mkdir(path, 0o700))
			if e := storage.Explain(b.Ready(context.Background())); e.Kind != fault.Unavailable || e.Code != "objects_missing" {
				t.Errorf("ready over an empty directory: %v", e)
			}
			ctx, r, text := context.Background(), storage.Request{}, "new"
			for what, write := range map[string]func() error{
				"a commit": func() error { _, err := b.Try(d, "append", intake.JSON, `[{"id":2}]`); return err },
				"a version": func() error {
					_, err := b.Increment(ctx, d, storage.NewVersion{Part: "major", Force: true}, r)
					return err
				},
				"a deletion": func() error { return b.DeleteDataset(ctx, d, r) },
				"an edit":    func() error { _, err := b.EditDataset(ctx, d, storage.Edit{Description: &text}, r); return err },
				"a savepoint": func() error {
					_, err := b.CreateSavepoint(ctx, d, storage.NewSavepoint{Description: "x"}, r)
					return err
				},
			} {
				if e := storage.Explain(write()); e.Kind != fault.Unavailable && e.Kind != fault.Corrupt {
					t.Errorf("%s while the disk is away: %v", what, e)
				}
			}
		}
		os.Remove(path)
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Ready(context.Background()); err != nil {
		t.Error(err)
	}
	b.Want(d, "head", `{"id":1}`)
}

// others lists what someone else than the owner may touch.
func (b *bench) others() (out []string) {
	b.Helper()
	err := filepath.WalkDir(b.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			out = append(out, fmt.Sprintf("%s %s", info.Mode(), path))
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// Whoever writes a stored file, it is its owner's alone; a store of an earlier version becomes that when it is opened.
func TestStoredFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	b := reopen(t, dir, storage.Options{})
	d := b.Create("x", "id")
	random := rand.New(rand.NewPCG(1, 1))
	b.Put(d, "append", intake.CSV, bulky(0, 100_000, random)) // by DuckDB
	b.JSON(d, "append", `[{"id":1000000}]`)
	b.Put(d, "overwrite", intake.CSV, bulky(0, 2000, random))
	if _, err := b.Backups.Make(context.Background(), d, storage.NewBackup{Ref: "head"}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	if list := b.others(); len(list) > 0 {
		t.Errorf("open to others: %v", list)
	}
	b.Store.Close()
	for path, mode := range map[string]fs.FileMode{dir: 0o755, filepath.Join(dir, "objects"): 0o755,
		filepath.Join(dir, "objects", d): 0o755, filepath.Join(dir, "catalog.db"): 0o644, b.fileOf(d, 1, "data"): 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	b = reopen(t, dir, storage.Options{})
	if list := b.others(); len(list) > 0 {
		t.Errorf("opened, and open to others: %v", list)
	}
	b.Sound()
}
