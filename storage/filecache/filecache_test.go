package filecache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/filecache"
)

// maker fills files with their keys, and counts them.
type maker struct {
	*testing.T
	*filecache.Cache
	dir  string
	made atomic.Int64
}

func open(t *testing.T, limit int64) *maker {
	m := &maker{T: t, dir: t.TempDir()}
	var n atomic.Int64
	m.Cache = filecache.New(limit, func() string { return filepath.Join(m.dir, fmt.Sprint(n.Add(1))) })
	t.Cleanup(m.Close)
	return m
}

func (m *maker) fill(key string) func(context.Context, string) error {
	return func(_ context.Context, path string) error {
		m.made.Add(1)
		return os.WriteFile(path, []byte(key), 0o644)
	}
}

func (m *maker) get(key string) *filecache.File {
	m.Helper()
	f, err := m.Get(context.Background(), key, time.Minute, m.fill(key))
	if err != nil {
		m.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil || string(text) != key {
		m.Fatalf("%q is %q: %v", key, text, err)
	}
	return f
}

// want fails the test unless made files were made in total and left files are in the directory.
func (m *maker) want(made int64, left int) {
	m.Helper()
	files, err := os.ReadDir(m.dir)
	if err != nil || m.made.Load() != made || len(files) != left {
		m.Errorf("%d were made and %d are left, not %d and %d: %v", m.made.Load(), len(files), made, left, err)
	}
}

func TestAFileIsMadeOnce(t *testing.T) {
	m := open(t, 100)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { m.get("abc").Close() })
	}
	all.Wait()
	f := m.get("abc")
	defer f.Close()
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; f.Checksum != want {
		t.Errorf("the checksum is %s, not %s", f.Checksum, want)
	}
	m.want(1, 1)
}

func TestTheLeastRecentlyUsedFileIsEvicted(t *testing.T) {
	m := open(t, 9)
	m.get("aaa").Close()
	m.get("bbb").Close()
	m.get("ccc").Close()
	m.get("aaa").Close()
	m.want(3, 3)
	m.get("ddd").Close() // evicts bbb
	m.get("aaa").Close()
	m.get("ccc").Close()
	m.want(4, 3)
	m.get("bbb").Close()
	m.want(5, 3)
}

func TestAFileBeingReadIsNotEvicted(t *testing.T) {
	m := open(t, 5)
	a := m.get("aaa")
	b := m.get("bbb")
	m.want(2, 2)
	again := m.get("aaa")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	m.want(2, 2) // it has another reader
	again.Close()
	m.want(2, 1)
	b.Close()
	m.get("bbb").Close()
	m.want(2, 1)
}

func TestAFileLargerThanTheCacheIsRefused(t *testing.T) {
	m := open(t, 5)
	m.get("aaa").Close()
	_, err := m.Get(context.Background(), "too large", time.Minute, m.fill("too large"))
	if !errors.Is(err, filecache.ErrTooLarge) {
		t.Errorf("the error is %v", err)
	}
	m.want(2, 1)
}

func TestACallerThatStopsWaitingDoesNotStopTheFile(t *testing.T) {
	m := open(t, 100)
	begun, goOn := make(chan struct{}), make(chan struct{})
	slow := func(ctx context.Context, path string) error {
		close(begun)
		<-goOn
		return m.fill("slow")(ctx, path)
	}
	ctx, leave := context.WithCancelCause(context.Background())
	left := make(chan error)
	go func() {
		_, err := m.Get(ctx, "slow", time.Minute, slow)
		left <- err
	}()
	<-begun
	gone := errors.New("gone")
	leave(gone)
	if err := <-left; !errors.Is(err, gone) {
		t.Errorf("the caller that stopped waiting got %v", err)
	}
	close(goOn)
	m.get("slow").Close()
	m.want(1, 1)
}

func TestAFailureIsTriedAgain(t *testing.T) {
	m := open(t, 100)
	for _, fail := range []func(context.Context, string) error{
		func(_ context.Context, path string) error {
			os.WriteFile(path, []byte("half"), 0o644)
			return io.ErrUnexpectedEOF
		},
		func(context.Context, string) error { panic("a bug") },
		func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() },
	} {
		if f, err := m.Get(context.Background(), "a", 10*time.Millisecond, fail); err == nil {
			f.Close()
			t.Error("there was no error")
		}
		m.want(0, 0)
	}
	m.get("a").Close()
	m.want(1, 1)
}

func TestCloseStopsFilesBeingMade(t *testing.T) {
	m := open(t, 100)
	begun := make(chan struct{})
	got := make(chan error)
	go func() {
		_, err := m.Get(context.Background(), "a", time.Hour, func(ctx context.Context, _ string) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		got <- err
	}()
	<-begun
	m.Close()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// Many readers of more files than there is room for: each reads the file it asked for.
func TestManyReaders(t *testing.T) {
	m := open(t, 20)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 200 {
				m.get(strings.Repeat("x", 1+(i*k)%9)).Close()
			}
		})
	}
	all.Wait()
	files, err := os.ReadDir(m.dir)
	var bytes int64
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	if err != nil || bytes > 20 {
		t.Errorf("%d bytes are left: %v", bytes, err)
	}
}
