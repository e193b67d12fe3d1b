package webhooks

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// kindsOf are the types of messages, in order.
func kindsOf(all []Delivery) (kinds []string) {
	for _, d := range all {
		kinds = append(kinds, string(d.Kind))
	}
	return kinds
}

// look queues what was signalled.
func (w *world) look() {
	w.Helper()
	if err := w.hooks.feed.look(w.Context(), w.hooks.Signal.take()); err != nil {
		w.Fatal(err)
	}
}

func TestWhatHappensToADatasetIsQueuedInItsOrder(t *testing.T) {
	w := newWorld(t)
	w.commit(w.dataset(1, "before")) // before there is a webhook
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	ctx, r := t.Context(), storage.Request{User: "ada"}
	d := w.dataset(1, "people")
	first := w.commit(d)
	_, err := w.store.Increment(ctx, d, storage.NewVersion{Part: "major"}, r)
	check(t, err)
	second := w.commit(d)
	_, err = w.store.Rollback(ctx, d, second.ID, storage.Stack, r)
	check(t, err)
	_, err = w.store.Restore(ctx, d, "1.0.0", r)
	check(t, err)
	fork, err := w.store.Fork(ctx, d, storage.NewFork{Name: "fork"}, r)
	check(t, err)
	w.commit(fork.Dataset.ID)
	_, err = w.store.Merge(ctx, d, storage.Merge{Source: fork.Dataset.ID}, r)
	check(t, err)
	check(t, w.store.DeleteDataset(ctx, d, r))
	w.look()
	_, err = w.store.UndeleteDataset(ctx, d, r)
	check(t, err)
	w.look()
	all := w.queue(h.ID)
	of := func(id string) []string {
		return kindsOf(slices.DeleteFunc(slices.Clone(all), func(m Delivery) bool {
			return !strings.Contains(m.Body, `"dataset_id":"`+id)
		}))
	}
	want := "dataset.created commit.created commit.created commit.created rollback.created commit.created " +
		"rollback.created commit.created merge.created dataset.deleted version.created dataset.undeleted"
	if got := strings.Join(of(d), " "); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	if got := strings.Join(of(fork.Dataset.ID), " "); got != "dataset.created commit.created fork.created commit.created" {
		t.Errorf("of the fork: %s", got)
	}
	i := slices.IndexFunc(all, func(m Delivery) bool {
		return m.Kind == CommitCreated && strings.Contains(m.Body, fmt.Sprintf(`"id":%d,`, first.ID))
	})
	if want := fmt.Sprintf(`"created_at":"%s","hash":"%s",`, first.CreatedAt.Format(time.RFC3339Nano),
		first.Hash); i < 0 || !strings.Contains(all[i].Body, want) {
		t.Errorf("%d: %v", i, all)
	}
}

// What happened to proposals before there was a webhook is not told; a merge is told once.
func TestWhatHappensToAProposalIsQueued(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	d := w.dataset(1, "people")
	w.commit(d)
	propose := func(title string) string {
		fork, err := w.store.Fork(ctx, d, storage.NewFork{Name: title}, storage.Request{})
		check(t, err)
		w.commit(fork.Dataset.ID)
		_, err = w.store.OpenProposal(ctx, d, storage.NewProposal{Source: fork.Dataset.ID, Title: title},
			storage.Request{User: "ada"})
		check(t, err)
		return fork.Dataset.ID
	}
	say := func(number int64, text string) {
		_, err := w.store.Comment(ctx, d, number, storage.NewComment{Text: text}, storage.Request{User: "bob"})
		check(t, err)
	}
	propose("early")
	say(1, "before there was a webhook")
	kinds := []Kind{ProposalOpened, ProposalCommented, ProposalApproved, ProposalMerged, ProposalClosed}
	h := w.hook(Hook{URL: "http://127.0.0.1/", Kinds: kinds, Dataset: d})
	elsewhere := w.hook(Hook{URL: "http://127.0.0.1/", Kinds: kinds, Project: 2})
	say(1, "a word")
	closed, open := catalog.ProposalClosed, catalog.ProposalOpen
	_, err := w.store.EditProposal(ctx, d, 1, storage.ProposalEdit{State: &closed}, storage.Request{})
	check(t, err)
	w.look()
	_, err = w.store.EditProposal(ctx, d, 1, storage.ProposalEdit{State: &open}, storage.Request{})
	check(t, err)
	propose("late")
	_, err = w.store.Approve(ctx, d, 2, storage.NewApproval{}, storage.Request{User: "bob"})
	check(t, err)
	w.look()
	_, err = w.store.MergeProposal(ctx, d, 2, storage.Merge{}, storage.Request{})
	check(t, err)
	w.look()
	w.hooks.Signal.Changed(d)
	w.look()
	all := w.queue(h.ID)
	want := "proposal.commented proposal.closed proposal.opened proposal.opened proposal.approved proposal.merged"
	if got := strings.Join(kindsOf(all), " "); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	for i, part := range []string{`"text":"a word"`, `"state":"closed"`, `"id":4`, `"title":"late"`, `"user":"bob"`, `"merge_commit_id":`} {
		if !strings.Contains(all[i].Body, part) {
			t.Errorf("%s lacks %s", all[i].Body, part)
		}
	}
	if other := w.queue(elsewhere.ID); len(other) > 0 {
		t.Errorf("another project's: %v", kindsOf(other))
	}
}

