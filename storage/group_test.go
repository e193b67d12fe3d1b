package storage_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// sent is a small commit that a client sends, and answer what it was told.
type sent struct {
	mode catalog.Mode
	body string
	head int64 // that it expects; 0: any
}

type answer struct {
	catalog.Commit
	err error
}

func (b *bench) send(d string, c sent) (a answer) {
	change := storage.Change{Mode: c.mode, Upload: b.Upload(intake.JSON, c.body)}
	if c.head != 0 {
		change.ExpectedHead = &c.head
	}
	a.Commit, a.err = b.Commit(context.Background(), d, change)
	return a
}

// grouped sends commits that wait for the dataset's lock in this order until all are there, and so form a group.
func (b *bench) grouped(d string, all ...sent) []answer { return b.groupedBy(b.send, d, all...) }

func (b *bench) groupedBy(send func(string, sent) answer, d string, all ...sent) []answer {
	b.Helper()
	b.GroupAllThatWait()
	answers := make([]answer, len(all))
	var wg sync.WaitGroup
	b.Must(b.Alone(context.Background(), d, storage.Request{}, func(storage.Request) error {
		for i, c := range all {
			wg.Go(func() { answers[i] = send(d, c) })
			for b.Queued(d) < i+2 {
				runtime.Gosched()
			}
		}
		return nil
	}))
	wg.Wait()
	return answers
}

// transactions counts those of the catalog that write.
type transactions struct {
	mu sync.Mutex
	n  int
}

func (c *transactions) hook(op, _ string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op == "commit" {
		c.n++
	}
	return nil
}

// mixed are commits of which each sees what the ones before it did, and some are refused for that.
var mixed = []sent{
	{mode: catalog.Append, body: `[{"id":1,"x":"a"}]`},
	{mode: catalog.Upsert, body: `[{"id":1,"x":"b"},{"id":2,"n":5}]`},
	{mode: catalog.Append, body: `[{"id":2,"x":"there already"}]`},
	{mode: catalog.Append, body: `[{"id":3`},
	{mode: catalog.Append, body: `[{"id":4,"x":"d"}]`, head: 1},
	{mode: catalog.Append, body: `[{"id":5,"x":"e","n":1.5}]`},
	{mode: catalog.Delete, body: `[{"id":1}]`},
	{mode: catalog.Overwrite, body: `[{"id":5,"x":"f"},{"id":6,"x":"g"}]`},
	{mode: catalog.Append, body: `[{"id":1,"x":"again"}]`},
}

