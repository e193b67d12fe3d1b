package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/storage/fault"
)

// memory keeps a head, as settings.db does.
type memory struct {
	mu   sync.Mutex
	head audit.Head
}

func (m *memory) Load(context.Context) (audit.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head, nil
}

func (m *memory) Save(_ context.Context, h audit.Head) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head = h
	return nil
}

func open(t *testing.T, o audit.Options) *audit.Log {
	t.Helper()
	if o.Sync == 0 {
		o.Sync = time.Hour // tests say when
	}
	l, err := audit.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// written returns a log of some entries in a directory, closed, and the head that was kept.
func written(t *testing.T, entries int) (dir string, kept *memory) {
	t.Helper()
	dir, kept = t.TempDir(), &memory{}
	l := open(t, audit.Options{Dir: dir, Keeper: kept})
	for i := range entries {
		l.Append(audit.Entry{Kind: audit.Write, User: "ada", Route: "createCommit", Commits: []int64{int64(i)}, Status: 201})
	}
	done(t, l.Close())
	return dir, kept
}

// only is the path of a log's only file.
func only(t *testing.T, dir string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, audit.Folder, "*.ndjson"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

func linesOf(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	done(t, err)
	return bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

func entriesOf(t *testing.T, dir string) (out []audit.Entry) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, audit.Folder, "*.ndjson"))
	done(t, err)
	for _, path := range all {
		for _, line := range linesOf(t, path) {
			var e audit.Entry
			done(t, json.Unmarshal(line, &e))
			out = append(out, e)
		}
	}
	return out
}

func check(t *testing.T, dir string, kept *memory) audit.Report {
	t.Helper()
	r, err := audit.Check(context.Background(), dir, kept.head)
	done(t, err)
	return r
}