// What was said about a comparison before there was a webhook is not told, nor is it told twice when it is changed.
func TestCommentsOnAComparisonAreQueued(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	d := w.dataset(1, "people")
	first, second := w.commit(d).ID, w.commit(d).ID
	of := catalog.Compared{DatasetID: d, FromCommit: first, ToDatasetID: d, ToCommit: second}
	say := func(text string) {
		_, err := w.store.Discuss(ctx, of, storage.NewComment{Text: text}, storage.Request{User: "bob"})
		check(t, err)
	}
	say("before there was a webhook")
	h := w.hook(Hook{URL: "http://127.0.0.1/", Kinds: []Kind{CompareCommented}, Dataset: d})
	say("a word")
	w.look()
	text := "another word"
	_, err := w.store.CorrectRemark(ctx, of, 2, &text, storage.Request{User: "bob"})
	check(t, err)
	w.look()
	say("the last word")
	w.hooks.Signal.Changed(d)
	w.look()
	all := w.queue(h.ID)
	if len(all) != 2 {
		t.Fatalf("%v", kindsOf(all))
	}
	for i, part := range []string{`"text":"a word"`, `"text":"the last word"`} {
		if !strings.Contains(all[i].Body, part) || !strings.Contains(all[i].Body, `"type":"comparison.commented"`) {
			t.Errorf("%s lacks %s", all[i].Body, part)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAWebhookGetsWhatItAskedFor(t *testing.T) {
	w := newWorld(t)
	people, others := w.dataset(1, "people"), w.dataset(2, "others")
	url := "http://127.0.0.1/"
	hooks := map[string]Hook{
		"all":     w.hook(Hook{URL: url}),
		"project": w.hook(Hook{URL: url, Project: 2}),
		"dataset": w.hook(Hook{URL: url, Project: 1, Dataset: people}),
		"kind":    w.hook(Hook{URL: url, Kinds: []Kind{VersionCreated}}),
	}
	w.commit(people)
	w.commit(others)
	w.commit(w.dataset(1, "third"))
	_, err := w.store.Increment(t.Context(), others, storage.NewVersion{Part: "major"}, storage.Request{})
	check(t, err)
	check(t, w.hooks.Post(t.Context(), Event{Kind: BackupFailed, Data: map[string]any{}}))
	w.look()
	for name, want := range map[string]string{
		"all":     "backup.failed commit.created commit.created commit.created dataset.created version.created",
		"project": "commit.created version.created", "dataset": "commit.created", "kind": "version.created",
	} {
		got := kindsOf(w.queue(hooks[name].ID))
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s got %v", name, got)
		}
	}
}

// A crash after a commit, before its event is queued, is a start that finds the catalog ahead of the marks. Whatever
// is cut off when, in the end each commit's event is queued once.
func TestEachCommitIsQueuedOnceWhateverIsCutOff(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	want := []string{}
	datasets := []string{}
	for n := range 150 {
		switch k := dice.IntN(12); {
		case k == 0 || len(datasets) == 0:
			datasets = append(datasets, w.dataset(1, fmt.Sprint("d", n)))
			want = append(want, fmt.Sprint("dataset.created ", datasets[len(datasets)-1]))
		case k < 7:
			d := datasets[dice.IntN(len(datasets))]
			want = append(want, fmt.Sprint("commit.created ", d, " ", w.commit(d).ID))
		case k == 7: // the end of the process: what was signalled is lost, and all is looked at
			w.hooks.Signal.take()
			w.hooks = New(w.hooks.Options)
			check(t, w.hooks.feed.look(t.Context(), nil))
		case k == 8: // looking is cut off somewhere
			ctx, cancel := context.WithCancel(t.Context())
			cut := dice.IntN(3)
			if cut == 0 {
				cancel()
			}
			done := make(chan error)
			names := w.hooks.Signal.take()
			go func() { done <- w.hooks.feed.look(ctx, names) }()
			if cut == 1 {
				cancel()
			}
			if err := <-done; err != nil {
				w.hooks.Signal.Changed("") // as run does
			}
			cancel()
		default:
			w.look()
		}
	}
	w.look()
	got := []string{}
	for _, d := range w.queue(h.ID) {
		m := message{}
		check(t, unmarshal(d.Body, &m))
		line := fmt.Sprint(d.Kind, " ", m.Data["dataset_id"])
		if id := m.commit(); id != 0 {
			line += fmt.Sprint(" ", id)
		}
		got = append(got, line)
	}
	byDataset := func(lines []string) []string {
		slices.SortStableFunc(lines, func(a, b string) int {
			return cmp.Compare(strings.Fields(a)[1], strings.Fields(b)[1])
		})
		return lines
	}
	if g, m := byDataset(got), byDataset(want); !slices.Equal(g, m) {
		t.Errorf("queued\n%s\nnot\n%s", strings.Join(g, "\n"), strings.Join(m, "\n"))
	}
}

// The settings may be newer than the data that was put back with them: what is made since is told all the same.
func TestWhatIsMadeAfterTheDataWerePutBack(t *testing.T) {
	w := newWorld(t)
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	d := w.dataset(1, "d")
	w.commit(d)
	check(t, w.db.Write(t.Context(), func(tx *sql.Tx) error {
		return setMarks(tx, map[string]mark{d: {commit: 1 << 40}}, 1<<40)
	}))
	w.hooks = New(w.hooks.Options)
	check(t, w.hooks.feed.look(t.Context(), nil))
	made := w.commit(d)
	if _, err := w.store.Increment(t.Context(), d, storage.NewVersion{Part: "patch"}, storage.Request{}); err != nil {
		t.Fatal(err)
	}
	w.look()
	got := []string{}
	for _, m := range w.queue(h.ID) {
		got = append(got, string(m.Kind))
	}
	if !slices.Contains(got, "version.created") || !slices.Contains(got, "commit.created") {
		t.Errorf("after commit %d: %v", made.ID, got)
	}
}

// A commit does no more than note the dataset: with the queue's database locked by someone else, commits go on, and
// they are in the queue once it is free.
func TestCommitsDoNotWaitForTheQueue(t *testing.T) {
	w := newWorld(t)
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	d := w.dataset(1, "people")
	w.run()
	w.eventually("the dataset is queued", func() bool { return len(w.queue(h.ID)) == 1 })
	var ids []int64
	check(t, w.hooks.locked(t.Context(), func() {
		for range 100 {
			ids = append(ids, w.commit(d).ID)
		}
	}))
	w.eventually("all are queued", func() bool { return len(w.queue(h.ID)) == 101 })
	for n, m := range w.queue(h.ID)[1:] {
		if !strings.Contains(m.Body, fmt.Sprintf(`"id":%d,`, ids[n])) {
			t.Errorf("%d. is %s", n, m.Body)
		}
	}
}

// Many commits are queued in few transactions.
func TestABurstIsQueuedAtOnce(t *testing.T) {
	w := newWorld(t)
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	d := w.dataset(1, "people")
	w.look()
	for range 300 {
		w.commit(d)
	}
	one, err := w.db.Conn(t.Context()) // which counts the transactions of others
	check(t, err)
	defer one.Close()
	transactions := func() (n int64) {
		check(t, one.QueryRowContext(t.Context(), `PRAGMA data_version`).Scan(&n))
		return n
	}
	before := transactions()
	w.look()
	if n := transactions() - before; len(w.queue(h.ID)) != 301 || n != 1 {
		t.Errorf("%d messages in %d transactions", len(w.queue(h.ID)), n)
	}
}

// While no webhook is enabled, nothing is queued, and one that is enabled again gets what happens from then on.
func TestADisabledWebhookMissesWhatHappens(t *testing.T) {
	w := newWorld(t)
	d := w.dataset(1, "people")
	h := w.hook(Hook{URL: "http://127.0.0.1/"})
	w.commit(d)
	set := func(enabled bool) {
		t.Helper()
		_, err := w.hooks.Edit(t.Context(), h.ID, func(h *Hook) { h.IsEnabled = enabled })
		check(t, err)
	}
	set(false)
	missed := w.commit(d)
	w.look()
	set(true)
	last := w.commit(d)
	w.look()
	all := w.queue(h.ID)
	if len(all) != 2 || !strings.Contains(all[1].Body, fmt.Sprintf(`"id":%d,`, last.ID)) {
		t.Errorf("%d messages, one of them about %d: %v", len(all), missed.ID, all)
	}
	check(t, w.hooks.Delete(t.Context(), h.ID))
	if _, err := w.hooks.Find(h.ID); err == nil || len(w.queue(h.ID)) != 0 {
		t.Error("it is still there")
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Bounds = Bounds{Queued: 5, Kept: 3} })
	h := w.hook(Hook{URL: "http://127.0.0.1/", Kinds: []Kind{CommitCreated}})
	d := w.dataset(1, "people")
	for range 20 {
		w.commit(d)
	}
	w.look()
	ctx, stop := context.WithCancel(t.Context())
	go w.hooks.clean(ctx)
	w.eventually("it is bounded", func() bool { return len(w.queue(h.ID)) == 8 })
	stop()
	for n, m := range w.queue(h.ID) {
		if isDropped := m.State == Dropped && m.Body == ""; isDropped != (n < 3) {
			t.Errorf("%d: %+v", n, m)
		}
	}
	if n := w.hooks.counts.dropped.Load(); n != 15 {
		t.Errorf("%d are counted", n)
	}
	w.hooks.Now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	go w.hooks.clean(t.Context())
	w.eventually("what is old is gone", func() bool { return len(w.queue(h.ID)) == 0 })
}