// A group of commits is the same commits as one after the other: the same answers, refusals, files and records, in one
// transaction.
func TestAGroupIsItsCommits(t *testing.T) {
	counted := &transactions{}
	b := reopen(t, t.TempDir(), storage.Options{Hook: counted.hook})
	for _, key := range [][]string{{"id"}, nil} {
		alone := b.Create(fmt.Sprint("alone", len(key)), key...)
		together := b.Create(fmt.Sprint("together", len(key)), key...)
		list := mixed
		if key == nil { // those have row ids
			list = slices.DeleteFunc(slices.Clone(mixed), func(c sent) bool { return c.mode != catalog.Append })
		}
		var want []string
		for _, c := range list {
			want = append(want, told(b.send(alone, c)))
		}
		counted.n = 0
		var got []string
		var ids []int64
		for _, a := range b.grouped(together, list...) {
			got = append(got, told(a))
			if a.err == nil {
				ids = append(ids, a.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the group was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if counted.n != 1 {
			t.Errorf("the group took %d transactions", counted.n)
		}
		b.Want(together, "head", b.Rows(alone, "head", false)...)
		b.chained(together, ids)
	}
	b.Sound()
	before := b.Told()
	dir := b.ClosedDir()
	storagetest.WithCatalog(t, dir, nil)
	if after := storagetest.Shows(t, dir, true); after != before {
		t.Errorf("made anew, the catalog shows\n%s\nwant\n%s", after, before)
	}
}

// told is what an answer says, without what differs between datasets.
func told(a answer) string {
	if a.err != nil {
		e := storage.Explain(a.err)
		return fmt.Sprint(e.Kind, " ", e.Code, " ", e.Fields["keys"])
	}
	return fmt.Sprint(a.Mode, " ", storagetest.Counts(a.Commit), " ", storagetest.ToJSON(a.Effects))
}

// chained checks that a dataset has exactly these commits, each made on the one before it.
func (b *bench) chained(d string, ids []int64) {
	b.Helper()
	commits, err := b.Commits(context.Background(), d, 1<<62, 10_000)
	b.Must(err)
	slices.Reverse(commits)
	var previous int64
	for i, c := range commits {
		if i >= len(ids) || c.ID != ids[i] || c.Previous != previous || c.ID <= previous {
			b.Errorf("commit %d is %d, made on %d; the answers were %v", i, c.ID, c.Previous, ids)
		}
		previous = c.ID
	}
	if len(commits) != len(ids) {
		b.Errorf("%d commits of %d answers", len(commits), len(ids))
	}
}

// growing are commits of which each needs the ones before it.
var growing = []sent{
	{mode: catalog.Append, body: `[{"id":1,"x":"a"}]`},
	{mode: catalog.Upsert, body: `[{"id":1,"x":"b"},{"id":2,"x":"c"}]`},
	{mode: catalog.Append, body: `[{"id":2,"x":"there already"}]`},
	{mode: catalog.Append, body: `[{"id":3,"y":1}]`},
	{mode: catalog.Upsert, body: `[{"id":3,"x":"d"}]`},
}

// groupWorld is a closed store with a dataset, and what it shows after each of the commits that follow.
func groupWorld(t *testing.T) (dir, d string, states []string) {
	t.Helper()
	b := open(t)
	d = b.Create("d", "id")
	b.JSON(d, catalog.Append, `[{"id":0,"x":"first"}]`)
	dir = b.ClosedDir()
	serial := reopen(t, storagetest.Copied(t, dir), storage.Options{})
	states = append(states, serial.Told())
	for _, c := range growing {
		if serial.send(d, c).err == nil {
			states = append(states, serial.Told())
		}
	}
	return dir, d, states
}

// The machine stops at every durable step of a group. After each, the store opens sound with a prefix of the group's
// commits, which has all that were answered, and shows the same if its catalog is lost.
func TestCrashesOfAGroup(t *testing.T) {
	t.Parallel()
	from, d, states := groupWorld(t)
	seen := map[int]int{}
	for step := range storagetest.Steps(t) {
		dir := storagetest.Copied(t, from)
		s := &storagetest.Stops{Left: step}
		b := reopen(t, dir, storage.Options{Hook: s.Hook})
		s.Armed = true
		answers := b.grouped(d, growing...)
		s.Armed = false
		stands := 0
		for _, a := range answers {
			if a.err == nil {
				stands++
			}
		}
		b.Store.Close()
		found := storagetest.Shows(t, dir, true)
		at := slices.Index(states, found)
		if at < 0 || at < stands {
			t.Fatalf("step %d: %d were answered; it shows state %d\n%s", step, stands, at, found)
		}
		seen[at]++
		storagetest.WithCatalog(t, dir, nil)
		if anew := storagetest.Shows(t, dir, true); anew != found {
			t.Fatalf("step %d with its catalog lost shows\n%s\nwant\n%s", step, anew, found)
		}
		if !s.Crashed {
			break
		}
	}
	if len(seen) < 2 {
		t.Errorf("the states that crashes left are %v, of %d", seen, len(states))
	}
}

// One step of a group fails and the machine goes on. Those that were answered stand, at once and after a restart, and
// no others.
func TestFailuresInAGroup(t *testing.T) {
	t.Parallel()
	from, d, _ := groupWorld(t)
	var all []sent
	for i := range 4 {
		all = append(all, sent{mode: catalog.Append, body: fmt.Sprintf(`[{"id":%d}]`, 10+i)})
	}
	outcomes := map[int]int{}
	for step := range storagetest.Steps(t) {
		dir := storagetest.Copied(t, from)
		s := &storagetest.Stops{Left: step, Once: true}
		b := reopen(t, dir, storage.Options{Hook: s.Hook})
		s.Armed = true
		answers := b.grouped(d, all...)
		s.Armed = false
		want, unknown, stands := []string{`{"id":0,"x":"first"}`}, false, 0
		for i, a := range answers {
			unknown = unknown || storage.Explain(a.err).Code == "outcome_unknown"
			if a.err == nil {
				want = append(want, fmt.Sprintf(`{"id":%d,"x":null}`, 10+i))
				stands++
			}
		}
		outcomes[stands]++
		if !unknown {
			b.Want(d, "head", want...)
			want = append(want, `{"id":20,"x":null}`)
			b.JSON(d, catalog.Append, `[{"id":20}]`)
		}
		b.Store.Close()
		if unknown && stands > 0 {
			t.Errorf("step %d: %d were answered, and of others it is not known", step, stands)
		}
		again := reopen(t, dir, storage.Options{})
		if !unknown {
			again.Want(d, "head", want...)
		}
		again.Sound()
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
		if !s.Crashed {
			break
		}
	}
	// A member's own failure leaves the others; a failure of what they share fails all.
	if outcomes[3] == 0 || outcomes[0] == 0 || outcomes[1]+outcomes[2] > 0 {
		t.Errorf("how many stood, and how often: %v", outcomes)
	}
}

// A panic in one commit's request, which the server answers with an error, never has another one of the group answered
// as if it stood.
func TestPanicsInAGroup(t *testing.T) {
	from, d, _ := groupWorld(t)
	all := []sent{
		{mode: catalog.Append, body: `[{"id":10}]`},
		{mode: catalog.Append, body: `[{"id":11}]`},
		{mode: catalog.Append, body: `[{"id":12}]`},
	}
	for _, where := range []string{"write 0", "write 1", "rename 0", "rename 1", "commit 0", "committed 0"} {
		t.Run(where, func(t *testing.T) {
			dir, armed := storagetest.Copied(t, from), false
			var mu sync.Mutex
			seen := map[string]int{}
			b := reopen(t, dir, storage.Options{Hook: func(op, path string) error {
				mu.Lock()
				defer mu.Unlock()
				if !armed || op == "write" && !strings.HasSuffix(path, "commit.json") {
					return nil
				}
				n := seen[op]
				seen[op]++
				if fmt.Sprint(op, " ", n) == where {
					panic(where)
				}
				return nil
			}})
			mu.Lock()
			armed = true
			mu.Unlock()
			panics := 0
			answers := b.groupedBy(func(d string, c sent) (a answer) {
				defer func() {
					if p := recover(); p != nil {
						a.err = fmt.Errorf("panic: %v", p)
						mu.Lock()
						panics++
						mu.Unlock()
					}
				}()
				return b.send(d, c)
			}, d, all...)
			mu.Lock()
			armed = false
			mu.Unlock()
			if panics != 1 {
				t.Fatalf("%d requests panicked", panics)
			}
			b.Store.Close()
			found := storagetest.Shows(t, dir, true)
			for i, a := range answers {
				if a.err == nil && !strings.Contains(found, fmt.Sprintf(`id\":%d`, 10+i)) {
					t.Errorf("record %d was answered and is not in\n%s", 10+i, found)
				}
			}
			storagetest.WithCatalog(t, dir, nil)
			if anew := storagetest.Shows(t, dir, true); anew != found {
				t.Errorf("with its catalog lost it shows\n%s\nwant\n%s", anew, found)
			}
		})
	}
}

// Each commit of a group keeps the answer to its own request, after the catalog was lost too.
func TestReceiptsInAGroup(t *testing.T) {
	ctx := context.Background()
	b := open(t)
	d := b.Create("d", "id")
	errs := make([]error, 3)
	b.GroupAllThatWait()
	var wg sync.WaitGroup
	b.Must(b.Alone(ctx, d, storage.Request{}, func(storage.Request) error {
		for i := range errs {
			u := b.Upload(intake.JSON, fmt.Sprintf(`[{"id":%d}]`, i))
			wg.Go(func() {
				_, errs[i] = b.Commit(ctx, d, storage.Change{
					Mode: catalog.Append, Upload: u, Request: answering[catalog.Commit](strconv.Itoa(i), "made"),
				})
			})
			for b.Queued(d) < i+2 {
				runtime.Gosched()
			}
		}
		return nil
	}))
	wg.Wait()
	b.Must(errors.Join(errs...))
	dir := b.ClosedDir()
	for _, lost := range []bool{false, true} {
		if lost {
			storagetest.WithCatalog(t, dir, nil)
		}
		again := reopen(t, dir, storage.Options{})
		for i := range errs {
			_, ok, done, err := again.Requests.Once(ctx, "ann", strconv.Itoa(i), "p")
			again.Must(err)
			done()
			if !ok {
				t.Errorf("request %d has no receipt; catalog lost: %v", i, lost)
			}
		}
		again.ClosedDir()
	}
}

// Many writers of one dataset, each with its own random commits: none is lost, none is made twice, ids are in order,
// and every answer is what a model says of its commit at its place.
func TestManyWritersAgainstAModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ROWBACK_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("ROWBACK_SEED=%d", seed)
	writers, each := 64, 6
	if text := os.Getenv("ROWBACK_STEPS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		each = n
	}
	b := open(t)
	d := b.Create("d", "id")
	var mu sync.Mutex
	var stands []made
	var wg sync.WaitGroup
	for w := range writers {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		wg.Go(func() {
			for range each {
				m := someCommit(rng, w)
				m.answer = b.send(d, sent{mode: m.mode, body: m.body()})
				mu.Lock()
				stands = append(stands, m)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	checkAnswers(b, d, stands)
	b.Sound()
}

// made is a random commit of a writer and what it was told.
type made struct {
	answer
	mode catalog.Mode
	keys []int
	x    string
}

var smallModes = []catalog.Mode{catalog.Append, catalog.Append, catalog.Upsert, catalog.Overwrite, catalog.Delete}

func someCommit(rng *rand.Rand, writer int) made {
	m := made{mode: smallModes[rng.IntN(len(smallModes))], x: fmt.Sprint(writer, "-", rng.IntN(1000))}
	for len(m.keys) < 1+rng.IntN(2) {
		if k := rng.IntN(60); !slices.Contains(m.keys, k) {
			m.keys = append(m.keys, k)
		}
	}
	return m
}

func (m made) body() string {
	var records []map[string]any
	for _, k := range m.keys {
		r := map[string]any{"id": k}
		if m.mode != catalog.Delete {
			r["x"] = m.x
		}
		records = append(records, r)
	}
	return storagetest.ToJSON(records)
}

// checkAnswers plays what stands in the order of its ids, and compares.
func checkAnswers(b *bench, d string, all []made) {
	b.Helper()
	stand := slices.DeleteFunc(slices.Clone(all), func(m made) bool { return m.err != nil })
	slices.SortFunc(stand, func(m, n made) int { return int(m.ID - n.ID) })
	live := map[int]string{}
	var ids []int64
	for _, m := range stand {
		ids = append(ids, m.ID)
		added, removed, modified := m.play(b, live)
		want := fmt.Sprintf("+%d -%d ~%d =%d", added, removed, modified, len(live))
		if storagetest.Counts(m.Commit) != want {
			b.Errorf("commit %d (%s %v) says %s; the model says %s", m.ID, m.mode, m.keys, storagetest.Counts(m.Commit), want)
		}
	}
	for _, m := range all {
		if m.err != nil && (m.mode != catalog.Append || storage.Explain(m.err).Code != "key_exists") {
			b.Errorf("%s %v was refused: %v", m.mode, m.keys, m.err)
		}
	}
	b.chained(d, ids)
	var want []string
	for _, k := range slices.Sorted(maps.Keys(live)) {
		want = append(want, fmt.Sprintf(`{"id":%d,"x":"%s"}`, k, live[k]))
	}
	b.Want(d, "head", want...)
}

// play does to the model what the commit did.
func (m made) play(b *bench, live map[int]string) (added, removed, modified int) {
	for _, k := range m.keys {
		x, had := live[k]
		switch {
		case m.mode == catalog.Delete && had:
			delete(live, k)
			removed++
		case m.mode == catalog.Delete:
		case had && m.mode == catalog.Append:
			b.Errorf("commit %d appended %d, which was live", m.ID, k)
		case !had:
			live[k] = m.x
			added++
		case x != m.x:
			live[k] = m.x
			modified++
		}
	}
	return added, removed, modified
}

// A panic while one of a group's commits is described ends none of them well, and keeps no one waiting, on the dataset
// or on its row ids.
func TestAPanicInADescriptionOfAGroup(t *testing.T) {
	for _, members := range []int{1, 3} {
		var broken atomic.Bool
		b := reopen(t, t.TempDir(), storage.Options{Hook: func(op, path string) error {
			if op == "write" && strings.HasSuffix(path, "commit.json") && broken.CompareAndSwap(true, false) {
				panic("a mistake in the program")
			}
			return nil
		}})
		d := b.Create("d") // its records have row ids
		var told atomic.Int64
		b.GroupAllThatWait()
		var wg sync.WaitGroup
		b.Must(b.Alone(context.Background(), d, storage.Request{}, func(storage.Request) error {
			for i := range members {
				wg.Go(func() {
					defer func() { recover() }() //nolint:errcheck // one of them
					if b.send(d, sent{mode: catalog.Append, body: `[{"x":1}]`}).err == nil {
						told.Add(1)
					}
				})
				for b.Queued(d) < i+2 {
					runtime.Gosched()
				}
			}
			broken.Store(true)
			return nil
		}))
		wg.Wait()
		if told.Load() != 0 {
			t.Errorf("%d of %d were told that their commit stands", told.Load(), members)
		}
		b.Want(d, "head")
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		_, err := b.Commit(ctx, d, storage.Change{Mode: catalog.Append, Upload: b.Upload(intake.JSON, `[{"x":2}]`)})
		if rows := b.Rows(d, "head", false); err != nil || len(rows) != 1 {
			t.Errorf("then there are %v, %v", rows, err)
		}
		b.Sound()
	}
}