func TestASoundLogHasNoProblems(t *testing.T) {
	dir, kept := written(t, 20)
	r := check(t, dir, kept)
	if len(r.Problems) > 0 || r.Entries != 22 || r.First != 1 || r.Last != kept.head { // and its start and stop
		t.Errorf("%+v, kept %+v", r, kept.head)
	}
	if info, err := os.Stat(only(t, dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// Whatever is done to the lines of a log is found.
func TestTamperingIsFound(t *testing.T) {
	change := func(line []byte) []byte { return bytes.Replace(line, []byte("ada"), []byte("eva"), 1) }
	for name, tamper := range map[string]func([][]byte) [][]byte{
		"missing":       func(l [][]byte) [][]byte { return slices.Delete(l, 5, 6) },
		"several":       func(l [][]byte) [][]byte { return slices.Delete(l, 5, 9) },
		"the first":     func(l [][]byte) [][]byte { return l[1:] },
		"changed":       func(l [][]byte) [][]byte { l[5] = change(l[5]); return l },
		"moved":         func(l [][]byte) [][]byte { l[5], l[6] = l[6], l[5]; return l },
		"twice":         func(l [][]byte) [][]byte { return slices.Insert(l, 5, l[5]) },
		"added":         func(l [][]byte) [][]byte { return slices.Insert(l, 5, []byte("{}\n")) },
		"cut off":       func(l [][]byte) [][]byte { return l[:len(l)-2] },
		"the last":      func(l [][]byte) [][]byte { return l[:len(l)-1] },
		"last changed":  func(l [][]byte) [][]byte { l[len(l)-2] = change(l[len(l)-2]); return l },
		"all of it":     func([][]byte) [][]byte { return nil },
		"not an entry":  func(l [][]byte) [][]byte { l[5] = []byte("\x00\x00\n"); return l },
		"a long line":   func(l [][]byte) [][]byte { l[5] = append(bytes.Repeat([]byte("x"), 3<<20), '\n'); return l },
		"chained again": func(l [][]byte) [][]byte { l[5] = change(l[5]); return rechain(l) },
	} {
		dir, kept := written(t, 20)
		done(t, os.WriteFile(only(t, dir), bytes.Join(tamper(linesOf(t, only(t, dir))), nil), 0o600))
		if r := check(t, dir, kept); len(r.Problems) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
		// The server starts nevertheless, says so in the log, and what is wrong is still found afterwards.
		l := open(t, audit.Options{Dir: dir, Keeper: kept})
		l.Append(audit.Entry{Kind: audit.Write, Route: "afterwards"})
		done(t, l.Close())
		if r := check(t, dir, kept); len(r.Problems) == 0 {
			t.Errorf("%s: nothing was found after the next start", name)
		}
	}
}

// A file that is removed is found, whichever it is, and after the next start too.
func TestAFileThatIsGoneIsFound(t *testing.T) {
	for gone := range 4 {
		dir, kept := t.TempDir(), &memory{}
		l := open(t, audit.Options{Dir: dir, Keeper: kept, MaxFile: 1000})
		for range 12 {
			l.Append(audit.Entry{Kind: audit.Write, Route: strings.Repeat("x", 200)})
		}
		done(t, l.Close())
		all, err := filepath.Glob(filepath.Join(dir, audit.Folder, "*.ndjson"))
		done(t, err)
		if len(all) < 4 {
			t.Fatal(all)
		}
		which := all[gone*(len(all)-1)/3] // the first, two in between, and the last
		done(t, os.Remove(which))
		if r := check(t, dir, kept); len(r.Problems) == 0 {
			t.Errorf("%s of %d files is gone: nothing was found", filepath.Base(which), len(all))
		}
		done(t, open(t, audit.Options{Dir: dir, Keeper: kept}).Close())
		if r := check(t, dir, kept); len(r.Problems) == 0 {
			t.Errorf("%s of %d files is gone: nothing was found after the next start", filepath.Base(which), len(all))
		}
	}
}

// rechain makes the hashes of a log right again, as someone would who changes an entry and knows how it is made. What
// they do not have is the head.
func rechain(lines [][]byte) [][]byte {
	var e audit.Entry
	previous := ""
	for i, line := range lines {
		if json.Unmarshal(line, &e) != nil {
			panic("no entry")
		}
		if i > 0 {
			line = bytes.Replace(line, []byte(e.Previous), []byte(previous), 1)
		}
		lines[i] = line
		previous = audit.HashOf(bytes.TrimSuffix(line, []byte("\n")))
	}
	return lines
}

// At whatever byte a crash cuts the last entry, the next start removes the rest of it, says so, and goes on.
func TestATornEntryIsRepaired(t *testing.T) {
	dir, kept := written(t, 3)
	kept.head = audit.Head{} // the crash came before the sync
	path := only(t, dir)
	whole, err := os.ReadFile(path)
	done(t, err)
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for at := last; at < len(whole); at += 7 {
		done(t, os.WriteFile(path, whole[:at], 0o600))
		kept := &memory{}
		l := open(t, audit.Options{Dir: dir, Keeper: kept})
		done(t, l.Close())
		if r := check(t, dir, kept); len(r.Problems) > 0 {
			t.Fatalf("cut at %d: %v", at, r.Problems)
		}
		all := entriesOf(t, dir)
		repaired := slices.ContainsFunc(all, func(e audit.Entry) bool { return e.Route == "repaired" })
		if repaired != (at > last) {
			t.Errorf("cut at %d: noted: %t", at, repaired)
		}
	}
}

func TestANewFileBySizeAndByMonth(t *testing.T) {
	now := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	dir, kept := t.TempDir(), &memory{}
	l := open(t, audit.Options{Dir: dir, Keeper: kept, MaxFile: 2000, Now: func() time.Time { return now }})
	for range 10 {
		l.Append(audit.Entry{Kind: audit.Write, Route: strings.Repeat("x", 200)})
	}
	now = now.Add(time.Hour)
	l.Append(audit.Entry{Kind: audit.Write})
	now = now.Add(-48 * time.Hour) // the clock is put back: the file stays
	l.Append(audit.Entry{Kind: audit.Write})
	done(t, l.Close())
	all, err := filepath.Glob(filepath.Join(dir, audit.Folder, "*"))
	done(t, err)
	var months []string
	for _, path := range all {
		months = append(months, filepath.Base(path)[:7])
	}
	if len(all) < 3 || months[len(months)-1] != "2026-12" || months[len(months)-2] != "2026-11" {
		t.Error(all)
	}
	if r := check(t, dir, kept); len(r.Problems) > 0 || r.Entries != 14 {
		t.Errorf("%+v", r)
	}
}

// Whatever a client sends, an entry is one line of bounded size.
func TestAnEntryIsOneLine(t *testing.T) {
	dir, kept := t.TempDir(), &memory{}
	l := open(t, audit.Options{Dir: dir, Keeper: kept})
	for _, text := range []string{
		"a\nb", "a\r\n{\"number\":7}", "\x00\x1b[31m", "\u2028", "\xff\xfe", strings.Repeat("ä", 100_000), `"\`, "\u0085",
	} {
		l.Append(audit.Entry{
			Kind: audit.Write, User: text, Route: text, Request: text, Dataset: text, ID: text, Code: text, Session: text,
			Token: text, Detail: text, Job: text,
		})
	}
	done(t, l.Close())
	if r := check(t, dir, kept); len(r.Problems) > 0 || r.Entries != 10 {
		t.Errorf("%+v", r)
	}
	text, err := os.ReadFile(only(t, dir))
	done(t, err)
	if len(text) > 60_000 || bytes.ContainsAny(text, "\r\x00\x1b") {
		t.Errorf("%d bytes: %.300q", len(text), text)
	}
}

func TestRefusalsThatRepeatAreCounted(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	dir, kept := t.TempDir(), &memory{}
	l := open(t, audit.Options{Dir: dir, Keeper: kept, Now: func() time.Time { return now }})
	for i := range 10_000 { // a stranger, who varies what can be varied
		l.Append(audit.Entry{Kind: audit.Write, Address: "10.0.0.1", Route: fmt.Sprint(i), Status: 401, Code: "unauthorized"})
	}
	for i := range 5 { // and someone whom it must not hide
		l.Append(audit.Entry{Kind: audit.Write, User: "ada", Route: "r", Status: 409, Code: "stale", ID: fmt.Sprint(i)})
		l.Append(audit.Entry{Kind: audit.Write, User: "ada", Route: "r", Status: 201})
	}
	done(t, l.Close())
	all := entriesOf(t, dir)
	if len(all) != 10+5+5+1+2 { // one counts the others; and start and stop
		t.Errorf("%d entries", len(all))
	}
	var counted int64
	for _, e := range all {
		counted += e.Repeated
	}
	if counted != 10_000-10 {
		t.Errorf("%d were counted", counted)
	}
}

func TestStrangersFromManyAddressesDoNotFillTheDisk(t *testing.T) {
	dir, kept := t.TempDir(), &memory{}
	l := open(t, audit.Options{Dir: dir, Keeper: kept})
	for i := range 50_000 {
		l.Append(audit.Entry{Kind: audit.Read, Address: fmt.Sprint(i), Status: 401})
	}
	done(t, l.Close())
	if n := len(entriesOf(t, dir)); n > 1_100 {
		t.Errorf("%d entries", n)
	}
}

// full is a file on a disk with that many bytes left.
type full struct {
	audit.File
	left *int
}

func (f full) Write(p []byte) (int, error) {
	if len(p) <= *f.left {
		*f.left -= len(p)
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:*f.left])
	*f.left = 0
	return n, errors.Join(err, syscall.ENOSPC)
}

// On a full disk writes are refused, nothing is half written, and once there is room all that happened is recorded.
func TestAFullDisk(t *testing.T) {
	for left := 300; left < 1500; left += 97 {
		dir, kept, room := t.TempDir(), &memory{}, left
		l := open(t, audit.Options{Dir: dir, Keeper: kept, Open: func(path string) (audit.File, error) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			return full{f, &room}, err
		}})
		for range 10 {
			l.Append(audit.Entry{Kind: audit.Write, Route: "createCommit"})
		}
		err := l.Ready()
		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Kind != fault.Unavailable || refused.Code != "audit_unavailable" {
			t.Fatalf("with %d bytes left: %v", left, err)
		}
		room = 1 << 20
		if err := l.Ready(); err != nil {
			t.Error(err)
		}
		done(t, l.Close())
		if r := check(t, dir, kept); len(r.Problems) > 0 || r.Entries != 12 {
			t.Errorf("with %d bytes left: %+v", left, r)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	db, err := settings.Open(context.Background(), dir)
	done(t, err)
	defer db.Close()
	l := open(t, audit.Options{Dir: dir, Keeper: audit.KeptIn(db, "one"), Sync: time.Millisecond, MaxFile: 10_000})
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for k := range 100 {
				l.Append(audit.Entry{Kind: audit.Write, User: fmt.Sprint(i), Commits: []int64{int64(k)}})
			}
		})
	}
	for range 5 {
		r, err := l.Check(context.Background())
		if err != nil || len(r.Problems) > 0 {
			t.Errorf("while it is written: %+v, %v", r, err)
		}
	}
	work.Wait()
	done(t, l.Close())
	kept, err := audit.KeptIn(db, "one").Load(context.Background())
	done(t, err)
	r, err := audit.Check(context.Background(), dir, kept)
	if err != nil || len(r.Problems) > 0 || r.Entries != 802 || r.Last != kept {
		t.Errorf("%+v, %v, kept %+v", r, err, kept)
	}
}

// Each data directory has a log of its own, though their settings are shared. One that was kept before directories were
// told apart is that of the first one that goes on.
func TestDirectoriesThatShareSettings(t *testing.T) {
	ctx := context.Background()
	db, err := settings.Open(ctx, t.TempDir())
	done(t, err)
	defer db.Close()
	head := func(directory string) int64 {
		h, err := audit.KeptIn(db, directory).Load(ctx)
		done(t, err)
		return h.Number
	}
	done(t, audit.KeptIn(db, "").Save(ctx, audit.Head{Number: 7, Hash: "a"}))
	if n := head("one"); n != 7 {
		t.Errorf("what was kept before is %d", n)
	}
	done(t, audit.KeptIn(db, "one").Save(ctx, audit.Head{Number: 8, Hash: "b"}))
	done(t, audit.KeptIn(db, "two").Save(ctx, audit.Head{Number: 3, Hash: "c"}))
	done(t, audit.KeptIn(db, "one").Save(ctx, audit.Head{Number: 5, Hash: "d"})) // it never goes back
	if got := []int64{head("one"), head("two"), head("three"), head("")}; !slices.Equal(got, []int64{8, 3, 0, 0}) {
		t.Error(got)
	}
}

// A job that ends after its request was answered has an entry of its own; one that ends before has not.
func TestTheEndOfAJobIsRecordedOnce(t *testing.T) {
	dir, kept := t.TempDir(), &memory{}
	l := open(t, audit.Options{Dir: dir, Keeper: kept})
	soon, late := l.Begin("shoji", "r1"), l.Begin("http", "r2")
	ctx := audit.With(context.Background(), soon)
	audit.Of(ctx).Commits(7)
	soon.Ended(200, "")
	soon.Answered(func(e *audit.Entry) { e.Kind, e.Status = audit.Write, 201 })
	late.Started("j")
	late.Answered(func(e *audit.Entry) { e.Kind, e.Status = audit.Write, 202 })
	late.Commits(8)
	late.Ended(422, "gate_failed")
	var nobody *audit.Subject // work outside of requests
	nobody.Commits(1)
	nobody.Ended(200, "")
	done(t, l.Close())
	var got []string
	for _, e := range entriesOf(t, dir) {
		if e.Kind != audit.Server {
			got = append(got, fmt.Sprint(e.Kind, e.Request, e.Status, e.Commits, e.Job, e.Code))
		}
	}
	if want := "[writer1201[7] writer2202[]j jobr2422[8]jgate_failed]"; strings.ReplaceAll(fmt.Sprint(got), " ", "") !=
		strings.ReplaceAll(want, " ", "") {
		t.Error(got)
	}
}

// What was lost stays reported until an admin acknowledges it, and what happens to those entries later is reported
// anew.
func TestALossIsAcknowledged(t *testing.T) {
	dir, kept := written(t, 20)
	path := only(t, dir)
	lose := func(from, to int) {
		lines := linesOf(t, path)
		done(t, os.WriteFile(path, append(bytes.Join(slices.Delete(lines, from, to), nil), '\n'), 0o600))
	}
	acknowledge := func(digest string, status int) {
		l := open(t, audit.Options{Dir: dir, Keeper: kept})
		l.Append(audit.Entry{Kind: audit.Write, User: "ada", Status: status, Acknowledged: digest, Detail: "the disk"})
		done(t, l.Close())
	}
	lose(5, 7)
	found := check(t, dir, kept)
	if len(found.Problems) != 1 || found.Digest == "" {
		t.Fatalf("%+v", found)
	}
	acknowledge("another", 204)
	acknowledge(found.Digest, 403)
	if r := check(t, dir, kept); !slices.Equal(r.Problems, found.Problems) || len(r.Acknowledged) != 0 {
		t.Errorf("acknowledged by other digests and refused: %+v", r)
	}
	acknowledge(found.Digest, 204)
	r := check(t, dir, kept)
	if len(r.Problems) != 0 || r.Digest != "" || len(r.Acknowledged) != 1 || r.Acknowledged[0].User != "ada" ||
		r.Acknowledged[0].Note != "the disk" || !slices.Equal(r.Acknowledged[0].Problems, found.Problems) {
		t.Errorf("acknowledged: %+v", r)
	}
	lose(2, 3)
	if r := check(t, dir, kept); len(r.Problems) != 2 || len(r.Acknowledged) != 0 {
		t.Errorf("more is lost: %+v", r)
	}
}

// A last entry that was changed while no server ran is still reported once one goes on after it.
func TestAChangedLastEntryStaysReported(t *testing.T) {
	dir, kept := written(t, 3)
	path := only(t, dir)
	text, err := os.ReadFile(path)
	done(t, err)
	end := bytes.LastIndex(text, []byte(`"stop"`))
	done(t, os.WriteFile(path, append(text[:end:end], bytes.Replace(text[end:], []byte("stop"), []byte("STOP"), 1)...), 0o600))
	if r := check(t, dir, kept); len(r.Problems) != 1 {
		t.Errorf("before a start: %+v", r)
	}
	done(t, open(t, audit.Options{Dir: dir, Keeper: kept}).Close())
	if r := check(t, dir, kept); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "does not follow") {
		t.Errorf("after one: %+v", r)
	}
}
