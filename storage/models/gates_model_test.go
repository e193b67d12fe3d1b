package models

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/gating"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/storagetest"
)

// gated is a record of the model. A nil value is null.
type gated struct {
	n *int
	t *string
	q *float64
}

func (r gated) json(id int) string {
	return storagetest.ToJSON(map[string]any{"id": id, "n": r.n, "t": r.t, "q": r.q})
}

func (r gated) equal(o gated) bool { return r.json(0) == o.json(0) }

// gatedChange is a change of the model: the states, and the records that it brings.
type gatedChange struct{ before, after, brought map[int]gated }

func changeOf(before, after map[int]gated) gatedChange {
	c := gatedChange{before, after, map[int]gated{}}
	for id, r := range after {
		if was, ok := before[id]; !ok || !was.equal(r) {
			c.brought[id] = r
		}
	}
	return c
}

// each counts the records that a change brings and that fail.
func each(fails func(r gated) bool) func(gatedChange) int {
	return func(c gatedChange) (n int) {
		for _, r := range c.brought {
			if fails(r) {
				n++
			}
		}
		return n
	}
}

// state is 0 where a state passes; else it fails, of no number of records.
func state(fails func(c gatedChange) bool) func(gatedChange) int {
	return func(c gatedChange) int {
		if fails(c) {
			return -1
		}
		return 0
	}
}

// modelGates are gates, and how many records fail them, found without SQL; -1: the state does.
var modelGates = []struct {
	text  string
	fails func(gatedChange) int
}{
	{`{"name":"not_null","kind":"not_null","columns":["n"]}`, each(func(r gated) bool { return r.n == nil })},
	{`{"name":"accepted","kind":"accepted_values","columns":["t"],"values":["a","b","c"]}`,
		each(func(r gated) bool { return r.t != nil && !strings.Contains("abc", *r.t) })},
	{`{"name":"range","kind":"range","columns":["n"],"minimum":0,"maximum":90}`,
		each(func(r gated) bool { return r.n != nil && (*r.n < 0 || *r.n > 90) })},
	{`{"name":"condition","kind":"condition","condition":"n > 5 OR t = 'a'"}`,
		each(func(r gated) bool { return r.n != nil && r.t != nil && *r.n <= 5 && *r.t != "a" })},
	{`{"name":"quality","kind":"minimum_quality","minimum":0.05,"of":"record"}`,
		each(func(r gated) bool { return r.q != nil && *r.q < 0.05 })},
	{`{"name":"mean","kind":"minimum_quality","minimum":0.5}`, state(func(c gatedChange) bool {
		sum, n := 0.0, 0
		for _, r := range c.after {
			if r.q != nil {
				sum, n = sum+*r.q, n+1
			}
		}
		return n > 0 && sum/float64(n) < 0.5
	})},
	{`{"name":"rows","kind":"row_count","minimum":2,"maximum":25}`,
		state(func(c gatedChange) bool { return len(c.after) < 2 || len(c.after) > 25 })},
	{`{"name":"categories","kind":"no_category_lost"}`, state(func(c gatedChange) bool {
		left := map[string]bool{}
		for _, r := range c.after {
			if r.t != nil {
				left[*r.t] = true
			}
		}
		lost := false
		for _, r := range c.before {
			lost = lost || r.t != nil && !left[*r.t]
		}
		return lost
	})},
	{`{"name":"unique","kind":"unique","columns":["n","t"]}`, func(c gatedChange) (n int) {
		groups, fresh := map[string]int{}, map[string]bool{}
		for id, r := range c.after {
			if r.n == nil || r.t == nil {
				continue
			}
			key := fmt.Sprint(*r.n, *r.t)
			groups[key]++
			if _, ok := c.brought[id]; ok {
				fresh[key] = true
			}
		}
		for key, size := range groups {
			if size > 1 && fresh[key] {
				n += size
			}
		}
		return n
	}},
	{`{"name":"fell","kind":"query","query":"SELECT id FROM new JOIN old USING (id) WHERE new.n < old.n"}`,
		func(c gatedChange) (n int) {
			for id, r := range c.after {
				if was := c.before[id]; r.n != nil && was.n != nil && *r.n < *was.n {
					n++
				}
			}
			return n
		}},
}

// gateModel is a dataset with gates, and what it should hold.
type gateModel struct {
	*bench
	d     string
	rng   *rand.Rand
	live  map[int]gated
	gates []int // of modelGates
}

// Random commits, merges and rollbacks under random gates: what is refused, by which gates and for how many records is
// what a model without SQL says, and nothing is left of it.
func TestGatesAgainstAModel(t *testing.T) {
	t.Parallel()
	seed, steps := uint64(time.Now().UnixNano()), 60
	for name, into := range map[string]func(uint64){
		"ROWBACK_SEED":  func(n uint64) { seed = n },
		"ROWBACK_STEPS": func(n uint64) { steps = int(n) },
	} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			into(n)
		}
	}
	t.Logf("ROWBACK_SEED=%d", seed)
	runGates(open(t), seed, steps)
}

