package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/storagetest"
)

const maxMembers = 5

func (f *family) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *family) refused(err error, code string) {
	f.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		f.Fatalf("got %v, want a refusal with %s", err, code)
	}
}

func (f *family) tell(format string, args ...any) {
	if testing.Verbose() {
		f.Logf(format, args...)
	}
}

// live are the members that are not deleted.
func (f *family) live() []*member {
	return slices.DeleteFunc(slices.Clone(f.members), func(d *member) bool { return d.deleted })
}

func (f *family) some() *member { list := f.live(); return list[f.rng.IntN(len(list))] }

func (f *family) newName() string {
	f.names++
	return fmt.Sprint("member ", f.names)
}

func (f *family) keyName() string {
	if f.keyed {
		return "id"
	}
	return "_id"
}

// create makes the first member.
func (f *family) create() {
	d := &member{name: f.newName()}
	var key []string
	if f.keyed {
		key = []string{"id"}
	}
	n := storage.NewDataset{ProjectID: 1, Name: d.name, Key: key}
	if f.byColumn = f.rng.IntN(3) > 0; !f.byColumn {
		n.MergeGranularity = catalog.ByRow
	}
	s, err := f.CreateDataset(context.Background(), n, storage.Request{})
	f.must(err)
	d.id = s.Dataset.ID
	f.members = append(f.members, d)
}

func (f *family) step() {
	d := f.some()
	if f.gone != nil && f.rng.IntN(8) == 0 {
		f.doVacuum(d)
	}
	switch n := f.rng.IntN(40); {
	case n < 6:
		f.doAppend(d)
	case n < 12:
		f.doReplace(d, []catalog.Mode{catalog.Overwrite, catalog.Overwrite, catalog.Upsert, catalog.Upsert,
			catalog.Replace}[f.rng.IntN(5)])
	case n < 14:
		f.doDelete(d)
	case n < 17:
		f.doFork(d)
	case n < 29:
		f.doMerge(d)
	case n < 34:
		f.doRollback(d)
	case n < 35:
		f.doRestore(d)
	case n < 36:
		f.doRename(d)
	case n < 38:
		f.doSavepoint(d)
	case n < 39:
		f.doDeleteMember(d)
	default:
		f.doReopen()
	}
	f.checkMember(d)
}

