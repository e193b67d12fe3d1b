package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

// row is one record as one commit wrote it. Its identity is its address.
type row struct {
	key    int64
	tag    int64
	values map[string]any // without nulls
}

// change is what a commit did, in the model: the rows that became live and those that ceased to be.
type change struct {
	id, parent       int64
	parents          []*change // that a cascade undid, the newest first; else nil
	mode             catalog.Mode
	undone, columns  bool // columns: it changed some
	added, displaced map[int64]*row
	state            map[int64]*row // after it
}

// model is a dataset kept in maps, the slow and obvious way.
type model struct {
	*bench
	rng     *rand.Rand
	dataset string
	keyed   bool
	lastID  int64
	changes []*change
}

func (m *model) head() map[int64]*row {
	if len(m.changes) == 0 {
		return map[int64]*row{}
	}
	return m.changes[len(m.changes)-1].state
}

// record appends a commit to the model: the state is the one before, less what it displaced, and what it added.
func (m *model) record(c catalog.Commit, added, displaced map[int64]*row) *change {
	state := maps.Clone(m.head())
	for k := range displaced {
		delete(state, k)
	}
	maps.Copy(state, added)
	ch := &change{
		id: c.ID, mode: c.Mode, parent: c.ParentCommitID, added: added, displaced: displaced, state: state,
		columns: len(c.Effects.SchemaChanges) > 0,
	}
	m.changes = append(m.changes, ch)
	m.checkCleared(c, added, displaced)
	return ch
}

// checkCleared compares the columns that a commit says it cleared with those in which a record of the model lost a
// value.
func (m *model) checkCleared(c catalog.Commit, added, displaced map[int64]*row) {
	m.Helper()
	after, err := m.State(context.Background(), m.dataset, fmt.Sprint(c.ID))
	m.must(err)
	var want []string
	for _, column := range after.Schema.Columns {
		for k, old := range displaced {
			_, had := old.values[column.Name]
			if now := added[k]; now != nil && had {
				if _, has := now.values[column.Name]; !has {
					want = append(want, column.Name)
					break
				}
			}
		}
	}
	if !slices.Equal(c.Effects.ColumnsCleared, want) {
		m.Errorf("commit %d (%s) says that it cleared %v; the model lost values in %v",
			c.ID, c.Mode, c.Effects.ColumnsCleared, want)
	}
}

// keyName is the name of the key column.
func (m *model) keyName() string {
	if m.keyed {
		return "id"
	}
	return "_id"
}

// someValues makes random fields. full: no field is left out by chance.
func (m *model) someValues(full bool) map[string]any {
	v := map[string]any{}
	put := func(name string, value any) {
		switch {
		case !full && m.rng.IntN(3) == 0:
		case m.rng.IntN(6) == 0:
			v[name] = nil
		default:
			v[name] = value
		}
	}
	put("n", float64(m.rng.IntN(3)))
	put("text", []string{"", "a", "ü 🦆", `q"q`}[m.rng.IntN(4)])
	put("quality_score", float64(m.rng.IntN(100))/100)
	put("category", []string{"x", "y", "z"}[m.rng.IntN(3)])
	inner := map[string]any{}
	for _, name := range []string{"p", "q r"} {
		switch m.rng.IntN(4) {
		case 0:
			inner[name] = nil
		case 1, 2:
			inner[name] = float64(m.rng.IntN(2))
		}
	}
	if len(inner) > 0 {
		put("st", inner)
	}
	return v
}

// clean drops nulls, which read back as absent.
func clean(v map[string]any) map[string]any {
	out := map[string]any{}
	for k, x := range v {
		if inner, ok := x.(map[string]any); ok {
			x = clean(inner)
		}
		if x != nil {
			out[k] = x
		}
	}
	return out
}

// merged is what an upsert makes of a record (design, section 3).
func merged(before, after map[string]any) map[string]any {
	out := maps.Clone(before)
	for k, x := range after {
		inner, isStruct := x.(map[string]any)
		old, wasStruct := before[k].(map[string]any)
		switch {
		case x == nil:
			delete(out, k)
		case isStruct && wasStruct:
			out[k] = merged(old, inner)
		case isStruct:
			out[k] = clean(inner)
		default:
			out[k] = x
		}
	}
	return out
}

