package storage_test

import (
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

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// A disk that is full refuses the commit, keeps the state, and takes the next one when there is room.
func TestFullDisk(t *testing.T) {
	full := false
	dir := t.TempDir()
	b := reopen(t, dir, storage.Options{Hook: func(op, path string) error {
		if full && op == "write" {
			return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
		return nil
	}})
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1}]`)
	full = true
	_, err := b.Try(d, "append", intake.JSON, `[{"id":2}]`)
	if e := storage.Explain(err); e.Kind != fault.Unavailable || e.Code != "disk_full" || strings.Contains(e.Detail, dir) {
		t.Errorf("got %v: %v", e.Code, err)
	}
	full = false
	b.Want(d, "head", `{"id":1}`)
	b.JSON(d, "append", `[{"id":2}]`)
	b.Want(d, "head", `{"id":1}`, `{"id":2}`)
	b.Sound()
}

// Writers of one dataset follow one another; one that asked for a head that has moved is refused.
func TestWritersRace(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	first := b.JSON(d, "append", `[{"id":0}]`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won, lost int
	for i := range 8 {
		u := b.Upload(intake.JSON, fmt.Sprintf(`[{"id":%d}]`, 100+i))
		wg.Go(func() {
			_, err := b.Commit(ctx, d, storage.Change{Mode: "append", Upload: u,
				Request: storage.Request{ExpectedHead: &first.ID}})
			mu.Lock()
			defer mu.Unlock()
			var e *fault.Error
			switch {
			case err == nil:
				won++
			case errors.As(err, &e) && e.Kind == fault.Conflict && e.Code == "stale_head":
				lost++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 || lost != 7 {
		t.Errorf("%d won and %d lost", won, lost)
	}
	for i := range 8 {
		u := b.Upload(intake.JSON, fmt.Sprintf(`[{"id":%d}]`, 200+i))
		wg.Go(func() {
			if _, err := b.Commit(ctx, d, storage.Change{Mode: "append", Upload: u}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(b.Rows(d, "head", false)); n != 10 {
		t.Errorf("%d records", n)
	}
	b.Sound()
}

// lance #8949: two concurrent upserts of the same new key leave it twice.
func TestConcurrentUpsertsOfOneKey(t *testing.T) {
	b := open(t)
	d := b.Create("x", "id")
	var wg sync.WaitGroup
	for i := range 6 {
		u := b.Upload(intake.JSON, fmt.Sprintf(`[{"id":1,"v":%d}]`, i))
		wg.Go(func() {
			if _, err := b.Commit(context.Background(), d, storage.Change{Mode: "upsert", Upload: u}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(b.Rows(d, "head", false)); n != 1 {
		t.Errorf("the key is there %d times", n)
	}
	b.Sound()
}

// Appends to a dataset and to another side by side never give a row id twice.
func TestRowNumbersAreGivenOnce(t *testing.T) {
	b := open(t)
	d := b.Create("x")
	var wg sync.WaitGroup
	for range 6 {
		u := b.Upload(intake.JSON, `[{"v":1},{"v":2},{"v":3}]`)
		wg.Go(func() {
			if _, err := b.Commit(context.Background(), d, storage.Change{Mode: "append", Upload: u}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c := b.JSON(d, "append", `[{"_id":50,"v":4},{"v":5}]`)
	if storagetest.Counts(c) != "+2 -0 ~0 =20" {
		t.Error(storagetest.Counts(c))
	}
	b.JSON(d, "append", `[{"v":6}]`)
	ids := map[string]int{}
	for _, line := range b.Rows(d, "head", false) {
		var r struct {
			ID json.Number `json:"_id"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		ids[r.ID.String()]++
	}
	if len(ids) != 21 || ids["18"] != 1 || ids["50"] != 1 || ids["53"] != 1 {
		t.Errorf("%v", ids)
	}
	_, err := b.Try(d, "append", intake.JSON, `[{"_id":50,"v":7}]`)
	wantRefusal(t, err, "key_exists")
}