// someKeys picks up to n distinct keys.
func (f *family) someKeys(n int) (out []int64) {
	for range f.rng.IntN(n) + 1 {
		k := int64(f.rng.IntN(12)) + 1
		if !f.keyed {
			k = int64(f.rng.IntN(int(f.lastID)+1)) + 1
		}
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// someValues makes a record, with a column now and then that not every member has.
func (f *family) someValues(full bool) map[string]any {
	v := (&model{rng: f.rng}).someValues(full)
	if f.rng.IntN(5) == 0 {
		v[fmt.Sprint("extra", f.rng.IntN(3))] = float64(f.rng.IntN(3))
	}
	if f.rng.IntN(20) == 0 {
		v["odd"] = []any{float64(f.rng.IntN(2)), "text"}[f.rng.IntN(2)]
	}
	return v
}

// records makes one record a key: some as they are here, some as they are in another member, so that both do the same.
func (f *family) records(d *member, keys []int64, full bool) map[int64]map[string]any {
	out := map[int64]map[string]any{}
	other := f.some()
	for _, k := range keys {
		out[k] = f.someValues(full)
		if r := d.head()[k]; r != nil && f.rng.IntN(5) == 0 {
			out[k] = maps.Clone(r.values)
		} else if r := other.head()[k]; r != nil && f.rng.IntN(3) == 0 {
			out[k] = maps.Clone(r.values)
		}
	}
	evenOut(out)
	return out
}

func (f *family) body(records map[int64]map[string]any, keys []int64) string {
	return (&model{keyed: f.keyed}).body(records, keys)
}

func (f *family) made(c catalog.Commit, records map[int64]map[string]any) map[int64]*row {
	return (&model{}).made(c, records)
}

func (f *family) doAppend(d *member) {
	if !f.keyed {
		f.appendNumbered(d)
		return
	}
	keys := f.someKeys(4)
	records := f.records(d, keys, false)
	exists := slices.ContainsFunc(keys, func(k int64) bool { return d.head()[k] != nil })
	c, err := f.Try(d.id, catalog.Append, "json", f.body(records, keys))
	if !exists && f.refusedOdd(d, records, err) {
		return
	}
	if exists {
		if e := storage.Explain(err); err == nil || e.Code != "key_exists" && e.Code != "type_mismatch" {
			f.Fatalf("got %v, want a refusal", err)
		}
		return
	}
	f.must(err)
	f.settle(d, d.add(c, f.made(c, records), nil))
}

func (f *family) appendNumbered(d *member) {
	records, list := map[int64]map[string]any{}, []map[string]any{}
	for i := range int64(f.rng.IntN(4) + 1) {
		records[f.lastID+i+1] = f.someValues(false)
	}
	evenOut(records)
	for _, k := range slices.Sorted(maps.Keys(records)) {
		list = append(list, records[k])
	}
	c, err := f.Try(d.id, catalog.Append, "json", storagetest.ToJSON(list))
	if f.refusedOdd(d, records, err) {
		return
	}
	f.lastID += int64(len(list))
	f.must(err)
	f.settle(d, d.add(c, f.made(c, records), nil))
}

func (f *family) doReplace(d *member, mode catalog.Mode) {
	keys := f.someKeys(5)
	records := f.records(d, keys, mode != catalog.Upsert)
	c, err := f.Try(d.id, mode, "json", f.body(records, keys))
	if f.refusedOdd(d, records, err) {
		return
	}
	f.must(err)
	added, displaced := map[int64]*row{}, map[int64]*row{}
	if mode == catalog.Replace {
		displaced = maps.Clone(d.head())
	}
	for _, k := range keys {
		f.lastID = max(f.lastID, k)
		old, after := d.head()[k], clean(records[k])
		if old != nil && mode == catalog.Upsert {
			after = merged(old.values, records[k])
		}
		if old != nil && reflect.DeepEqual(old.values, after) {
			delete(displaced, k)
			continue
		}
		added[k] = &row{key: k, tag: c.ID, values: after}
		if old != nil {
			displaced[k] = old
		}
	}
	f.settle(d, d.add(c, added, displaced))
}

func (f *family) doDelete(d *member) {
	keys, records, displaced := f.someKeys(3), map[int64]map[string]any{}, map[int64]*row{}
	for _, k := range keys {
		records[k] = map[string]any{}
		if old := d.head()[k]; old != nil {
			displaced[k] = old
		}
	}
	c, err := f.Try(d.id, catalog.Delete, "json", f.body(records, keys))
	f.must(err)
	f.settle(d, d.add(c, nil, displaced))
}

// settle notes what the model leaves to the server: the columns that there are. Those with values are checked with
// them.
func (f *family) settle(d *member, c *deed) {
	f.Helper()
	c.columns = f.columns(d, c.id)
	f.checkCounts(d, c)
	f.tell("%s of %s: commit %d, hash %s, odd %q", c.mode, d.name, c.id, c.hash, c.columns["odd"])
}

// checkCounts compares what a commit says that it did with the states before and after it.
func (f *family) checkCounts(d *member, c *deed) {
	f.Helper()
	if f.gone[c.id] || f.gone[d.before(c)] {
		return
	}
	ctx := context.Background()
	after, err := f.Snapshot(ctx, d.id, strconv.FormatInt(c.id, 10))
	f.must(err)
	want := countsOf(c.previous, c.state)
	if c.previous != nil {
		before, err := f.Snapshot(ctx, d.id, strconv.FormatInt(d.before(c), 10))
		f.must(err)
		want.Modified = f.modified(before, after, want.Modified)
	}
	if got := after.Commit; got.Added != want.Added || got.Removed != want.Removed || got.Modified != want.Modified {
		f.Errorf("%s of %s, commit %d: %s; the model has +%d -%d ~%d",
			c.mode, d.name, c.id, storagetest.Counts(got), want.Added,
			want.Removed, want.Modified)
	}
}

// modified is how many records were modified between two states, of which the model says want. The model does not know
// that a column which is gone is a change of the schema, not of records, nor that one made anew is another one.
func (f *family) modified(a, b *snapshot.Snapshot, want int64) int64 {
	f.Helper()
	if !dropsColumn(a, b) && !dropsColumn(b, a) && !madeTwice(a, b) {
		return want
	}
	conn, err := f.Conn(context.Background())
	f.must(err)
	defer conn.Close()
	got, err := snapshot.Diff(a, b).Count(context.Background(), conn)
	f.must(err)
	return got.Modified
}

// countsOf are the records that differ between two states.
func countsOf(a, b map[int64]*row) (out snapshot.Counts) {
	for k, r := range b {
		if old := a[k]; old == nil {
			out.Added++
		} else if !reflect.DeepEqual(old.values, r.values) {
			out.Modified++
		}
	}
	out.Removed = int64(len(a)) + out.Added - int64(len(b))
	return out
}

func (f *family) columns(d *member, commit int64) map[string]string {
	f.Helper()
	s, err := f.State(context.Background(), d.id, strconv.FormatInt(commit, 10))
	f.must(err)
	out := map[string]string{}
	for _, c := range s.Schema.Columns {
		out[c.Name] = holdsOfType(c.Type)
		if id, known := f.columnIDs[c.Name]; known && id != c.ID {
			f.columnsMadeTwice = true
		}
		f.columnIDs[c.Name] = c.ID
	}
	return out
}

func holdsOfType(t schema.Type) string {
	switch {
	case t.IsNumber():
		return "number"
	case t.Name == schema.Null:
		return ""
	case t.Name == schema.Struct:
		return "object"
	}
	return "text"
}

// refusedOdd reports whether records were refused that have text in a column of numbers, or the other way round.
func (f *family) refusedOdd(d *member, records map[int64]map[string]any, err error) bool {
	f.Helper()
	holds := d.last().columns["odd"]
	for _, r := range records {
		if v := r["odd"]; v != nil && holds != "" && holdsOf(v) != holds {
			f.refused(err, "type_mismatch")
			return true
		}
	}
	return false
}

// evenOut leaves one kind of odd values in records that come together.
func evenOut(records map[int64]map[string]any) {
	var first any
	for _, k := range slices.Sorted(maps.Keys(records)) {
		v := records[k]["odd"]
		if first == nil {
			first = v
		}
		if v != nil && holdsOf(v) != holdsOf(first) {
			delete(records[k], "odd")
		}
	}
}

func (f *family) doFork(d *member) {
	if len(f.members) >= maxMembers {
		f.doMerge(d)
		return
	}
	ref, commit := "head", d.last().id
	switch n := f.rng.IntN(30); {
	case n == 0:
		ref, commit = "0", 0 // before the first commit
	case n < 10 && len(d.log) > 0:
		commit = d.log[f.rng.IntN(len(d.log))].id
		ref = fmt.Sprint(commit)
	}
	bytes := f.DiskBytes()
	s, err := f.Fork(context.Background(), d.id, storage.NewFork{Name: f.newName(), Ref: ref}, storage.Request{})
	if f.gone[commit] {
		f.refused(err, "vacuumed")
		return
	}
	f.must(err)
	if now := f.DiskBytes(); now != bytes {
		f.Errorf("a fork wrote %d bytes of data", now-bytes)
	}
	fork := &member{
		id: s.Dataset.ID, name: s.Dataset.Name, upstream: d, log: d.forked(commit), forkCommit: commit,
	}
	f.members = append(f.members, fork)
	f.settle(fork, fork.add(s.Commit, nil, nil))
	fork.log[len(fork.log)-1].before = ""
	fork.saves = []save{{0, s.Commit.ID, len(fork.log)}}
	f.tell("forked %s from %s at %s", fork.name, d.name, ref)
	if f.gone != nil {
		f.retain(fork)
	}
	f.checkMember(fork)
}

// someFilter is nil most of the time.
func (f *family) someFilter(source, target *member) *storage.MergeFilter {
	list := source.missing(target)
	if len(list) == 0 || f.rng.IntN(3) > 0 {
		return nil
	}
	out := &storage.MergeFilter{}
	for range f.rng.IntN(3) + 1 {
		a := list[f.rng.IntN(len(list))]
		if f.rng.IntN(2) == 0 {
			out.Keys = append(out.Keys, "Dataset."+string(a.mode))
		} else {
			out.Hashes = append(out.Hashes, a.hash)
		}
	}
	return out
}

func (f *family) doMerge(target *member) {
	source := f.some()
	if source == target {
		return
	}
	m := storage.Merge{Source: source.id, Autorollback: f.rng.IntN(2) == 0, DryRun: f.rng.IntN(6) == 0,
		Remember: f.rng.IntN(2) == 0, Filter: f.someFilter(source, target)}
	f.someTakes(&m, source, target)
	want := f.replayed(source, target, m)
	if want.unsure {
		return
	}
	before, bytes := f.trace(target), f.DiskBytes()
	out, err := f.Merge(context.Background(), target.id, m, storage.Request{})
	f.tell("merge of %s into %s %s: played %v, conflicts %v, %v",
		source.name, target.name, storagetest.ToJSON(m), idsOf(out.Played),
		len(out.Conflicts), err)
	if f.lacks(err, source, (&replay{source: source, target: target}).chosen(m)) {
		return
	}
	if len(want.conflicts) > 0 && !m.DryRun {
		f.refused(err, "merge_conflict")
	} else {
		f.must(err)
	}
	f.checkMerged(want, m, out)
	nothing := len(want.played) == 0 && len(want.remembered) == 0
	if m.DryRun || nothing || len(want.conflicts) > 0 && m.Autorollback {
		if out.Commit.ID != 0 {
			f.Fatalf("it made commit %d", out.Commit.ID)
		}
		if after := f.trace(target); after != before {
			f.Fatalf("a merge that was not to change anything did\nbefore %s\nafter  %s", before, after)
		}
		return
	}
	clean := !f.overlap && !want.overlap && !f.differInColumns(source, target, want.played)
	f.recordMerge(want, out)
	if now := f.DiskBytes(); clean && now != bytes {
		f.Errorf("a merge without overlap wrote %d bytes of data", now-bytes)
	}
	f.overlap = f.overlap || !clean
}

// differInColumns reports whether both sides had made a column each when one of the actions was done.
func (f *family) differInColumns(source, target *member, actions []*deed) bool {
	f.Helper()
	here, err := f.Snapshot(context.Background(), target.id, "head")
	f.must(err)
	for _, a := range actions {
		there, err := f.Snapshot(context.Background(), source.id, fmt.Sprint(a.id))
		f.must(err)
		if madeTwice(there, here) {
			return true
		}
	}
	return false
}

// trace is all that a refused merge must leave as it was.
func (f *family) trace(d *member) string {
	f.Helper()
	commits, err := f.Actions(context.Background(), d.id, storage.ActionFilter{})
	f.must(err)
	return fmt.Sprint(storagetest.ToJSON(commits), storagetest.ToJSON(f.Rows(d.id, "head", true)), f.DiskBytes())
}

func idsOf(list []catalog.Commit) (out []int64) {
	for _, c := range list {
		out = append(out, c.ID)
	}
	return out
}

func hashesOf(list []catalog.Commit) (out []string) {
	for _, c := range list {
		out = append(out, c.Hash)
	}
	return out
}

func deedHashes(list []*deed) (out []string) {
	for _, c := range list {
		out = append(out, c.hash)
	}
	return out
}

// checkMerged compares what a merge tells of itself with the model.
func (f *family) checkMerged(want *replay, m storage.Merge, out storage.Merged) {
	f.Helper()
	var conflicts []clash
	for _, c := range out.Conflicts {
		conflicts = append(conflicts, clash{c.Action.Hash, c.Count})
		if int64(len(c.Records)) != min(c.Count, 20) {
			f.Errorf("%d records of %d are shown", len(c.Records), c.Count)
		}
	}
	if out.Decided != want.decided {
		f.Fatalf("%d conflicts were decided, in the model %d", out.Decided, want.decided)
	}
	if !slices.Equal(conflicts, want.conflicts) {
		f.Fatalf("conflicts: %+v\n of %s\nthe model has %+v", conflicts, storagetest.ToJSON(out.Conflicts), want.conflicts)
	}
	played := deedHashes(want.played)
	if len(conflicts) > 0 && m.Autorollback && !m.DryRun {
		played = nil
	}
	if got := hashesOf(out.Played); !slices.Equal(got, played) {
		f.Fatalf("played %v, the model %v", got, played)
	}
	if got := hashesOf(out.Skipped); !slices.Equal(got, deedHashes(want.skipped)) {
		f.Fatalf("skipped %v, the model %v", got, deedHashes(want.skipped))
	}
}

// recordMerge gives the model's merge its commits.
func (f *family) recordMerge(want *replay, out storage.Merged) {
	f.Helper()
	d := want.target
	first := len(d.log)
	previous := d.head()
	d.log = want.now.log
	ids := map[int64]int64{}
	for i, c := range d.log[first:] {
		got := out.Played[i]
		ids[c.id] = got.ID
		c.id, c.merge = got.ID, out.Commit.ID
		if p, ok := ids[c.parent]; ok {
			c.parent = p
		}
		if c.parent != got.ParentCommitID {
			f.Fatalf("played %s %d undoes %d, in the model %d", c.mode, c.id, got.ParentCommitID, c.parent)
		}
		(&model{bench: f.bench, dataset: d.id}).checkCleared(got, c.added, c.displaced)
		f.settle(d, c)
	}
	merge := d.add(out.Commit, nil, nil)
	merge.added, merge.displaced = less(merge.state, previous), less(previous, merge.state)
	merge.previous, merge.source, merge.remembered = previous, want.source.id, want.remembered
	for _, c := range d.log[first : len(d.log)-1] {
		merge.replaced, merge.files = merge.replaced || c.replaced, merge.files || c.files
	}
	f.settle(d, merge)
	if out.Commit.Total != int64(len(merge.state)) {
		f.Errorf("%s after the merge; the model has %d records", storagetest.Counts(out.Commit), len(merge.state))
	}
}

// less are the rows of a that are not in b.
func less(a, b map[int64]*row) map[int64]*row {
	out := map[int64]*row{}
	for k, r := range a {
		if b[k] != r {
			out[k] = r
		}
	}
	return out
}

// standing returns the commits after the i-th that are not undone, nor undo one of these. A merge counts as one, but
// for what came in one merge with the i-th.
func (d *member) standing(i int) (out []*deed) {
	c := d.log[i]
	for _, later := range d.log[i+1:] {
		inMerge := later.merge != 0 && later.merge != c.merge || later.id == c.merge
		if !inMerge && !d.undone(later) && !(later.mode == catalog.Rollback && later.parent > c.id) {
			out = append(out, later)
		}
	}
	return out
}

func (c *deed) renamed() bool { return c.name != c.before }

func (c *deed) blocks(p storage.Policy, undone *deed) bool {
	if undone.renamed() && c.renamed() || undone.retains && c.retains {
		return true
	}
	as := c.change
	if c.replaced {
		as.mode = catalog.Upsert
	}
	return blocks(p, &undone.change, &as)
}

func (f *family) doRollback(d *member) {
	if len(d.log) == 0 {
		return
	}
	i := len(d.log) - 1 - f.rng.IntN(min(8, len(d.log)))
	undone := d.log[i]
	p := []storage.Policy{storage.Stack, storage.Records}[f.rng.IntN(2)]
	want := map[int64]bool{}
	for _, later := range d.standing(i) {
		if later.blocks(p, undone) {
			want[later.id] = true
		}
	}
	answer, errAsk := f.CanRollback(context.Background(), d.id, undone.id, p)
	c, err := f.TryRollback(d.id, undone.id, p)
	f.tell("rollback of %d (%s) in %s: %v", undone.id, p, d.name, err)
	if f.lacks(errAsk, d, d.log[i:]) {
		f.refused(err, "vacuumed")
		return
	}
	f.must(errAsk)
	if f.gone[undone.id] || f.gone[d.before(undone)] {
		f.Fatalf("what commit %d changed is gone, and it can be rolled back: %v", undone.id, err)
	}
	switch {
	case undone.mode == catalog.Fork:
		f.refused(err, "fork_commit")
		return
	case d.undone(undone):
		f.refused(err, "already_rolled_back")
		return
	case answer.Blocked && len(answer.Blockers) == 0 && f.cannotComeBack(err):
		return
	case answer.Blocked && len(want) == 0 && undone.isWide(answer.Blockers):
		f.refused(err, "rollback_blocked")
		return
	case answer.Blocked != (len(want) > 0):
		f.Fatalf("rolling back %d (%s): blocked %v, the model says %v\n%+v", undone.id, p, answer.Blocked, want,
			answer.Blockers)
	}
	for _, b := range answer.Blockers {
		delete(want, b.ID)
	}
	if len(want) > 0 {
		f.Errorf("rolling back %d (%s): %v block too", undone.id, p, want)
	}
	if answer.Blocked {
		f.refused(err, "rollback_blocked")
		return
	}
	f.must(err)
	f.recordRollback(d, undone, c)
}

// cannotComeBack reports whether a rollback was refused for what the model does not know: a column that both sides had
// made, each with an id of its own, or a commit that another rollback undoes already.
func (f *family) cannotComeBack(err error) bool {
	e := storage.Explain(err)
	return err != nil && (e.Code == "column_taken" && f.columnsMadeTwice || e.Code == "undone_twice")
}

// isWide reports whether a rollback may be blocked by files where no record is in the way: restores and merges open and
// close files that hold other rows too, or rows that come and go in one. What is in the way of undoing such a restore
// or merge is among the blockers as well.
func (c *deed) isWide(list []storage.Blocker) bool {
	overlaps := func(b storage.Blocker) bool { return b.Overlapping > 0 }
	if c.mode == catalog.Restore || c.mode == catalog.Merge {
		return c.files && len(c.added)+len(c.displaced) == 0 || !slices.ContainsFunc(list, overlaps)
	}
	return slices.ContainsFunc(list, func(b storage.Blocker) bool {
		return (b.Mode == catalog.Restore || b.Mode == catalog.Merge) && !overlaps(b)
	})
}

func (f *family) recordRollback(d *member, undone *deed, c catalog.Commit) {
	added, displaced := maps.Clone(undone.displaced), maps.Clone(undone.added)
	r := d.add(c, added, displaced)
	if undone.renamed() {
		r.before, r.name, d.name = d.name, undone.before, undone.before
	}
	f.settle(d, r)
}

func (f *family) doRestore(d *member) {
	if len(d.log) == 0 {
		return
	}
	to := d.log[f.rng.IntN(len(d.log))]
	c, err := f.Restore(context.Background(), d.id, strconv.FormatInt(to.id, 10), storage.Request{})
	if f.gone[to.id] {
		f.refused(err, "vacuumed")
		return
	}
	f.must(err)
	f.settle(d, d.add(c, less(to.state, d.head()), less(d.head(), to.state)))
}

func (f *family) doRename(d *member) {
	name := f.newName()
	c, err := f.EditDataset(context.Background(), d.id, storage.Edit{Name: &name}, storage.Request{})
	f.must(err)
	edit := d.add(c, nil, nil)
	edit.name, d.name = name, name
	f.settle(d, edit)
}

// doSavepoint makes a savepoint, or reverts to one.
func (f *family) doSavepoint(d *member) {
	if list := d.savepoints(); len(list) > 0 && f.rng.IntN(2) == 0 {
		f.revert(d, list[f.rng.IntN(len(list))])
		return
	}
	p, err := f.CreateSavepoint(context.Background(), d.id, storage.NewSavepoint{}, storage.Request{})
	f.must(err)
	if p.Made {
		d.saves = append(d.saves, save{p.Number, p.CommitID, len(d.log)})
		return
	}
	if list := d.savepoints(); len(list) == 0 || list[0] != p.Number {
		f.Fatalf("savepoint %d is said to be the last; the model has %v", p.Number, list)
	}
	if then := d.stateAt(p.CommitID); !sameValues(then, d.head()) {
		f.Errorf("savepoint %d is said to be as the head, and is not", p.Number)
	}
}

func (d *member) stateAt(commit int64) map[int64]*row {
	if c := d.byID(commit); c != nil {
		return c.state
	}
	return map[int64]*row{}
}

func sameValues(a, b map[int64]*row) bool {
	return maps.EqualFunc(a, b, func(x, y *row) bool { return reflect.DeepEqual(x.values, y.values) })
}

func (f *family) revert(d *member, number int64) {
	i := slices.IndexFunc(d.saves, func(s save) bool { return s.number == number })
	to := d.stateAt(d.saves[i].commit)
	c, err := f.Revert(context.Background(), d.id, storage.SavepointName(number), storage.Request{})
	if f.gone[d.saves[i].commit] {
		f.refused(err, "vacuumed")
		return
	}
	f.must(err)
	r := d.add(c, less(to, d.head()), less(d.head(), to))
	r.revertTo = number
	f.settle(d, r)
}

// doDeleteMember deletes a member, or brings back the one that is deleted.
func (f *family) doDeleteMember(d *member) {
	ctx := context.Background()
	if i := slices.IndexFunc(f.members, func(d *member) bool { return d.deleted }); i >= 0 {
		gone := f.members[i]
		_, err := f.Merge(ctx, d.id, storage.Merge{Source: gone.id}, storage.Request{})
		f.refused(err, "dataset_deleted")
		_, err = f.UndeleteDataset(ctx, gone.id, storage.Request{})
		f.must(err)
		gone.deleted = false
		f.checkMember(gone)
		return
	}
	if len(f.live()) < 3 {
		return
	}
	f.must(f.DeleteDataset(ctx, d.id, storage.Request{}))
	d.deleted = true
}

// doReopen closes the store and opens it again; sometimes the catalog is lost on the way.
func (f *family) doReopen() {
	if f.fleet != nil {
		f.Store = f.fleet.reopen()
		return
	}
	if f.rng.IntN(3) == 0 {
		f.LoseCatalog()
		f.tell("the catalog was lost")
		return
	}
	f.Store.Close()
	s, err := storage.Open(context.Background(), f.Dir, storagetest.Eager)
	f.must(err)
	f.Store = s
}

// checkMember compares a member's head, savepoints and differences with the model's.
func (f *family) checkMember(d *member) {
	f.Helper()
	if d.deleted {
		return
	}
	if f.checkState(d, d.last()); f.Failed() {
		f.Fatal("the records differ")
	}
	state, err := f.State(context.Background(), d.id, "head")
	f.must(err)
	if state.Commit.ID != d.last().id || state.Properties.Name != d.name || state.Dataset.Name != d.name {
		f.Fatalf("%s at %d; the model has %s at %d", state.Dataset.Name, state.Commit.ID, d.name, d.last().id)
	}
	f.checkSavepoints(d)
	for _, fork := range f.live() {
		if fork.upstream != nil && (fork == d || fork.upstream == d) {
			f.checkDeltas(fork)
		}
	}
}

func (f *family) checkSavepoints(d *member) {
	f.Helper()
	list, err := f.Savepoints(context.Background(), d.id)
	f.must(err)
	var got []int64
	for _, p := range list {
		got = append(got, p.Number)
		if !slices.ContainsFunc(d.saves, func(s save) bool { return s.number == p.Number }) {
			d.saves = append(d.saves, save{p.Number, p.CommitID, len(d.log)}) // of the first records
		}
	}
	if want := d.savepoints(); !slices.Equal(got, want) {
		f.Fatalf("savepoints of %s: %v, the model has %v", d.name, got, want)
	}
}

func (f *family) checkDeltas(fork *member) {
	f.Helper()
	mine, err := f.SinceForking(context.Background(), fork.id)
	f.must(err)
	theirs, err := f.UpstreamDelta(context.Background(), fork.id)
	f.must(err)
	for name, pair := range map[string][2][]string{
		"since forking":  {hashesOf(mine.Actions), deedHashes(fork.cancel(fork.missing(fork.upstream)))},
		"upstream delta": {hashesOf(theirs.Actions), deedHashes(fork.upstream.cancel(fork.upstream.missing(fork)))},
	} {
		got, want := slices.Sorted(slices.Values(pair[0])), slices.Sorted(slices.Values(pair[1]))
		if !slices.Equal(slices.Compact(got), slices.Compact(want)) {
			f.Fatalf("%s of %s: %v, the model has %v", name, fork.name, pair[0], pair[1])
		}
	}
}

// checkState compares the records of a member at a commit with the model's, and what is summed up of them.
func (f *family) checkState(d *member, c *deed) {
	f.Helper()
	if f.gone[c.id] {
		_, err := f.Snapshot(context.Background(), d.id, strconv.FormatInt(c.id, 10))
		f.refused(err, "vacuumed")
		return
	}
	got := map[int64]map[string]any{}
	for _, line := range f.Rows(d.id, strconv.FormatInt(c.id, 10), true) {
		v := map[string]any{}
		f.must(json.Unmarshal([]byte(line), &v))
		k := int64(v[f.keyName()].(float64))
		delete(v, f.keyName())
		got[k] = clean(v)
	}
	var sum, n float64
	categories := map[string]int64{}
	for k, r := range c.state {
		tag, _ := got[k]["_commit"].(float64)
		delete(got[k], "_commit")
		if got[k] == nil || !reflect.DeepEqual(got[k], r.values) || r.tag != 0 && r.tag != int64(tag) {
			f.Errorf("%s at commit %d (%s), key %d: %s, tag %v; the model has %s, tag %d", d.name, c.id, c.mode, k,
				storagetest.ToJSON(got[k]), tag, storagetest.ToJSON(r.values), r.tag)
		}
		if q, ok := r.values["quality_score"].(float64); ok {
			sum, n = sum+q, n+1
		}
		if x, ok := r.values["category"].(string); ok {
			categories[x]++
		}
	}
	for k := range got {
		if c.state[k] == nil {
			f.Errorf("%s at commit %d (%s), key %d: %s; the model has none", d.name, c.id, c.mode, k, storagetest.ToJSON(got[k]))
		}
	}
	if !f.Failed() {
		(&model{bench: f.bench, dataset: d.id, keyed: f.keyed}).checkSums(&c.change, sum, n, categories)
	}
}

// checkDiff compares the difference of two states of two members with the model's.
func (f *family) checkDiff(d *member, a *deed, e *member, b *deed, conn *duck.Conn) {
	f.Helper()
	if f.gone[a.id] || f.gone[b.id] {
		return
	}
	ctx := context.Background()
	want := countsOf(a.state, b.state)
	sa, err := f.Snapshot(ctx, d.id, strconv.FormatInt(a.id, 10))
	f.must(err)
	sb, err := f.Snapshot(ctx, e.id, strconv.FormatInt(b.id, 10))
	f.must(err)
	got, err := snapshot.Diff(sa, sb).Count(ctx, conn)
	f.must(err)
	if dropsColumn(sa, sb) || dropsColumn(sb, sa) {
		want.Modified = got.Modified // a column that is gone is a change of the schema, not of records
	}
	if got.Added != want.Added || got.Removed != want.Removed || got.Modified != want.Modified {
		f.Errorf("%s at %d to %s at %d: got +%d -%d ~%d, want +%d -%d ~%d", d.name, a.id, e.name, b.id, got.Added,
			got.Removed, got.Modified, want.Added, want.Removed, want.Modified)
	}
}

// madeTwice reports whether two snapshots have columns of one name and with different ids: both sides made it.
func madeTwice(a, b *snapshot.Snapshot) bool {
	for _, c := range a.Schema.Columns {
		if other, ok := b.Schema.ByName(c.Name); ok && other.ID != c.ID {
			return true
		}
	}
	return false
}

// finish checks every state of every member once more, comparisons of random pairs, and the whole store.
func (f *family) finish() {
	f.Helper()
	ctx := context.Background()
	conn, err := f.Conn(ctx)
	f.must(err)
	for _, d := range f.live() {
		f.checkMember(d)
		if len(f.gone) == 0 {
			f.checkRecordHistories(d.id)
		}
		for _, c := range d.log {
			f.checkState(d, c)
			other := f.some()
			if len(other.log) > 0 {
				f.checkDiff(d, c, other, other.log[f.rng.IntN(len(other.log))], conn)
			}
		}
	}
	conn.Close()
	f.Sound()
}

// Random fork families against the model: records, tags, actions that are missing, conflicts, savepoints, comparisons.
// ROWBACK_STEPS makes them longer, ROWBACK_SEED repeats one.
func TestFamilies(t *testing.T) {
	t.Parallel()
	steps, seeds := 30, []uint64{rand.Uint64()}
	if n, err := strconv.Atoi(os.Getenv("ROWBACK_STEPS")); err == nil {
		steps = n
	}
	if n, err := strconv.ParseUint(os.Getenv("ROWBACK_SEED"), 10, 64); err == nil {
		seeds = []uint64{n}
	}
	for _, seed := range seeds {
		for _, keyed := range []bool{true, false} {
			t.Run(fmt.Sprintf("seed %d keyed %v", seed, keyed), func(t *testing.T) { runFamily(t, seed, keyed, steps) })
		}
	}
}

func runFamily(t *testing.T, seed uint64, keyed bool, steps int) {
	f := &family{
		bench: reopen(t, t.TempDir(), storagetest.Eager), rng: rand.New(rand.NewPCG(seed, 0)),
		keyed: keyed, columnIDs: map[string]int{},
	}
	f.run(seed, steps)
}

func (f *family) run(seed uint64, steps int) {
	defer func() { f.Store.Close() }()
	f.create()
	if f.gone != nil {
		f.retain(f.members[0])
	}
	upkeep, erasing := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	for i := range steps {
		if d := f.members[upkeep.IntN(len(f.members))]; !d.deleted {
			f.MayCompact(upkeep, d.id)
		}
		f.mayErase(erasing)
		f.turn()
		if f.step(); f.Failed() {
			f.Fatalf("seed %d failed at step %d", seed, i)
		}
	}
	f.finish()
	f.loseCatalog()
	f.turn()
	f.finish()
	f.tell("%s", strings.Repeat("-", 20))
}

// loseCatalog opens the store again without its catalog. Of several servers, which share it, one is only opened again.
func (f *family) loseCatalog() {
	if f.fleet == nil {
		f.LoseCatalog()
		return
	}
	f.Store = f.fleet.reopen()
}
