package verify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
)

// shelf is a directory of objects with a verifier, which counts the damage that it reports.
type shelf struct {
	*testing.T
	*Verifier
	dir   string
	found int
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{T: t, dir: t.TempDir()}
	s.Verifier = New(func(key string) string { return filepath.Join(s.dir, key) }, func(*Damage) { s.found++ })
	return s
}

// write writes an object without touching the verifier. Its time differs from that of what was there.
func (s *shelf) write(key, text string) {
	s.Helper()
	path := filepath.Join(s.dir, key)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(int64(len(text)), int64(text[0]))); err != nil {
		s.Fatal(err)
	}
}

func (s *shelf) remove(key string) {
	s.Helper()
	if err := os.Remove(filepath.Join(s.dir, key)); err != nil {
		s.Fatal(err)
	}
}

// object describes an archive with a content.
func object(key, text string) Object {
	sum, size, _ := datafile.Checksum(strings.NewReader(text)) // a string can always be read
	return Object{Key: key, Bytes: size, Checksum: sum, Dataset: "d", Commit: 1}
}

// add writes an object and makes it known.
func (s *shelf) add(key, text string) Object {
	s.Helper()
	s.write(key, text)
	o := object(key, text)
	s.Name(o)
	return o
}

func (s *shelf) open(key string) error { return s.Open(s.Context(), []string{key}) }

func isDamage(err error, detail string) bool {
	var d *Damage
	return errors.As(err, &d) && strings.Contains(d.Detail, detail)
}

func TestOpening(t *testing.T) {
	for name, c := range map[string]struct {
		harm   func(s *shelf)
		detail string // of the damage; empty: it is sound
	}{
		"as it was written": {func(*shelf) {}, ""},
		"another byte":      {func(s *shelf) { s.write("k", "hellO") }, "checksum differs"},
		"too short":         {func(s *shelf) { s.write("k", "hell") }, "4 bytes, not 5"},
		"missing":           {func(s *shelf) { s.remove("k") }, "missing"},
		"a directory": {func(s *shelf) {
			s.remove("k")
			os.Mkdir(filepath.Join(s.dir, "k"), 0o700)
		}, "not a regular file"},
		"a link to nowhere": {func(s *shelf) { s.remove("k"); os.Symlink("none", filepath.Join(s.dir, "k")) }, "missing"},
		"a link to the same": {func(s *shelf) {
			s.write("l", "hello")
			s.remove("k")
			os.Symlink("l", filepath.Join(s.dir, "k"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.add("k", "hello")
			c.harm(s)
			for range 2 {
				if err := s.open("k"); (err == nil) != (c.detail == "") || err != nil && !isDamage(err, c.detail) {
					t.Errorf("%v", err)
				}
			}
			if want := map[bool]int{true: 0, false: 1}[c.detail == ""]; s.found != want || len(s.Damaged()) != want {
				t.Errorf("reported %d times, %d damaged", s.found, len(s.Damaged()))
			}
		})
	}
}

// A file that changes after it was verified is verified again, and served again once it is sound.
func TestDamageComesAndGoes(t *testing.T) {
	s := newShelf(t)
	s.add("k", "hello")
	for _, c := range []struct {
		text  string
		sound bool
	}{{"hello", true}, {"hellO", false}, {"heLLo", false}, {"hello", true}, {"Hello", false}} {
		s.write("k", c.text)
		if err := s.open("k"); (err == nil) != c.sound {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if s.found != 2 {
		t.Errorf("damage was reported %d times", s.found)
	}
	s.Forget("k")
	if err := s.open("k"); err == nil || len(s.Damaged()) != 0 {
		t.Errorf("a forgotten object: %v", err)
	}
}

// Seen reports a change between the check of a file and its use, and only that.
func TestSeen(t *testing.T) {
	s := newShelf(t)
	s.add("k", "hello")
	if err := s.open("k"); err != nil {
		t.Fatal(err)
	}
	changed := s.Seen([]string{"k"})
	if changed() {
		t.Error("a file that no one touched has changed")
	}
	s.write("k", "other")
	if !changed() {
		t.Error("a change was not noticed")
	}
}

// Large files are only compared in size when they are opened; Read finds a flipped byte in them.
func TestLargeFilesAreReadOnDemand(t *testing.T) {
	s := newShelf(t)
	text := strings.Repeat("x", Small+1)
	o := s.add("k", text)
	s.write("k", text[:Small]+"y")
	if err := s.open("k"); err != nil {
		t.Errorf("opening reads all of it: %v", err)
	}
	if err := s.Read(t.Context(), []Object{o}); !isDamage(err, "checksum differs") {
		t.Errorf("the byte was not found: %v", err)
	}
	if err := s.open("k"); err == nil {
		t.Error("a damaged file was opened")
	}
	if err := s.Examine(t.Context(), o, false); err != nil {
		t.Errorf("its size is right: %v", err)
	}
	if err := s.open("k"); err == nil {
		t.Error("a look at the size made a damaged file sound")
	}
}

// Again reads what was not read in full since a time; a scrub reads through a reader that sets the pace.
func TestAgainSkipsWhatWasReadLately(t *testing.T) {
	s := newShelf(t)
	o := s.add("k", "hello")
	read := 0
	count := func(r io.Reader) io.Reader { read++; return r }
	before := time.Now()
	if err := s.Scrub(t.Context(), o, count); err != nil || read != 1 {
		t.Fatal(read, err)
	}
	info, err := os.Stat(filepath.Join(s.dir, "k"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "k"), []byte("hellO"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(filepath.Join(s.dir, "k"), time.Time{}, info.ModTime())
	if err := s.Again(t.Context(), []string{"k"}, before); err != nil {
		t.Errorf("a file that was just read is read again: %v", err)
	}
	if err := s.Again(t.Context(), []string{"k"}, time.Now().Add(time.Hour)); err == nil {
		t.Error("a file that was not read since is not read")
	}
}

// An interrupted reading is not damage, and a file that was never named is a bug.
func TestWhatIsNotDamage(t *testing.T) {
	s := newShelf(t)
	o := s.add("k", "hello")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Read(stopped, []Object{o}); !errors.Is(err, context.Canceled) || s.found > 0 {
		t.Errorf("interrupted: %v", err)
	}
	if err := s.open("unnamed"); err == nil || isDamage(err, "") {
		t.Errorf("unnamed: %v", err)
	}
}

// The first error of several files is returned.
func TestSeveralFiles(t *testing.T) {
	s := newShelf(t)
	var keys []string
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		s.add(key, key)
		keys = append(keys, key)
	}
	if err := s.Open(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	s.write("e", "x")
	if err := s.Open(t.Context(), keys); !isDamage(err, "checksum") {
		t.Errorf("%v", err)
	}
}

// A data file is refused if its footer names another file, even if the bytes are those of the catalog.
func TestAFileInAnothersPlace(t *testing.T) {
	s := newShelf(t)
	text := bytes.Repeat([]byte("x"), 100)
	s.write("k", string(text))
	o := object("k", string(text))
	f := catalog.File{ID: 7, DatasetID: "d", CommitID: 1, Kind: "data", Key: "k", Bytes: o.Bytes, Checksum: o.Checksum}
	s.Name(File(&f))
	if err := s.open("k"); !isDamage(err, "does not end as a Parquet file") {
		t.Errorf("%v", err)
	}
	archive := Archive(catalog.Backup{Key: "a", Bytes: 5, Checksum: o.Checksum, DatasetID: "d", CommitID: 1})
	if archive.Footer != nil || archive.Bytes != 5 {
		t.Errorf("%+v", archive)
	}
}
