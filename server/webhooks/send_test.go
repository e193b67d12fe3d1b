package webhooks

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/fault"
)

// states counts the messages to a webhook by what became of them.
func (w *world) states(hook string) map[State]int {
	w.Helper()
	out := map[State]int{}
	for _, m := range w.queue(hook) {
		out[m.State]++
	}
	return out
}

func TestMessagesAreSignedAndInTheirOrder(t *testing.T) {
	w, to := newWorld(t), receive(t, nil)
	h := w.hook(Hook{URL: to.URL + "/hook?a=b", Kinds: []Kind{CommitCreated}})
	other := w.hook(Hook{URL: to.URL})
	d := w.dataset(1, "people")
	w.run()
	var ids []int64
	for range 20 {
		ids = append(ids, w.commit(d).ID)
	}
	w.eventually("all are delivered", func() bool {
		return w.states(h.ID)[Delivered]+w.states(other.ID)[Delivered] == 41
	})
	var got []int64
	signed := 0
	for _, m := range to.messages() {
		if at := time.Unix(seconds(m.Timestamp), 0); time.Since(at).Abs() > time.Minute || strings.Contains(m.ID, ".") {
			t.Errorf("%s at %s", m.ID, m.Timestamp)
		}
		if m.isSigned(h.Secret) {
			got = append(got, m.commit())
			signed++
		} else if m.isSigned(other.Secret) {
			signed++
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(ids) || signed != 41 {
		t.Errorf("%v of %v, %d signed", got, ids, signed)
	}
}

func seconds(text string) (n int64) { fmt.Sscan(text, &n); return n }

func TestAMessageIsSentAgainUnderItsIDUntilItIsTaken(t *testing.T) {
	to := receive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			w.WriteHeader(500)
		case 2:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case 3:
			panic(http.ErrAbortHandler) // the connection ends without an answer
		case 4:
			w.WriteHeader(404)
		case 5:
			w.WriteHeader(204)
		}
	})
	w := newWorld(t)
	h := w.hook(Hook{URL: to.URL})
	w.dataset(1, "people")
	w.run()
	w.eventually("it is delivered", func() bool { return w.states(h.ID)[Delivered] == 1 })
	all := to.messages()
	if len(all) != 5 {
		t.Fatalf("%d attempts", len(all))
	}
	for _, m := range all {
		if m.ID != all[0].ID || m.Text != all[0].Text || !m.isSigned(h.Secret) {
			t.Errorf("%+v", m)
		}
	}
	if d := w.queue(h.ID)[0]; d.Attempts != 5 || d.Status != 204 || d.Problem != "" {
		t.Errorf("%+v", d)
	}
	if now := w.now(h.ID); now.Failures != 0 || !now.FailingSince.IsZero() {
		t.Errorf("%+v", now)
	}
}

func TestAReceiverMayAskToWaitOrForNoMore(t *testing.T) {
	w := newWorld(t)
	busy := receive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
	})
	gone := receive(t, func(n int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(410) })
	waits, ends := w.hook(Hook{URL: busy.URL}), w.hook(Hook{URL: gone.URL})
	d := w.dataset(1, "people")
	w.run()
	w.eventually("both were asked", func() bool { return w.now(waits.ID).Failures == 1 && !w.now(ends.ID).IsEnabled })
	w.commit(d)
	w.eventually("the next is queued", func() bool { return len(w.queue(waits.ID)) == 2 })
	if in := time.Until(w.now(waits.ID).PausedUntil); in < 50*time.Minute || len(busy.messages()) != 1 {
		t.Errorf("%d attempts, paused for %v", len(busy.messages()), in)
	}
	if in := time.Until(w.queue(waits.ID)[0].NextAt); in < 50*time.Minute {
		t.Errorf("again in %v", in)
	}
	now := w.now(ends.ID)
	if !strings.Contains(now.DisabledReason, "410") || w.states(ends.ID)[Failed] != 1 || len(gone.messages()) != 1 {
		t.Errorf("%+v, %v", now, w.states(ends.ID))
	}
}

func TestAMessageIsGivenUpAndAWebhookThatFailsForLongIsDisabled(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Schedule.GiveUp, o.Schedule.Disable = 150*time.Millisecond, time.Second
	})
	down := receive(t, func(n int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	h := w.hook(Hook{URL: down.URL})
	d := w.dataset(1, "people")
	w.run()
	w.eventually("one is given up", func() bool { return w.states(h.ID)[Failed] > 0 })
	for w.now(h.ID).IsEnabled {
		w.commit(d)
		time.Sleep(20 * time.Millisecond)
	}
	if now := w.now(h.ID); !strings.HasPrefix(now.DisabledReason, "Nothing could be delivered since 20") {
		t.Errorf("%+v", now)
	}
	down.mu.Lock()
	down.answer = nil
	down.mu.Unlock()
	_, err := w.hooks.Edit(t.Context(), h.ID, func(h *Hook) { h.IsEnabled = true })
	check(t, err)
	w.eventually("what waited is delivered", func() bool { return w.states(h.ID)[Queued] == 0 })
	if now := w.now(h.ID); now.Failures != 0 || now.DisabledReason != "" {
		t.Errorf("%+v", now)
	}
}

func TestAHostThatHangsHoldsUpNoOther(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Senders = 4; o.Schedule.Timeout = time.Hour })
	var at, most atomic.Int64
	hanging := receive(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if now := at.Add(1); now > most.Load() {
			most.Store(now)
		}
		defer at.Add(-1)
		<-r.Context().Done()
	})
	good := receiveAt(t, "127.0.0.2", nil)
	for range 10 {
		w.hook(Hook{URL: hanging.URL})
	}
	h := w.hook(Hook{URL: good.URL})
	d := w.dataset(1, "people")
	stop := w.run()
	w.eventually("two hang", func() bool { return at.Load() == 2 })
	w.commit(d)
	w.eventually("the other is served", func() bool { return w.states(h.ID)[Delivered] == 2 })
	if most.Load() > 2 {
		t.Errorf("%d at once", most.Load())
	}
	stop()
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	var sent atomic.Int64
	to := receive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 1<<20)
		for range 10_000 { // 10 GB
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	headers := receive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
	})
	w := newWorld(t)
	h, h2 := w.hook(Hook{URL: to.URL}), w.hook(Hook{URL: headers.URL})
	w.dataset(1, "people")
	w.run()
	w.eventually("it is delivered", func() bool { return w.states(h.ID)[Delivered] == 1 && w.now(h2.ID).Failures > 0 })
	if sent.Load() > 100<<20 {
		t.Errorf("%d bytes were read", sent.Load())
	}
}