func runGates(b *bench, seed uint64, steps int) {
	m := gateModel{bench: b, rng: rand.New(rand.NewPCG(seed, 0)), live: map[int]gated{}}
	d, err := m.CreateDataset(context.Background(), storage.NewDataset{
		ProjectID: 1, Name: "d", Key: []string{"id"}, QualityColumn: "q", CategoryColumn: "t",
	}, storage.Request{})
	m.Must(err)
	m.d = d.Dataset.ID
	one, a := 1, "a"
	half := 0.75
	m.live[0] = gated{&one, &a, &half}
	m.JSON(m.d, "append", "["+m.live[0].json(0)+"]")
	for step := range steps {
		if step%6 == 0 {
			m.setSome()
		}
		m.turn()
		m.step()
		if m.Failed() {
			m.Fatalf("step %d", step)
		}
	}
	m.Want(m.d, "head", m.lines(m.live)...)
	m.Sound()
}

// setSome sets some of the gates.
func (m *gateModel) setSome() {
	m.gates = m.rng.Perm(len(modelGates))[:m.rng.IntN(5)]
	var texts []string
	for _, i := range m.gates {
		texts = append(texts, modelGates[i].text)
	}
	m.UseGates(m.d, texts...)
}

func (m *gateModel) lines(of map[int]gated) (lines []string) {
	for id, r := range of {
		lines = append(lines, fmt.Sprintf(`{"id":%d,"n":%s,"q":%s,"t":%s}`,
			id, storagetest.ToJSON(r.n), storagetest.ToJSON(r.q), storagetest.ToJSON(r.t)))
	}
	return lines
}

func (m *gateModel) record() (r gated) {
	if m.rng.IntN(8) > 0 {
		n := m.rng.IntN(96)
		r.n = &n
	}
	if m.rng.IntN(8) > 0 {
		t := string("aabbccd"[m.rng.IntN(7)])
		r.t = &t
	}
	if m.rng.IntN(4) > 0 {
		q := (float64(m.rng.IntN(32)) + 0.5) / 32
		r.q = &q
	}
	return r
}

// step makes a random change, on the dataset or on a fork that is merged.
func (m *gateModel) step() {
	m.Helper()
	mode := []catalog.Mode{"append", "upsert", "upsert", "overwrite", "delete", "replace"}[m.rng.IntN(6)]
	after := maps.Clone(m.live)
	var body []string
	for range 1 + m.rng.IntN(4) {
		id := m.rng.IntN(30)
		_, known := after[id]
		switch {
		case mode == "delete":
			body = append(body, fmt.Sprintf(`{"id":%d}`, id))
			delete(after, id)
		case mode == "append" && known, slices.ContainsFunc(body, func(line string) bool {
			return strings.HasPrefix(line, fmt.Sprintf(`{"id":%d,`, id))
		}):
		default:
			after[id] = m.record()
			body = append(body, after[id].json(id))
		}
	}
	if mode == "replace" {
		body = nil
		for id, r := range after {
			body = append(body, r.json(id))
		}
	}
	slices.Sort(body)
	body = slices.Compact(body)
	if len(body) == 0 {
		return
	}
	if m.rng.IntN(4) == 0 {
		m.throughFork(mode, "["+strings.Join(body, ",")+"]", after)
		return
	}
	c, err := m.Try(m.d, mode, intake.JSON, "["+strings.Join(body, ",")+"]")
	if !m.check(err, after) {
		return
	}
	if m.rng.IntN(4) > 0 {
		m.live = after
		return
	}
	// What undoes it is refused by no gate.
	m.Undo(m.d, c.ID)
	m.Want(m.d, "head", m.lines(m.live)...)
}

// throughFork makes the change on a fork without gates, and merges that.
func (m *gateModel) throughFork(mode catalog.Mode, body string, after map[int]gated) {
	m.Helper()
	f := m.MakeFork(m.d, fmt.Sprint("fork ", m.HeadID(m.d)), "head")
	m.UseGates(f)
	m.JSON(f, mode, body)
	merged, err := m.Merge(context.Background(), m.d, storage.Merge{Source: f, Autorollback: true}, storage.Request{})
	if err == nil && merged.Commit.ID == 0 {
		return // there was nothing to play
	}
	if m.check(err, after) {
		m.live = after
	}
	m.Must(m.DeleteDataset(context.Background(), f, storage.Request{}))
}

// check compares what gates said of a change with the model. It reports whether the change stands.
func (m *gateModel) check(err error, after map[int]gated) (stands bool) {
	m.Helper()
	change, want, got := changeOf(m.live, after), []string{}, []string{}
	for _, i := range m.gates {
		if n := modelGates[i].fails(change); n != 0 {
			want = append(want, fmt.Sprint(storagetest.Gate(modelGates[i].text).Name, " ", max(n, 0)))
		}
	}
	if err != nil {
		e := storage.Explain(err)
		if e.Code != "gate_failed" {
			m.Fatalf("%s %s", e.Code, e.Detail)
		}
		for _, r := range e.Fields["gates"].([]gating.Result) {
			got = append(got, fmt.Sprint(r.Gate, " ", r.Failed))
		}
		m.Want(m.d, "head", m.lines(m.live)...)
	}
	if !slices.Equal(got, want) {
		m.Errorf("gates %v refused %v, and the model %v", m.gates, got, want)
	}
	return err == nil
}