// The same request twice does its work once, and the answer is kept with the work, so that a crash parts neither.
func TestReceipts(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x")
	request := func(print string) storage.Request {
		return storage.Request{User: "ann", Receipt: &storage.Receipt[catalog.Commit]{
			Slot:   storage.Slot{Key: "k", Fingerprint: print},
			Answer: func(c catalog.Commit) (json.RawMessage, error) { return json.Marshal(c.ID) },
		}}
	}
	c, err := b.Commit(ctx, d, storage.Change{Mode: "append", Upload: b.Upload(intake.JSON, `[{"v":1}]`),
		Request: request("p")})
	if err != nil {
		t.Fatal(err)
	}
	again := reopen(t, b.ClosedDir(), storage.Options{})
	answer, ok, done, err := again.Requests.Once(ctx, "ann", "k", "p")
	if err != nil || !ok || string(answer) != fmt.Sprint(c.ID) {
		t.Fatalf("%s %v %v", answer, ok, err)
	}
	done()
	if _, ok, _, err := again.Requests.Once(ctx, "bob", "k", "p"); ok || err != nil {
		t.Errorf("another user's key: %v %v", ok, err)
	}
	_, _, _, err = again.Requests.Once(ctx, "ann", "k", "other")
	wantRefusal(t, err, "idempotency_key_reused")
}

func TestOneProcessAtATime(t *testing.T) {
	b := open(t)
	if s, err := storage.Open(context.Background(), b.Dir, storage.Options{}); err == nil {
		s.Close()
		t.Error("a second process opened the directory")
	}
}