// keys picks up to n distinct keys, some of which are live.
func (m *model) keys(n int) []int64 {
	var out []int64
	for range m.rng.IntN(n) + 1 {
		k := int64(m.rng.IntN(20)) + 1
		if !m.keyed {
			k = int64(m.rng.IntN(int(m.lastID)+1)) + 1
		}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func (m *model) body(records map[int64]map[string]any, keys []int64) string {
	list := []map[string]any{}
	for _, k := range keys {
		r := maps.Clone(records[k])
		r[m.keyName()] = k
		list = append(list, r)
	}
	return storagetest.ToJSON(list)
}

func (m *model) step() {
	switch n := m.rng.IntN(20); {
	case n < 4:
		m.doAppend()
	case n < 7:
		m.doReplace(catalog.Overwrite)
	case n < 10:
		m.doReplace(catalog.Upsert)
	case n < 11:
		m.doWhole()
	case n < 12:
		m.doDelete()
	case n < 18:
		m.doRollback()
	case n < 19:
		m.doRestore()
	default:
		m.doReopen()
	}
}

func (m *model) doAppend() {
	if !m.keyed {
		m.appendNumbered()
		return
	}
	keys, records := m.keys(4), map[int64]map[string]any{}
	exists := false
	for _, k := range keys {
		records[k] = m.someValues(false)
		exists = exists || m.head()[k] != nil
	}
	c, err := m.Try(m.dataset, catalog.Append, "json", m.body(records, keys))
	if exists {
		m.refused(err, "key_exists")
		return
	}
	m.must(err)
	m.record(c, m.made(c, records), nil)
}

func (m *model) appendNumbered() {
	n := m.rng.IntN(4) + 1
	records, list := map[int64]map[string]any{}, []map[string]any{}
	for range n {
		m.lastID++
		records[m.lastID] = m.someValues(false)
		list = append(list, records[m.lastID])
	}
	c, err := m.Try(m.dataset, catalog.Append, "json", storagetest.ToJSON(list))
	m.must(err)
	m.record(c, m.made(c, records), nil)
}

func (m *model) made(c catalog.Commit, records map[int64]map[string]any) map[int64]*row {
	out := map[int64]*row{}
	for k, v := range records {
		out[k] = &row{key: k, tag: c.ID, values: clean(v)}
	}
	return out
}

func (m *model) doReplace(mode catalog.Mode) {
	keys, records := m.keys(5), map[int64]map[string]any{}
	for _, k := range keys {
		records[k] = m.someValues(mode == catalog.Overwrite)
		if old := m.head()[k]; old != nil && m.rng.IntN(3) == 0 {
			records[k] = maps.Clone(old.values) // the same again
		}
	}
	c, err := m.Try(m.dataset, mode, "json", m.body(records, keys))
	m.must(err)
	added, displaced := map[int64]*row{}, map[int64]*row{}
	for _, k := range keys {
		old, after := m.head()[k], clean(records[k])
		if old != nil && mode == catalog.Upsert {
			after = merged(old.values, records[k])
		}
		if old != nil && reflect.DeepEqual(old.values, after) {
			continue
		}
		added[k] = &row{key: k, tag: c.ID, values: after}
		if old != nil {
			displaced[k] = old
		}
		m.lastID = max(m.lastID, k)
	}
	for _, k := range keys {
		m.lastID = max(m.lastID, k)
	}
	m.record(c, added, displaced)
	if want := int64(len(displaced)); c.Modified != want || c.Added != int64(len(added))-want {
		m.Errorf("%s: %s; the model added %d and changed %d", mode, storagetest.Counts(c), len(added)-len(displaced), want)
	}
}

// doWhole replaces all records by most of them, some changed, and a few more.
func (m *model) doWhole() {
	keys := m.keys(2)
	for _, k := range slices.Sorted(maps.Keys(m.head())) {
		if m.rng.IntN(6) > 0 && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	records := map[int64]map[string]any{}
	for _, k := range keys {
		records[k] = m.someValues(true)
		if old := m.head()[k]; old != nil && m.rng.IntN(4) > 0 {
			records[k] = maps.Clone(old.values)
		}
	}
	c, err := m.Try(m.dataset, catalog.Replace, "json", m.body(records, keys))
	m.must(err)
	added, displaced := map[int64]*row{}, maps.Clone(m.head())
	for _, k := range keys {
		m.lastID = max(m.lastID, k)
		old, after := m.head()[k], clean(records[k])
		if old != nil && reflect.DeepEqual(old.values, after) {
			delete(displaced, k)
			continue
		}
		added[k] = &row{key: k, tag: c.ID, values: after}
	}
	modified, gone := 0, 0
	for k := range displaced {
		if added[k] != nil {
			modified++
		} else {
			gone++
		}
	}
	m.record(c, added, displaced)
	if c.Added != int64(len(added)-modified) || c.Modified != int64(modified) || c.Removed != int64(gone) {
		m.Errorf("replace: %s; the model added %d, changed %d and removed %d",
			storagetest.Counts(c), len(added)-modified, modified, gone)
	}
}

func (m *model) doDelete() {
	displaced := map[int64]*row{}
	var c catalog.Commit
	var err error
	if m.rng.IntN(2) == 0 {
		keys := m.keys(3)
		records := map[int64]map[string]any{}
		for _, k := range keys {
			records[k] = map[string]any{}
			if old := m.head()[k]; old != nil {
				displaced[k] = old
			}
		}
		c, err = m.Try(m.dataset, catalog.Delete, "json", m.body(records, keys))
	} else {
		low := int64(m.rng.IntN(25))
		for k, old := range m.head() {
			if k > low && k <= low+2 {
				displaced[k] = old
			}
		}
		c, err = m.Commit(context.Background(), m.dataset, storage.Change{
			Mode: catalog.Delete, Where: fmt.Sprintf("%s > %d AND %s <= %d", m.keyName(), low, m.keyName(), low+2)})
		if len(m.changes) == 0 && err != nil {
			return // before the first record the key has no type to compare
		}
	}
	m.must(err)
	m.record(c, nil, displaced)
}

// standing returns the commits after the i-th that are not undone, nor undo one of these.
func (m *model) standing(i int) (out []*change) {
	for _, later := range m.changes[i+1:] {
		if !later.undone && !(later.mode == catalog.Rollback && later.parent > m.changes[i].id) {
			out = append(out, later)
		}
	}
	return out
}

func share(a, b map[int64]*row, same func(x, y *row) bool) bool {
	for k, x := range a {
		if y := b[k]; y != nil && same(x, y) {
			return true
		}
	}
	return false
}

// since is what a later commit means to an earlier one. What a cascade undid that came after that one cancels with its
// undoing.
func (c *change) since(earlier *change) *change {
	newer := func(p *change) bool { return p.id > earlier.id }
	if !slices.ContainsFunc(c.parents, newer) {
		return c
	}
	out := &change{id: c.id, mode: c.mode, added: map[int64]*row{}, displaced: map[int64]*row{}}
	for _, p := range c.parents {
		if !newer(p) {
			maps.Copy(out.added, p.displaced)
			maps.Copy(out.displaced, p.added)
			out.columns = out.columns || p.columns
		}
	}
	return out
}

// blocks is the design's section 4, by rows.
func blocks(p storage.Policy, undone, later *change) bool {
	if len(undone.added)+len(undone.displaced) == 0 || len(later.added)+len(later.displaced) == 0 && !later.columns {
		return false
	}
	if p == storage.Records {
		return overlapping(undone, later) > 0
	}
	sameRow := func(x, y *row) bool { return x == y }
	sameKey := func(x, y *row) bool { return true }
	return slices.Contains([]catalog.Mode{catalog.Overwrite, catalog.Upsert, catalog.Replace}, later.mode) ||
		share(later.displaced, undone.added, sameRow) || share(later.added, undone.displaced, sameKey)
}

func overlapping(a, b *change) (n int64) {
	touched := map[int64]bool{}
	for k := range a.added {
		touched[k] = true
	}
	for k := range a.displaced {
		touched[k] = true
	}
	for k := range touched {
		if b.added[k] != nil || b.displaced[k] != nil {
			n++
		}
	}
	return n
}

func (m *model) doRollback() {
	if len(m.changes) == 0 {
		return
	}
	i := len(m.changes) - 1 - m.rng.IntN(min(6, len(m.changes)))
	undone := m.changes[i]
	p := []storage.Policy{storage.Stack, storage.Records}[m.rng.IntN(2)]
	want := m.blocking(p, i)
	answer, errAsk := m.CanRollback(context.Background(), m.dataset, undone.id, p)
	c, err := m.TryRollback(m.dataset, undone.id, p)
	if undone.undone {
		m.refused(err, "already_rolled_back")
		if m.must(errAsk); !answer.Blocked || len(answer.Blockers) > 0 {
			m.Fatalf("commit %d is undone: %+v", undone.id, answer)
		}
		return
	}
	m.must(errAsk)
	if answer.Blocked && len(answer.Blockers) == 0 {
		m.refused(err, "undone_twice")
		return
	}
	m.checkBlockers(undone, p, answer, want)
	for _, b := range answer.Blockers {
		later := m.byID(b.ID)
		if n := overlapping(undone, later); b.Overlapping != n {
			m.Errorf("commit %d overlaps %d in %d records; the model says %d", b.ID, undone.id, b.Overlapping, n)
		}
	}
	if answer.Blocked {
		m.refused(err, "rollback_blocked")
		if m.rng.IntN(2) == 0 {
			m.doCascade(undone, p, answer)
		}
		return
	}
	m.must(err)
	m.record(c, undone.displaced, undone.added)
	m.mark(undone, true)
}

// blocking are the commits that must be undone before the i-th can be: found by undoing one after the other those that
// block, the newest first, until none does. What is undone for that stands again at the end.
func (m *model) blocking(p storage.Policy, i int) map[int64]bool {
	inTheWay := map[int64]bool{}
	for grown := true; grown; {
		undone := []*change{}
		for _, c := range slices.Backward(m.changes[i+1:]) {
			if inTheWay[c.id] && !c.undone {
				m.mark(c, true)
				undone = append(undone, c)
			}
		}
		before := len(inTheWay)
		for _, one := range append(slices.Clone(undone), m.changes[i]) {
			for _, later := range m.standing(slices.Index(m.changes, one)) {
				if blocks(p, one, later.since(one)) {
					inTheWay[later.id] = true
				}
			}
		}
		if grown = len(inTheWay) > before; !grown {
			inTheWay = map[int64]bool{}
			for _, c := range undone {
				inTheWay[c.id] = true
			}
		}
		for _, c := range slices.Backward(undone) {
			m.mark(c, false)
		}
	}
	return inTheWay
}

// checkBlockers compares what blocks with the model, and the order, in which each can be undone once those before it
// are.
func (m *model) checkBlockers(undone *change, p storage.Policy, answer storage.Rollbackable, want map[int64]bool) {
	m.Helper()
	var more []storage.Blocker
	for i, b := range answer.Blockers {
		if i > 0 && b.ID >= answer.Blockers[i-1].ID {
			m.Errorf("rolling back %d (%s): %d is not after those that came later", undone.id, p, b.ID)
		}
		if !want[b.ID] {
			more = append(more, b)
		}
		delete(want, b.ID)
	}
	if len(want) > 0 {
		m.Fatalf("rolling back %d (%s): %v block too\n%+v", undone.id, p, want, answer.Blockers)
	}
	// A restore, or what undid one, may have undone the commit's files, though none of its rows was live.
	if len(more) > 0 && !onlyRestores(more) {
		m.Fatalf("rolling back %d (%s): %+v do not block", undone.id, p, more)
	}
}

// doCascade undoes a commit with what blocks it, one after the other in the model.
func (m *model) doCascade(undone *change, p storage.Policy, answer storage.Rollbackable) {
	ctx := context.Background()
	var dry storage.Preview
	told, errDry := m.Cascade(ctx, m.dataset, undone.id, p, storage.Request{Preview: &dry})
	c, err := m.Cascade(ctx, m.dataset, undone.id, p, storage.Request{})
	if (errDry == nil) != (err == nil) || err == nil && storagetest.Counts(told) != storagetest.Counts(c) {
		m.Fatalf("a dry run of a cascade says %s, %v; it is %s, %v",
			storagetest.Counts(told), errDry, storagetest.Counts(c), err)
	}
	var e *fault.Error
	if errors.As(err, &e) && e.Code == "undone_twice" {
		return
	}
	m.must(err)
	state, parents := maps.Clone(m.head()), []*change{}
	for _, b := range answer.Blockers {
		parents = append(parents, m.byID(b.ID))
	}
	parents = append(parents, undone)
	for _, one := range parents {
		for k := range one.added {
			delete(state, k)
		}
		maps.Copy(state, one.displaced)
	}
	added, displaced := map[int64]*row{}, map[int64]*row{}
	for k, r := range m.head() {
		if state[k] != r {
			displaced[k] = r
		}
	}
	for k, r := range state {
		if m.head()[k] != r {
			added[k] = r
		}
	}
	ch := m.record(c, added, displaced)
	ch.parents = parents
	for _, one := range parents {
		m.mark(one, true)
	}
}

func (m *model) byID(id int64) *change {
	return m.changes[slices.IndexFunc(m.changes, func(c *change) bool { return c.id == id })]
}

func onlyRestores(list []storage.Blocker) bool {
	return !slices.ContainsFunc(list, func(b storage.Blocker) bool {
		return b.Mode != catalog.Restore && b.Mode != catalog.Rollback || b.Overlapping > 0
	})
}

// mark notes that a commit is undone or stands again, and what that means for the commit that it undoes itself.
func (m *model) mark(c *change, undone bool) {
	c.undone = undone
	if c.mode != catalog.Rollback {
		return
	}
	if c.parents == nil {
		m.mark(m.byID(c.parent), !undone)
		return
	}
	for _, p := range c.parents {
		m.mark(p, !undone)
	}
}

func (m *model) doRestore() {
	if len(m.changes) == 0 {
		return
	}
	target := m.changes[m.rng.IntN(len(m.changes))]
	c, err := m.Restore(context.Background(), m.dataset, strconv.FormatInt(target.id, 10), storage.Request{})
	m.must(err)
	added, displaced := map[int64]*row{}, map[int64]*row{}
	for k, r := range m.head() {
		if target.state[k] != r {
			displaced[k] = r
		}
	}
	for k, r := range target.state {
		if m.head()[k] != r {
			added[k] = r
		}
	}
	m.record(c, added, displaced)
}

// doReopen closes the store and opens it again; sometimes the catalog is lost on the way.
func (m *model) doReopen() {
	if m.fleet != nil {
		m.Store = m.fleet.reopen()
		return
	}
	m.Store.Close()
	if m.rng.IntN(3) == 0 {
		for _, f := range []string{"catalog.db", "catalog.db-wal", "catalog.db-shm"} {
			os.Remove(filepath.Join(m.Dir, f))
		}
	}
	s, err := storage.Open(context.Background(), m.Dir, storagetest.Eager)
	m.must(err)
	m.Store = s
}

func (m *model) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *model) refused(err error, code string) {
	m.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		m.Fatalf("got %v, want a refusal with %s", err, code)
	}
}

// checkState compares the records at a commit, with their tags, and what is summed up of them.
func (m *model) checkState(c *change) {
	m.Helper()
	want := map[int64]string{}
	var sum, n float64
	categories := map[string]int64{}
	for k, r := range c.state {
		v := maps.Clone(r.values)
		v["_commit"] = float64(r.tag)
		want[k] = storagetest.ToJSON(v)
		if q, ok := v["quality_score"].(float64); ok {
			sum, n = sum+q, n+1
		}
		if x, ok := v["category"].(string); ok {
			categories[x]++
		}
	}
	got := map[int64]string{}
	for _, line := range m.Rows(m.dataset, strconv.FormatInt(c.id, 10), true) {
		v := map[string]any{}
		m.must(json.Unmarshal([]byte(line), &v))
		k := int64(v[m.keyName()].(float64))
		delete(v, m.keyName())
		got[k] = storagetest.ToJSON(clean(v))
	}
	if !maps.Equal(got, want) {
		m.Fatalf("at commit %d (%s)\n got %v\nwant %v", c.id, c.mode, got, want)
	}
	m.checkSums(c, sum, n, categories)
}

func (m *model) checkSums(c *change, sum, n float64, categories map[string]int64) {
	m.Helper()
	ctx := context.Background()
	snap, err := m.Snapshot(ctx, m.dataset, strconv.FormatInt(c.id, 10))
	m.must(err)
	conn, err := m.Conn(ctx)
	m.must(err)
	defer conn.Close()
	quality, ok, err := snap.Quality(ctx, conn)
	m.must(err)
	if ok != (n > 0) || ok && (math.Abs(quality.Average-sum/n) > 1e-12 || !quality.IsShare) {
		m.Errorf("quality at %d is %v, %v; the model has %v of %v", c.id, quality, ok, sum, n)
	}
	counts, _, err := snap.Categories(ctx, conn)
	m.must(err)
	if !maps.Equal(counts, categories) {
		m.Errorf("categories at %d are %v; the model has %v", c.id, counts, categories)
	}
	m.checkDigest(c)
}

// checkDiff compares the difference of two commits with the model's, both ways.
func (m *model) checkDiff(a, b *change, conn *duck.Conn) {
	m.Helper()
	ctx := context.Background()
	var want snapshot.Counts
	for k, r := range b.state {
		if old := a.state[k]; old == nil {
			want.Added++
		} else if !reflect.DeepEqual(old.values, r.values) {
			want.Modified++
		}
	}
	for k := range a.state {
		if b.state[k] == nil {
			want.Removed++
		}
	}
	sa, err := m.Snapshot(ctx, m.dataset, strconv.FormatInt(a.id, 10))
	m.must(err)
	sb, err := m.Snapshot(ctx, m.dataset, strconv.FormatInt(b.id, 10))
	m.must(err)
	got, err := snapshot.Diff(sa, sb).Count(ctx, conn)
	m.must(err)
	mirror, err := snapshot.Diff(sb, sa).Count(ctx, conn)
	m.must(err)
	if dropsColumn(sa, sb) || dropsColumn(sb, sa) {
		want.Modified = got.Modified // a column that is gone is a change of the schema, not of records
	}
	if got.Added != want.Added || got.Removed != want.Removed || got.Modified != want.Modified {
		m.Fatalf("%d to %d: got +%d -%d ~%d, want +%d -%d ~%d", a.id, b.id, got.Added, got.Removed, got.Modified, want.Added,
			want.Removed, want.Modified)
	}
	if mirror.Added != got.Removed || mirror.Removed != got.Added || mirror.Modified != got.Modified ||
		!maps.Equal(mirror.Columns, got.Columns) {
		m.Errorf("%d to %d is no mirror: %+v and %+v", a.id, b.id, got, mirror)
	}
}

func dropsColumn(a, b *snapshot.Snapshot) bool {
	return slices.ContainsFunc(a.Schema.Columns, func(c schema.Column) bool { return b.Schema.Gone(c.ID) })
}

// Random histories against the model: every state, tag, count, comparison and blocked answer. ROWBACK_STEPS makes them
// longer, ROWBACK_SEED repeats one.
func TestHistories(t *testing.T) {
	t.Parallel()
	steps, seeds := 60, []uint64{rand.Uint64()}
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_STEPS")); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64); err == nil {
		seeds = []uint64{n}
	}
	for _, seed := range seeds {
		for _, keyed := range []bool{true, false} {
			t.Run(fmt.Sprintf("seed %d keyed %v", seed, keyed), func(t *testing.T) {
				runHistory(reopen(t, t.TempDir(), storagetest.Eager), seed, keyed, steps)
			})
		}
	}
}

