package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/backup"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/bucket/buckettest"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/storagetest"
)

// through are options of a store whose backups reach a bucket by a transport, with a short lease.
func through(transport http.RoundTripper) storage.Options {
	return storage.Options{
		BackupLease: 300 * time.Millisecond,
		BackupBucket: &storage.ObjectStore{
			Client: func(o *bucket.Options) { o.Transport = transport },
		},
	}
}

// A store is backed up to a bucket, changed, and backed up again; then everything is lost. It is restored as it was,
// into an empty directory and, a dataset of it, under another name; what is damaged is put back from there.
func TestARestoreDrillFromABucket(t *testing.T) {
	buckettest.Start(t)
	const target = "s3://store/of/backups"
	w := newWorld(t)
	wire := &buckettest.Wire{}
	o := through(wire)
	o.Backups = target
	b := reopen(t, w.dir, o)
	before := b.Told()
	first := b.backUp(target)
	b.JSON(w.d, catalog.Append, `[{"id":200,"x":"new"}]`)
	told, digest := b.Told(), b.DigestAt(w.d, "head")
	wire.Took()
	second := b.backUp(target)
	fewRequests(t, wire.Took(), second)
	if second.Copied != 4 { // a data file and commit.json; the catalog, and the list of objects
		t.Errorf("%d objects were copied, of %d", second.Copied, second.Objects)
	}
	list, unreadable, err := b.Copies.List(t.Context())
	if err != nil || unreadable != 0 || len(list) != 2 || list[0].ID != second.ID {
		t.Errorf("listed %+v, %d, %v", list, unreadable, err)
	}
	wholeTarget(t, target)
	dir := b.ClosedDir()
	for i, path := range objectPaths(t, dir) {
		if i%3 == 0 {
			spoil(t, path)
		}
	}
	for _, r := range repaired(t, dir, true, target) {
		if !r.Done {
			t.Errorf("not repaired: %+v", r)
		}
	}
	if got := storagetest.Shows(t, dir, true); got != told {
		t.Errorf("repaired\n%s\nwant\n%s", got, told)
	}
	for from, want := range map[string]string{target: told, backup.ManifestPath(target, first.ID): before} {
		if got := storagetest.Shows(t, restoredDir(t, from), true); got != want {
			t.Errorf("restored from %s\n%s\nwant\n%s", from, got, want)
		}
	}
	o.Backups = "s3://store/of/backups/"
	other := reopen(t, t.TempDir(), o)
	for _, id := range []string{"latest", second.ID} {
		made, err := other.GraftOwn(t.Context(), id, storage.Graft{
			Project: 1, Dataset: w.d, Name: "again " + id, Into: 1,
		}, storage.Request{})
		other.Must(err)
		if got := other.DigestAt(made.Dataset.ID, "head"); got != digest || made.Compared < 5 {
			t.Errorf("the digest is %s, want %s; %d states were compared", got, digest, made.Compared)
		}
	}
	_, err = storage.PruneBackups(t.Context(), target, 1, false, storage.Options{})
	storagetest.Must(t, err)
	wholeTarget(t, target)
	if got := storagetest.Shows(t, restoredDir(t, target), true); got != told {
		t.Errorf("after a pruning, restored\n%s\nwant\n%s", got, told)
	}
}

// fewRequests checks what a backup asks for that has little to copy.
func fewRequests(t *testing.T, took []string, m backup.Manifest) {
	t.Helper()
	puts, lists := 0, map[string]int{}
	for _, request := range took {
		if strings.HasPrefix(request, "PUT /store/of/backups/objects/") {
			puts++
		}
		if prefix, ok := strings.CutPrefix(request, "LIST of/backups/"); ok {
			lists[prefix]++
		}
	}
	// The objects are listed for what is there, and for uploads that were given up.
	if puts != m.Copied || lists["backups/"] != 1 || lists["objects/"] != 2 || lists[""] != 0 {
		t.Errorf("a backup that copied %d objects asked for %q", m.Copied, took)
	}
}

// stopping passes requests on until one that writes is stopped: then none gets there any more, as those of a machine
// that has stopped, or that one is answered with an error.
type stopping struct {
	*storagetest.Stops
	stop   func()
	late   bool // the request is done that the machine does not hear of
	isFull bool // it is answered that the bucket is full

	stopped atomic.Bool
	first   sync.Once
}