func TestAnAnswerThatNeverEndsIsATimeout(t *testing.T) {
	to := receive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	w := newWorld(t, func(o *Options) { o.Schedule.Timeout = 50 * time.Millisecond })
	h := w.hook(Hook{URL: to.URL})
	got, err := w.hooks.Test(t.Context(), h.ID)
	if err != nil || got.Delivered || got.Problem != "The receiver did not answer in time." {
		t.Errorf("%+v, %v", got, err)
	}
}

// The end of the server cuts off what is on its way, and it is sent again after the next start.
func TestWhatIsCutOffIsSentAgain(t *testing.T) {
	w := newWorld(t)
	to := receive(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 1 {
			<-r.Context().Done()
		}
	})
	h := w.hook(Hook{URL: to.URL})
	w.dataset(1, "people")
	stop := w.run()
	w.eventually("it is on its way", func() bool { return len(to.messages()) == 1 })
	stop()
	if d := w.queue(h.ID)[0]; d.State != Queued || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
	w.hooks = New(w.hooks.Options)
	w.run()
	w.eventually("it is delivered", func() bool { return w.states(h.ID)[Delivered] == 1 })
	if all := to.messages(); len(all) != 2 || all[0].ID != all[1].ID {
		t.Errorf("%v", all)
	}
}

func TestTestsAndRedeliveries(t *testing.T) {
	w, to := newWorld(t), receive(t, nil)
	h := w.hook(Hook{URL: to.URL})
	got, err := w.hooks.Test(t.Context(), h.ID)
	if err != nil || !got.Delivered || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
	if m := to.messages()[0]; m.Type != Test || m.Data["webhook_id"] != h.ID || !m.isSigned(h.Secret) {
		t.Errorf("%+v", m)
	}
	w.dataset(1, "people")
	w.run()
	w.eventually("it is delivered", func() bool { return w.states(h.ID)[Delivered] == 1 })
	sent := w.queue(h.ID)[0]
	_, err = w.hooks.Redeliver(t.Context(), h.ID, sent.ID)
	check(t, err)
	w.eventually("it came again", func() bool { return len(to.messages()) == 3 })
	if all := to.messages(); all[1].ID != all[2].ID || all[1].Text != all[2].Text {
		t.Errorf("%v", all)
	}
	other := w.hook(Hook{URL: to.URL})
	for _, c := range []struct {
		hook string
		id   int64
		want error
	}{{h.ID, sent.ID + 100, ErrNoDelivery}, {other.ID, sent.ID, ErrNoDelivery}, {"whk_x", sent.ID, ErrNotFound}} {
		if _, err := w.hooks.Redeliver(t.Context(), c.hook, c.id); err != c.want {
			t.Errorf("%s %d: %v", c.hook, c.id, err)
		}
	}
	_, err = w.hooks.Edit(t.Context(), h.ID, func(h *Hook) { h.IsEnabled = false })
	check(t, err)
	if _, err := w.hooks.Redeliver(t.Context(), h.ID, sent.ID); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	if got, err = w.hooks.Test(t.Context(), h.ID); err != nil || !got.Delivered {
		t.Errorf("a disabled one: %+v, %v", got, err)
	}
}

func TestThisMachineIsRefusedUnlessItIsAllowed(t *testing.T) {
	w, to := newWorld(t, func(o *Options) { o.Allowed = Allowed{} }), receive(t, nil)
	byName := strings.Replace(to.URL, "http://127.0.0.1", "https://localhost", 1)
	const not = "is not public, and not allowed by --webhook-allow."
	for url, want := range map[string]string{
		byName: "The host's address " + not,
		to.URL: "The URL can't be used: it must begin with https://, unless --webhook-allow names its host.",
		strings.Replace(to.URL, "http", "https", 1): "The URL can't be used: it has an address that " + not,
	} {
		h := w.hook(Hook{URL: url})
		if got, err := w.hooks.Test(t.Context(), h.ID); err != nil || got.Delivered || got.Problem != want {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	if got := to.messages(); len(got) != 0 {
		t.Error(got)
	}
}

func TestWhyNothingWasDelivered(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = nil
	untrusted.TLS = &tls.Config{}
	untrusted.StartTLS()
	defer untrusted.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	redirects := receive(t, func(n int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusTemporaryRedirect)
	})
	w := newWorld(t)
	for url, want := range map[string]string{
		untrusted.URL:              "The receiver's certificate is not valid.",
		closed.URL:                 "The receiver refused the connection.",
		redirects.URL:              "The receiver answered 307. Redirects are not followed: change the URL.",
		"https://nowhere.invalid/": "The host name could not be resolved.",
	} {
		h := w.hook(Hook{URL: url})
		if got, err := w.hooks.Test(t.Context(), h.ID); err != nil || got.Delivered || got.Problem != want {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
}