// A catalog that was lost is made anew from the objects: states, versions, savepoints, deleted datasets, and all.
func TestRebuild(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	b.JSON(d, "append", `[{"id":1,"v":"a"}]`)
	c := b.JSON(d, "upsert", `[{"id":1,"v":"b"},{"id":2,"v":"c"}]`)
	if _, err := b.Increment(ctx, d, storagetest.Forced("major", "named"), storage.Request{User: "ann"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.TryRollback(d, c.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	wanted := storage.NewBackup{Ref: "1.0.0", Description: "kept"}
	if _, err := b.Backups.Make(ctx, d, wanted, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	gone := b.Create("gone")
	if err := b.DeleteDataset(ctx, gone, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	reborn := b.Create("gone") // the name is free again
	empty := b.Create("empty")
	tell := func(b *bench) string {
		var out []string
		commits, err := b.Commits(ctx, d, 1<<62, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commits {
			c.SchemaID, c.PropertiesID = "", ""
			out = append(out, storagetest.ToJSON(c), storagetest.ToJSON(b.Rows(d, fmt.Sprint(c.ID), true)))
		}
		versions, _ := b.Versions(ctx, d)
		savepoints, _ := b.Savepoints(ctx, d)
		backups, _ := b.Backups.List(ctx, d)
		_, errGone := b.Dataset(ctx, gone)
		_, errReborn := b.Dataset(ctx, reborn)
		e, errEmpty := b.State(ctx, empty, "head")
		return strings.Join(append(out, storagetest.ToJSON(versions), storagetest.ToJSON(savepoints), storagetest.ToJSON(backups),
			fmt.Sprint(errGone, errReborn, errEmpty), storagetest.ToJSON(e.Dataset)), "\n")
	}
	before := tell(b)
	dir := b.ClosedDir()
	for _, f := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	again := reopen(t, dir, storage.Options{})
	if after := tell(again); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
	next := again.JSON(d, "append", `[{"id":77}]`)
	if next.ID <= c.ID {
		t.Errorf("commit %d was given again", next.ID)
	}
	again.Sound()
}

func TestRefs(t *testing.T) {
	ctx := context.Background()
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	dir := t.TempDir()
	b := reopen(t, dir, storage.Options{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		clock = clock.Add(time.Hour)
		return clock
	}})
	d := b.Create("x")
	first := b.JSON(d, "append", `[{"v":1}]`)
	if _, err := b.Increment(ctx, d, storage.NewVersion{Part: "minor", Force: true}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	second := b.JSON(d, "append", `[{"v":2}]`)
	if _, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	for ref, total := range map[string]int64{
		"head": 1, "": 1, "0": 0, fmt.Sprint(first.ID): 1, fmt.Sprint(second.ID): 2, "1.0.0": 1, "master__000001": 2,
		first.CreatedAt.Format(time.RFC3339Nano): 1, first.CreatedAt.Add(-time.Microsecond).Format(time.RFC3339Nano): 0,
		second.CreatedAt.Format(time.RFC3339):                                2,
		second.CreatedAt.In(time.FixedZone("", 3600*5)).Format(time.RFC3339): 2,
	} {
		s, err := b.Snapshot(ctx, d, ref)
		if err != nil || s.Total() != total {
			t.Errorf("%q: %v, %v", ref, s, err)
		}
	}
	for ref, code := range map[string]string{
		"1.0.1": "version_not_found", "99": "commit_not_found", "-1": "commit_not_found",
		"master__000009": "savepoint_not_found",
		"tail":           "ref_not_found", "2020-01-01T00:00:00Z": "ref_not_found", "1.0": "ref_not_found",
		"99999999999999999999": "ref_not_found", "../x": "ref_not_found",
	} {
		_, err := b.Snapshot(ctx, d, ref)
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != code || e.Kind != fault.NotFound {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestNames(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	for _, name := range []string{"plain", "with space", "ünïcode 🦆", `quo"te's`, "1.0.0", "head",
		"a;b--c", strings.Repeat("x", 255)} {
		d := b.Create(name)
		b.JSON(d, "append", `[{"v":1}]`)
		if found, err := b.FindDataset(ctx, 1, name); err != nil || found.ID != d {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", " ", " x", "x ", "../x", "a/b", `a\b`, "a@1", "..", ".", "a\nb", "a\x00b",
		strings.Repeat("x", 256), strings.Repeat("🦆", 10_000), "0123456789abcdef0123456789abcdef", "\xff"} {
		_, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: name}, storage.Request{})
		wantRefusal(t, err, "invalid_name")
	}
	_, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "plain"}, storage.Request{})
	wantRefusal(t, err, "name_taken")
	if _, err := b.CreateDataset(ctx, storage.NewDataset{ProjectID: 2, Name: "plain"}, storage.Request{}); err != nil {
		t.Error(err)
	}
	_, err = b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "k", Key: []string{"a", "A"}}, storage.Request{})
	wantRefusal(t, err, "invalid_key")
	_, err = b.CreateDataset(ctx, storage.NewDataset{ProjectID: 1, Name: "k", Key: []string{"_commit"}}, storage.Request{})
	wantRefusal(t, err, "reserved_column")
	b.Sound()
}

func TestDeleteAndUndelete(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x")
	b.JSON(d, "append", `[{"v":1}]`)
	if err := b.DeleteDataset(ctx, d, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	_, err := b.Try(d, "append", intake.JSON, `[{"v":2}]`)
	wantRefusal(t, err, "dataset_deleted")
	other := b.Create("x")
	_, err = b.UndeleteDataset(ctx, d, storage.Request{})
	wantRefusal(t, err, "name_taken")
	never := int64(9999)
	_, err = b.UndeleteDataset(ctx, d, storage.Request{ExpectedHead: &never})
	wantRefusal(t, err, "stale_head")
	name := "y"
	if _, err := b.EditDataset(ctx, other, storage.Edit{Name: &name}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.UndeleteDataset(ctx, d, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	b.Want(d, "head", `{"_id":1,"v":1}`)
	b.Sound()
}

// What a comparison costs follows the change: it reads the files that the two states do not share, and no other. The
// others are taken away first, so that opening one fails.
func TestCompareOpensOnlyWhatDiffers(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	for i := range 20 {
		b.JSON(d, "append", fmt.Sprintf(`[{"id":%d,"v":0},{"id":%d,"v":0}]`, 2*i, 2*i+1))
	}
	from := b.JSON(d, "delete", `[{"id":5}]`) // displaced in both states: it cancels too
	b.JSON(d, "upsert", `[{"id":3,"v":1},{"id":100,"v":1}]`)
	b.JSON(d, "delete", `[{"id":9}]`)
	to := b.JSON(d, "append", `[{"id":101,"v":1}]`)
	a, err := b.Snapshot(ctx, d, fmt.Sprint(from.ID))
	if err != nil {
		t.Fatal(err)
	}
	z, err := b.Snapshot(ctx, d, fmt.Sprint(to.ID))
	if err != nil {
		t.Fatal(err)
	}
	diff := snapshot.Diff(a, z)
	var opens []string
	for _, f := range diff.Files() {
		opens = append(opens, f.Key[len(d)+1:])
	}
	slices.Sort(opens)
	if got := strings.Join(opens, " "); got !=
		"22/data-0000.parquet 22/rollback-0000.parquet 23/rollback-0000.parquet 24/data-0000.parquet" {
		t.Errorf("it opens %s", got)
	}
	kept := map[int64]bool{}
	for _, f := range diff.Files() {
		kept[f.ID] = true
	}
	for _, f := range append(a.Files(), z.Files()...) {
		if !kept[f.ID] {
			if err := os.Remove(filepath.Join(b.Dir, "objects", f.Key)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
	conn, err := b.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := diff.Count(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	if got.Added != 2 || got.Removed != 1 || got.Modified != 1 || got.Columns["v"] != 1 {
		t.Errorf("%+v", got)
	}
}

// A rollback and a restore read no row, however many they cover; a small change of keys in order opens only the files
// whose bounds hold them.
func TestSmallWorkOpensLittle(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	for i := range 10 {
		b.JSON(d, "append", fmt.Sprintf(`[{"id":%d},{"id":%d}]`, 10*i, 10*i+9))
	}
	last := b.JSON(d, "append", `[{"id":1000}]`)
	snap, err := b.Snapshot(ctx, d, "head")
	if err != nil {
		t.Fatal(err)
	}
	paths := snap.Paths()
	for i, path := range paths {
		if i != 3 { // the file with keys 30 to 39
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.JSON(d, "upsert", `[{"id":39,"v":"changed"},{"id":35,"v":"new"}]`)
	if _, err := b.Try(d, "upsert", intake.JSON, `[{"id":50}]`); err == nil {
		t.Error("a file that is away was not missed: this test proves nothing")
	}
	up, err := b.Commits(ctx, d, 1<<62, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.TryRollback(d, up[0].ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	if _, err := b.TryRollback(d, last.ID, storage.Stack); err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		if i != 3 {
			if err := os.Rename(path+".away", path); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Sound()
}

func TestAStateIsNamedAgainByForceOnlyOrAfterAVersionIsRolledBack(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x", "id")
	for _, v := range []string{"1", "2"} {
		b.JSON(d, "upsert", `[{"id":1,"v":`+v+`}]`)
		if _, err := b.Increment(ctx, d, storage.NewVersion{Part: "patch"}, storage.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.RollbackVersion(ctx, d, "1.0.0", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	v, err := b.Increment(ctx, d, storage.NewVersion{Part: "patch"}, storage.Request{})
	if err != nil || storage.VersionNumber(v) != "1.0.2" {
		t.Errorf("%s, %v; want 1.0.2", storage.VersionNumber(v), err)
	}
	_, err = b.Increment(ctx, d, storage.NewVersion{Part: "patch"}, storage.Request{})
	wantRefusal(t, err, "version_unchanged")
	v, err = b.Increment(ctx, d, storage.NewVersion{Part: "patch", Force: true}, storage.Request{})
	if err != nil || storage.VersionNumber(v) != "1.0.3" {
		t.Errorf("%s, %v; want 1.0.3", storage.VersionNumber(v), err)
	}
}

func TestVersions(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("x")
	up := func(part, want string) {
		t.Helper()
		v, err := b.Increment(ctx, d, storage.NewVersion{Part: part, Force: true}, storage.Request{})
		if err != nil || storage.VersionNumber(v) != want {
			t.Errorf("%s: %s, %v; want %s", part, storage.VersionNumber(v), err, want)
		}
	}
	up("major", "1.0.0")
	for i := range 10 {
		up("patch", fmt.Sprintf("1.0.%d", i+1))
	}
	up("minor", "1.1.0")
	list, err := b.Versions(ctx, d)
	if err != nil || storage.VersionNumber(list[9]) != "1.0.9" || storage.VersionNumber(list[10]) != "1.0.10" {
		t.Errorf("%v %v", list, err)
	}
	b.JSON(d, "append", `[{"v":1}]`)
	up("major", "2.0.0")
	if _, err := b.RollbackVersion(ctx, d, "1.0.9", storage.Request{}); err != nil {
		t.Fatal(err)
	}
	list, err = b.Versions(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range list {
		if v.IsActive != (i <= 9) {
			t.Errorf("%s active: %v", storage.VersionNumber(v), v.IsActive)
		}
	}
	up("patch", "2.0.1") // counted from the highest that was ever given
	_, err = b.Increment(ctx, d, storage.NewVersion{Part: "huge", Force: true}, storage.Request{})
	wantRefusal(t, err, "unknown_version_type")
	for _, bad := range []string{"1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.x", "", "99999999999999999999.0.0"} {
		_, err := b.FindVersion(ctx, d, bad)
		var e *fault.Error
		if !errors.As(err, &e) || e.Detail != "Invalid version format. Expected semantic version (major.minor.patch)" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, err = b.FindVersion(ctx, d, "1.0.2000")
	if err == nil || err.Error() != "Version 1.0.2000 not found for dataset 'x'" {
		t.Error(err)
	}
	saves, err := b.Savepoints(ctx, d)
	if err != nil || len(saves) != 2 || storage.SavepointName(saves[0].Number) != "master__000001" ||
		saves[1].Description != "initial import" {
		t.Errorf("%+v %v", saves, err)
	}
}