// RoundTrip implements http.RoundTripper.
func (s *stopping) RoundTrip(r *http.Request) (*http.Response, error) {
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	isLock := strings.Contains(r.URL.Path, "/lock/")
	var err error
	switch {
	case s.stopped.Load():
		err = storagetest.ErrCrash
	case !isRead && (!s.isFull || !isLock): // a lock that could not be written is written again
		err = s.Hook(r.Method, r.URL.Path)
	}
	if err == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	isLate := false
	if !s.isFull && s.late && !isRead {
		s.first.Do(func() { isLate = true })
	}
	if isLate {
		if done, err := http.DefaultTransport.RoundTrip(r); err == nil {
			done.Body.Close()
		}
	} else if r.Body != nil {
		r.Body.Close()
	}
	if s.isFull {
		return full(r), nil
	}
	s.stopped.Store(true)
	s.stop()
	return nil, fmt.Errorf("%w: %w", context.Canceled, err) // which is not tried again
}

// full is the answer of a bucket that takes no more.
func full(r *http.Request) *http.Response {
	const body = "<Error><Code>XMinioStorageFull</Code></Error>"
	return &http.Response{
		StatusCode: http.StatusInsufficientStorage, Header: http.Header{"Content-Type": {"application/xml"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// starts has the machine start again, which does not stop any more.
func (s *stopping) starts() {
	s.Armed = false
	s.stopped.Store(false)
}

// wholeBucket starts a server, and opens its bucket, which may take its time.
func wholeBucket(t *testing.T) *bucket.Bucket {
	t.Helper()
	buckettest.Start(t)
	b, err := bucket.Open(bucket.Options{URL: "s3://store", Timeout: time.Minute})
	storagetest.Must(t, err)
	return b
}

// prefixCopied copies the objects below a prefix of a bucket.
func prefixCopied(t *testing.T, b *bucket.Bucket, from, to string) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for o, err := range b.List(t.Context(), from+"/", false) {
		storagetest.Must(t, err)
		g.Go(func() error { return b.Copy(ctx, o.Key, to+strings.TrimPrefix(o.Key, from), o.Size) })
	}
	storagetest.Must(t, g.Wait())
}

// The machine stops at steps of a backup to a bucket, before or after the request got there, or the bucket is full. The
// backups before it are whole, and the next one is made without help.
func TestABackupToABucketStopsAtAnyStep(t *testing.T) {
	all := wholeBucket(t)
	w := newWorld(t)
	b := reopen(t, w.dir, storage.Options{})
	first := b.backUp("s3://store/start")
	before := b.Told()
	b.JSON(w.d, catalog.Append, `[{"id":200,"x":"new"}]`)
	after := b.Told()
	b.ClosedDir()
	tries := 0
	for _, isFull := range []bool{false, true} {
		for _, start := range []string{"start", ""} {
			every := 3
			if start == "" { // everything is copied
				every = 30
			}
			crashesEvery(t, every, isFull, func(step int, s *storagetest.Stops) bool {
				tries++
				target := fmt.Sprint("try-", tries)
				if start != "" {
					prefixCopied(t, all, start, target)
				}
				target = "s3://store/" + target
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				wire := &stopping{Stops: s, stop: cancel, late: step%2 == 1, isFull: isFull}
				b := reopen(t, storagetest.Copied(t, w.dir), through(wire))
				s.Armed = true
				_, err := b.Copies.MakeIn(ctx, target, storage.NewStoreBackup{}, storage.Request{})
				wire.starts()
				if err != nil && !s.Crashed {
					t.Errorf("step %d: nothing was stopped: %v", step, err)
				}
				if code := storage.Explain(err).Code; isFull && s.Crashed && code != "backup_disk_full" {
					t.Errorf("step %d: a full bucket is reported as %s: %v", step, code, err)
				}
				b.backUp(target)
				wholeTarget(t, target)
				if start != "" && step%2 == 0 {
					m := backup.ManifestPath(target, first.ID)
					if got := storagetest.Shows(t, restoredDir(t, m), false); got != before {
						t.Errorf("step %d: the first backup has\n%s\nwant\n%s", step, got, before)
					}
				}
				if got := storagetest.Shows(t, restoredDir(t, target), false); got != after {
					t.Errorf("step %d: the next backup has\n%s\nwant\n%s", step, got, after)
				}
				return s.Crashed
			})
		}
	}
}

// A pruning stops at steps: what is there is whole, and the next pruning removes what was left.
func TestPruningABucketStopsAtAnyStep(t *testing.T) {
	all := wholeBucket(t)
	_, target, told, made := threeBackups(t)
	copyUp(t, all, target, "start")
	crashesEvery(t, 4, false, func(step int, s *storagetest.Stops) bool {
		target := fmt.Sprint("at-", step)
		prefixCopied(t, all, "start", target)
		target = "s3://store/" + target
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		wire := &stopping{Stops: s, stop: cancel, late: step%2 == 1}
		o := through(wire)
		s.Armed = true
		_, err := storage.PruneBackups(ctx, target, 1, false, o)
		wire.starts()
		if err == nil && !s.Crashed {
			return false
		}
		wholeTarget(t, target)
		_, err = storage.PruneBackups(t.Context(), target, 1, false, o)
		storagetest.Must(t, err)
		list, _, err := storage.ListBackups(t.Context(), target, o)
		if err != nil || len(list) != 1 || list[0].ID != made[2].ID {
			t.Errorf("step %d left %+v, %v", step, list, err)
		}
		if out, err := storage.PruneBackups(t.Context(), target, 1, true, o); err != nil || out.Objects > 0 {
			t.Errorf("step %d left %+v, %v", step, out, err)
		}
		if got := storagetest.Shows(t, restoredDir(t, target), false); got != told[2] {
			t.Errorf("step %d: the newest has\n%s\nwant\n%s", step, got, told[2])
		}
		return s.Crashed
	})
}

// filled passes requests on to a bucket that takes no more until something was removed from it.
type filled struct{ hasRoom atomic.Bool }

// RoundTrip implements http.RoundTripper.
func (f *filled) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete {
		f.hasRoom.Store(true)
	}
	if r.Method != http.MethodPut || f.hasRoom.Load() {
		return http.DefaultTransport.RoundTrip(r)
	}
	r.Body.Close()
	return full(r), nil
}

// A bucket that is so full that it has no room for a lock is pruned even so, unless nothing in it may go.
func TestPruningAFullBucket(t *testing.T) {
	all := wholeBucket(t)
	_, dir, told, _ := threeBackups(t)
	copyUp(t, all, dir, "full")
	const target = "s3://store/full"
	for _, c := range []struct {
		keep, gone int
		dry, fails bool
	}{{keep: 3, fails: true}, {keep: 1, gone: 2, dry: true}, {keep: 1, gone: 2}} {
		out, err := storage.PruneBackups(t.Context(), target, c.keep, c.dry, through(&filled{}))
		if (err != nil) != c.fails || len(out.Backups) != c.gone || !c.fails && out.Objects == 0 {
			t.Errorf("%+v: %+v, %v", c, out, err)
		}
		wholeTarget(t, target)
	}
	list, _, err := storage.ListBackups(t.Context(), target, storage.Options{})
	if err != nil || len(list) != 1 {
		t.Errorf("%d are left, %v", len(list), err)
	}
	if got := storagetest.Shows(t, restoredDir(t, target), false); got != told[2] {
		t.Errorf("the newest has\n%s\nwant\n%s", got, told[2])
	}
}

// copyUp copies a directory of backups to a bucket: it is a target there too.
func copyUp(t *testing.T, b *bucket.Bucket, dir, prefix string) {
	t.Helper()
	for line := range strings.Lines(tree(t, dir)) {
		name := strings.Fields(line)[0]
		storagetest.Must(t, b.Replace(t.Context(), prefix+filepath.ToSlash(name), filepath.Join(dir, name)))
	}
}

// Backups and prunings that begin at the same time run one after the other, or are refused, and leave whole backups.
func TestBackupsAndPruningsBesideEachOther(t *testing.T) {
	buckettest.Start(t)
	const target = "s3://store/p"
	o := through(http.DefaultTransport)
	o.BackupLease = time.Second
	b := reopen(t, t.TempDir(), o)
	d := b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":0}]`)
	b.backUp(target)
	var wg sync.WaitGroup
	var mu sync.Mutex
	made, refused := 0, 0
	count := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		switch code := storage.Explain(err).Code; {
		case err == nil:
			made++
		case code == "backup_running" || errors.Is(err, backup.ErrInUse):
			refused++
		default:
			t.Error(err)
		}
	}
	for n := range 3 {
		wg.Go(func() {
			for i := range 3 {
				b.JSON(d, catalog.Append, fmt.Sprintf(`[{"id":%d}]`, 1+n*10+i))
				_, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{}, storage.Request{})
				count(err)
			}
		})
	}
	wg.Go(func() {
		for range 4 {
			_, err := storage.PruneBackups(t.Context(), target, 1, false, o)
			count(err)
		}
	})
	wg.Wait()
	t.Logf("%d done, %d refused", made, refused)
	if made == 0 || refused == 0 {
		t.Errorf("%d were done, and %d refused", made, refused)
	}
	wholeTarget(t, target)
	b.backUp(target)
	want := b.Told()
	if got := storagetest.Shows(t, restoredDir(t, target), true); got != want {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
}

// A backup goes to a prefix below which there is nothing, or backups of the same store: nowhere near objects of a store.
func TestWhereABackupGoesInABucket(t *testing.T) {
	all, _ := buckettest.Start(t).Open(t, "")
	b, other := reopen(t, t.TempDir(), inBucket("own/objects", nil)), reopen(t, t.TempDir(), inBucket("theirs", nil))
	b.JSON(b.Create("d", "id"), catalog.Append, `[{"id":1}]`)
	other.backUp("s3://store/taken")
	storagetest.Must(t, all.Put(t.Context(), "foreign/thesis.txt", []byte("x")))
	there := func() (keys []string) {
		for o, err := range all.List(t.Context(), "", false) {
			storagetest.Must(t, err)
			keys = append(keys, o.Key)
		}
		return keys
	}
	before := there()
	refused := func(target, code string) {
		t.Helper()
		_, err := b.Copies.MakeIn(t.Context(), target, storage.NewStoreBackup{}, storage.Request{})
		e := storage.Explain(err)
		if err == nil || e.Code != code || strings.Contains(e.Detail, target) {
			t.Errorf("%s: %v (%s)", target, err, e.Code)
		}
	}
	for _, target := range []string{
		"own/objects", "own/objects/", "own/objects/objects", "own", "", "theirs", "theirs/below", "taken", "foreign",
	} {
		refused("s3://store/"+target, "backup_target_taken")
	}
	refused("s3://nowhere/x", "backup_bucket_unavailable")
	b.backUp("s3://store/own/backups")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	_, err := b.Copies.MakeIn(t.Context(), "s3://store/own/backups", storage.NewStoreBackup{}, storage.Request{})
	if e := storage.Explain(err); e.Kind != fault.Unavailable || e.Code != "backup_bucket_unavailable" ||
		!strings.Contains(fmt.Sprint(errors.Unwrap(err)), "credentials") {
		t.Errorf("with wrong credentials: %v, because of %v", err, errors.Unwrap(err))
	}
	after := slices.DeleteFunc(there(), func(key string) bool { return strings.HasPrefix(key, "own/backups/") })
	if !slices.Equal(before, after) {
		t.Errorf("the bucket has %q, and had %q", after, before)
	}
}

// What is damaged in a backup is named, with what to do; nothing of it is restored.
func TestADamagedBackupIsNamed(t *testing.T) {
	_, target, _, made := threeBackups(t)
	m := made[2]
	b := open(t)
	graft := func() *fault.Error {
		_, err := b.Graft(t.Context(), storage.Graft{Backup: target, Project: 1, Dataset: "d"}, storage.Request{})
		return storage.Explain(err)
	}
	for _, path := range targetObjects(t, target) {
		spoil(t, path)
	}
	e := graft()
	if e.Kind != fault.Corrupt || e.Code != "backup_damaged" || e.Fields["backup"] != m.ID ||
		e.Fields["file"] != "the list of its objects" || !strings.Contains(e.Detail, m.List.SHA256) {
		t.Errorf("the list: %+v", e)
	}
	spoil(t, filepath.Join(target, "objects", m.List.SHA256[:2], m.List.SHA256)) // back again
	if e = graft(); e.Code != "backup_damaged" || !strings.HasPrefix(fmt.Sprint(e.Fields["file"]), "objects/") {
		t.Errorf("an object: %+v", e)
	}
	spoil(t, manifestOf(target, m))
	_, err := b.Graft(t.Context(), storage.Graft{Backup: manifestOf(target, m), Project: 1, Dataset: "d"}, storage.Request{})
	if e = storage.Explain(err); e.Code != "backup_damaged" || e.Fields["file"] != "its manifest" {
		t.Errorf("the manifest: %+v", e)
	}
}
