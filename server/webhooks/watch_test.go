package webhooks

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
)

// told returns the messages of a kind to a webhook.
func (w *world) told(hook string, kind Kind) (out []message) {
	w.Helper()
	for _, d := range w.queue(hook) {
		if d.Kind == kind {
			m := message{}
			check(w.T, unmarshal(d.Body, &m))
			out = append(out, m)
		}
	}
	return out
}

func TestDamageIsToldOnceEachTimeItIsFound(t *testing.T) {
	w := newWorld(t)
	people, others := w.dataset(1, "people"), w.dataset(2, "others")
	c := w.commit(people)
	w.commit(others)
	all, of2 := w.hook(Hook{URL: "http://127.0.0.1/"}), w.hook(Hook{URL: "http://127.0.0.1/", Project: 2})
	w.run()
	files, err := filepath.Glob(filepath.Join(w.dir, "objects", people, "*", "data-*.parquet"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	good, err := os.ReadFile(files[0])
	check(t, err)
	write := func(text []byte) {
		check(t, os.WriteFile(files[0], text, 0o600))
		check(t, w.store.Scrubs.Run(t.Context(), storage.ScrubPlan{}))
	}
	for n := 1; n <= 2; n++ {
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 1
		write(bad)
		w.eventually("it is told", func() bool { return len(w.told(all.ID, DamageFound)) == n })
		write(good)
		w.eventually("it is over", func() bool { known, err := w.hooks.alerts(); return err == nil && len(known) == 0 })
	}
	m := w.told(all.ID, DamageFound)[0]
	if m.Data["dataset_id"] != people || m.Data["project_id"] != 1.0 || m.Data["commit_id"] != float64(c.ID) ||
		m.Data["dataset_name"] != "people" || m.Data["file_kind"] != "data" {
		t.Errorf("%v", m.Data)
	}
	if got := w.told(of2.ID, DamageFound); len(got) != 0 {
		t.Errorf("another project's: %v", got)
	}
}

// A disk that is nearly full is told before writes are refused, and once, though what is free goes up and down.
func TestALowDiskIsToldOnceEachTime(t *testing.T) {
	w := newWorld(t)
	h, ofProject := w.hook(Hook{URL: "http://127.0.0.1/"}), w.hook(Hook{URL: "http://127.0.0.1/", Project: 1})
	look := func(free int64, want int) {
		t.Helper()
		w.free.Store(free)
		low, known := w.hooks.diskLow()
		if known {
			check(t, w.hooks.raise(t.Context(), []string{diskAlert}, low))
		}
		if got := w.told(h.ID, DiskLow); len(got) != want {
			t.Errorf("%d bytes free: %d messages", free, len(got))
		}
	}
	look(5000, 0)
	look(1900, 1)
	look(2100, 1)
	look(900, 1)
	look(2600, 1)
	look(900, 2)
	last := w.told(h.ID, DiskLow)[1]
	if last.Data["free_bytes"] != 900.0 || last.Data["min_free_bytes"] != 1000.0 || last.Data["writes_refused"] != true {
		t.Errorf("%v", last.Data)
	}
	if got := w.told(ofProject.ID, DiskLow); len(got) != 0 {
		t.Errorf("a project's: %v", got)
	}
	// One that is made now is told what is wrong now.
	late := w.hook(Hook{URL: "http://127.0.0.1/"})
	look(900, 2)
	if got := w.told(late.ID, DiskLow); len(got) != 1 {
		t.Errorf("a new webhook: %v", got)
	}
}

func TestWhatTheMonitorFindsIsToldOnce(t *testing.T) {
	var mu sync.Mutex
	found := []Finding{{Project: 1, Dataset: "d1", Name: "people", Kind: "gap", Detail: "At least 20 commits."}}
	asked := 0
	w := newWorld(t, func(o *Options) {
		o.Monitor = 30 * time.Millisecond
		o.Findings = func(context.Context) ([]Finding, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return found, nil
		}
	})
	set := func(all []Finding) {
		mu.Lock()
		found, asked = all, 0
		mu.Unlock()
		w.eventually("it is asked twice", func() bool { mu.Lock(); defer mu.Unlock(); return asked > 1 })
	}
	h := w.hook(Hook{URL: "http://127.0.0.1/", Project: 1})
	w.run()
	set(found)
	w.eventually("it is told", func() bool { return len(w.told(h.ID, MonitorFinding)) == 1 })
	set(nil)
	set(append(found, Finding{Project: 1, Dataset: "d1", Name: "people", Kind: "gap"}))
	again := Finding{Project: 1, Dataset: "d1", Kind: "gap"}
	set([]Finding{{Project: 2, Dataset: "d2", Kind: "gap"}, again, again}) // found twice is told once
	w.eventually("it is told again", func() bool { return len(w.told(h.ID, MonitorFinding)) == 2 })
	if m := w.told(h.ID, MonitorFinding)[0]; m.Data["finding"] != "gap" || m.Data["dataset_name"] != "people" {
		t.Errorf("%v", m.Data)
	}
}