func runHistory(b *bench, seed uint64, keyed bool, steps int) {
	m := &model{bench: b, rng: rand.New(rand.NewPCG(seed, 0)), keyed: keyed}
	defer func() { m.Store.Close() }()
	if m.dataset = m.Create("d"); keyed {
		m.dataset = m.Create("k", "id")
	}
	upkeep := rand.New(rand.NewPCG(seed, 1))
	for range steps {
		before := len(m.changes)
		m.turn()
		m.step()
		m.turn()
		m.MayCompact(upkeep, m.dataset)
		if len(m.changes) > before {
			m.checkState(m.changes[len(m.changes)-1])
		}
		if m.Failed() {
			m.Fatalf("seed %d failed at commit %d", seed, len(m.changes))
		}
	}
	m.finish()
}

// finish checks every state once more, comparisons of random pairs, and the whole store.
func (m *model) finish() {
	ctx := context.Background()
	conn, err := m.Conn(ctx)
	m.must(err)
	for _, c := range m.changes {
		m.checkState(c)
		m.checkDiff(c, m.changes[m.rng.IntN(len(m.changes))], conn)
	}
	conn.Close()
	for key := range int64(21) {
		m.checkRecord(key)
	}
	problems, err := m.Check(ctx, true)
	m.must(err)
	for _, p := range problems {
		m.Error(p)
	}
}
