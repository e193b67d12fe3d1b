package models

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// deed is one commit of a member, as the model keeps it. The tag of a row is 0 where the model can't know it.
type deed struct {
	change
	hash       string
	merge      int64             // the merge that played it; else 0
	previous   map[int64]*row    // the state before it; of a merge, before the first that it played
	columns    map[string]string // that the member had after it, with what they hold: number, text, or nothing yet
	name       string            // of the member, after it
	before     string            // its name before it
	source     string            // of a merge: the id of the dataset that it came from
	remembered []string          // of a merge: hashes that it skipped for good
	replaced   bool              // it, or what it played, overwrote or upserted
	files      bool              // it, or what it played, touched a row
	revertTo   int64             // the number of the savepoint that it reverted to; else -1
	retains    bool              // it changed what vacuum keeps
}

// member is one dataset of a fork family.
type member struct {
	id       string
	name     string
	upstream *member
	deleted  bool
	log      []*deed
	saves    []save

	forkCommit int64 // of a fork: the last commit that it inherited
}

// save is a savepoint.
type save struct {
	number int64
	commit int64
	at     int // how long the log was
}

// family is a fork family kept in maps, the slow and obvious way.
type family struct {
	*bench
	rng      *rand.Rand
	keyed    bool
	lastID   int64
	names    int
	members  []*member
	byColumn bool // how merges treat records that both sides changed
	overlap  bool // some merge played what the target had changed too: files may have been made anew

	gone map[int64]bool // commits whose states vacuum removed; nil: there is no vacuum

	columnIDs        map[string]int
	columnsMadeTwice bool // some two members had columns of one name with ids of their own
}

func (d *member) last() *deed {
	if len(d.log) == 0 {
		return &deed{change: change{state: map[int64]*row{}}, columns: map[string]string{}, name: d.name, revertTo: -1}
	}
	return d.log[len(d.log)-1]
}

func (d *member) head() map[int64]*row { return d.last().state }

func (d *member) index(id int64) int {
	return slices.IndexFunc(d.log, func(c *deed) bool { return c.id == id })
}

func (d *member) byID(id int64) *deed {
	if i := d.index(id); i >= 0 {
		return d.log[i]
	}
	return nil
}

func (d *member) has(hash string) bool {
	return slices.ContainsFunc(d.log, func(c *deed) bool { return c.hash == hash })
}

// undone reports whether a commit is undone: a rollback of it stands, or the merge that it came with is undone.
func (d *member) undone(c *deed) bool {
	if c.merge != 0 && d.undone(d.byID(c.merge)) {
		return true
	}
	return d.undoer(c) != nil
}

// undoer is the rollback of just this commit that stands.
func (d *member) undoer(c *deed) *deed {
	for _, r := range d.log {
		if r.mode == catalog.Rollback && r.parent == c.id && !d.undone(r) {
			return r
		}
	}
	return nil
}

// root is what a rollback undid, or undid the undoing of, in the end.
func (d *member) root(c *deed) *deed {
	for c.mode == catalog.Rollback && c.parent != 0 {
		c = d.byID(c.parent)
	}
	return c
}

// void are the commits that count as if they had never been, where the other is asked: what undone merges played that
// the other does not have, and the rollbacks of such merges.
func (d *member) void(other *member) map[int64]bool {
	out := map[int64]bool{}
	for _, c := range d.log {
		if m := d.byID(c.merge); m != nil && d.undone(m) && !other.has(m.hash) {
			out[c.id] = true
		}
		if root := d.root(c); c.mode == catalog.Rollback && root.mode == catalog.Merge && !other.has(root.hash) {
			out[c.id] = true
		}
	}
	return out
}

// before is the id of the commit that a commit was made on; of a merge, the first that it played was.
func (d *member) before(c *deed) int64 {
	i := d.index(c.id)
	for i > 0 && c.mode == catalog.Merge && d.log[i-1].merge == c.id {
		i--
	}
	if i == 0 {
		return 0
	}
	return d.log[i-1].id
}

// missing are the actions of d that another does not have, oldest first.
func (d *member) missing(other *member) (out []*deed) {
	mine, theirs := d.void(other), other.void(d)
	for _, c := range d.log {
		there := slices.ContainsFunc(other.log, func(o *deed) bool { return o.hash == c.hash && !theirs[o.id] })
		if !there && !mine[c.id] && c.mode != catalog.Merge && c.mode != catalog.Fork {
			out = append(out, c)
		}
	}
	return out
}

// cancel leaves out each commit that is there with the rollback that undoes it.
func (d *member) cancel(actions []*deed) (out []*deed) {
	gone := map[int64]bool{}
	for _, a := range actions {
		if r := d.undoer(a); r != nil && slices.Contains(actions, r) {
			gone[a.id], gone[r.id] = true, true
		}
	}
	return slices.DeleteFunc(slices.Clone(actions), func(a *deed) bool { return gone[a.id] })
}

// rememberedFrom are the hashes that standing merges from a dataset skipped for good.
func (d *member) rememberedFrom(source string) map[string]bool {
	out := map[string]bool{}
	for _, c := range d.log {
		if c.mode == catalog.Merge && c.source == source && !d.undone(c) {
			for _, h := range c.remembered {
				out[h] = true
			}
		}
	}
	return out
}

// savepoints are the numbers of the savepoints that are on the list, newest first.
func (d *member) savepoints() (out []int64) {
	for _, s := range slices.Backward(d.saves) {
		behind := func(c *deed) bool {
			return c.revertTo >= 0 && c.revertTo < s.number && d.index(c.id) >= s.at && !d.undone(c)
		}
		if !slices.ContainsFunc(d.log, behind) {
			out = append(out, s.number)
		}
	}
	return out
}

// add appends a commit to a member's log.
func (d *member) add(c catalog.Commit, added, displaced map[int64]*row) *deed {
	last := d.last()
	state := maps.Clone(last.state)
	for k := range displaced {
		delete(state, k)
	}
	maps.Copy(state, added)
	out := &deed{
		change: change{id: c.ID, mode: c.Mode, parent: c.ParentCommitID, added: added, displaced: displaced, state: state},
		hash:   c.Hash, previous: last.state, columns: last.columns, name: d.name, before: d.name, revertTo: -1,
		replaced: c.Mode == catalog.Overwrite || c.Mode == catalog.Upsert, files: len(added)+len(displaced) > 0,
	}
	d.log = append(d.log, out)
	return out
}

// forked is a copy of the log up to a commit, as it was then.
func (d *member) forked(commit int64) (out []*deed) {
	for _, c := range d.log {
		if c.id > commit {
			break
		}
		copied := *c
		if copied.merge > commit {
			copied.merge = 0
		}
		out = append(out, &copied)
	}
	return out
}

// replay is actions of a source being played on a target.
type replay struct {
	family         *family
	merge          storage.Merge
	source, target *member
	now            *member // the target, with what was played
	played         []*deed // of the source
	skipped        []*deed
	remembered     []string
	conflicts      []clash
	decided        int64 // conflicts of records that the request decided
	overlap        bool  // some key was not as the source found it
	unsure         bool  // whether the odd column is still there depends on files, which the model has none of
}

// clash is an action that can't be played, and how many records are in the way.
type clash struct {
	hash  string
	count int64
}

// replayed plays a merge in the model.
func (f *family) replayed(source, target *member, m storage.Merge) *replay {
	now := *target
	now.log = target.forked(1 << 60)
	p := &replay{family: f, merge: m, source: source, target: target, now: &now}
	for _, a := range p.chosen(m) {
		if !p.play(a) && !m.Autorollback && !m.DryRun {
			break
		}
	}
	return p
}

// chosen are the actions that a merge plays; it notes which are skipped.
func (p *replay) chosen(m storage.Merge) (out []*deed) {
	remembered := p.target.rememberedFrom(p.source.id)
	for _, a := range p.source.cancel(p.source.missing(p.target)) {
		switch {
		case p.source.root(a).mode == catalog.Edit: // what is said of a dataset stays where it was said
		case selects(m.Filter, a) && (m.Filter != nil || !remembered[a.hash]):
			out = append(out, a)
		default:
			p.skipped = append(p.skipped, a)
			if m.Filter != nil && m.Remember {
				p.remembered = append(p.remembered, a.hash)
			}
		}
	}
	return out
}

func selects(f *storage.MergeFilter, a *deed) bool {
	return f == nil || slices.Contains(f.Hashes, a.hash) || slices.Contains(f.Keys, "Dataset."+string(a.mode))
}

// play plays one action, unless it conflicts.
func (p *replay) play(a *deed) bool {
	p.unsure = p.unsure || p.columnsBefore(a)["odd"] != "" && p.columnsBefore(a)["odd"] != a.columns["odd"]
	columns, fit := p.columnsWith(a)
	if !fit {
		p.conflicts = append(p.conflicts, clash{a.hash, 0})
		return false
	}
	both := maps.Clone(columns)
	maps.DeleteFunc(both, func(name, holds string) bool { return !p.knows(a, name, holds) })
	added, displaced := map[int64]*row{}, map[int64]*row{}
	var conflicts, decided int64
	keys := touched(a)
	linked := !slices.ContainsFunc(keys, func(k int64) bool { return p.now.head()[k] != a.displaced[k] })
	p.overlap = p.overlap || !linked
	for _, k := range keys {
		before, after, now := a.displaced[k], a.added[k], p.now.head()[k]
		var next *row
		switch {
		case linked && before != nil && after != nil && reflect.DeepEqual(before.values, after.values):
			next = &row{key: k, values: after.values} // only the tag changed, or not: that depends on the files
		case linked:
			next = after
		case equalRows(now, after, both):
			next = now // both did the same
		case equalRows(now, before, both):
			next = overlaid(now, after, columns, both)
		case equalRows(before, after, both):
			next = now // the action did not change it
		default:
			c := contest{before: before, after: after, now: now, both: both}
			c.byValue = p.family.byColumn && now != nil && after != nil
			switch take := p.take(a, k); {
			case c.byValue && len(c.clashing()) == 0, c.settledBy(p.source.head()[k]):
				next = c.ours()
			case take == storage.Ours:
				next = c.ours()
				decided++
			case take == storage.Theirs:
				next = c.theirs(columns)
				decided++
			default:
				conflicts++
			}
		}
		if next == now {
			continue
		}
		if now != nil {
			displaced[k] = now
		}
		if next != nil {
			added[k] = next
		}
	}
	if conflicts > 0 {
		p.conflicts = append(p.conflicts, clash{a.hash, conflicts})
		return false
	}
	did := p.now.add(catalog.Commit{ID: -int64(len(p.played)) - 1, Mode: a.mode, Hash: a.hash}, added, displaced)
	did.columns = columns
	did.parent = p.parentOf(a)
	p.decided += decided
	p.played = append(p.played, a)
	return true
}

// parentOf is the target's own commit that a played rollback undoes.
func (p *replay) parentOf(a *deed) int64 {
	if a.mode != catalog.Rollback || a.parent == 0 {
		return 0
	}
	undone := p.source.byID(a.parent)
	own := p.now.log[:len(p.now.log)-1]
	i := slices.IndexFunc(own, func(c *deed) bool { return c.hash == undone.hash && !p.now.undone(c) })
	if i < 0 {
		return 0
	}
	return own[i].id
}

func touched(a *deed) []int64 {
	keys := maps.Clone(a.added)
	if keys == nil {
		keys = map[int64]*row{}
	}
	maps.Copy(keys, a.displaced)
	return slices.Sorted(maps.Keys(keys))
}

// columnsBefore are the columns that the source had before an action.
func (p *replay) columnsBefore(a *deed) map[string]string {
	if i := p.source.index(a.id); i > 0 {
		return p.source.log[i-1].columns
	}
	return nil
}

// knows reports whether the source has a column, and for the same values, before or after an action.
func (p *replay) knows(a *deed, column, holds string) bool {
	return alike(a.columns, column, holds) || alike(p.columnsBefore(a), column, holds)
}

func alike(columns map[string]string, column, holds string) bool {
	h, ok := columns[column]
	return ok && (h == holds || h == "" || holds == "")
}

// columnsWith are the columns of the target with those that an action brings: it adds them, or gives values in them.
// They do not fit where the target has one of the name for other values.
func (p *replay) columnsWith(a *deed) (out map[string]string, fit bool) {
	out, fit = maps.Clone(p.now.last().columns), true
	if out == nil {
		out = map[string]string{}
	}
	bring := func(name, holds string) {
		if _, there := out[name]; there && !alike(out, name, holds) {
			fit = false
		} else if out[name] == "" {
			out[name] = holds
		}
	}
	before := p.columnsBefore(a)
	for name, holds := range a.columns {
		if was, ok := before[name]; !ok || was != holds {
			bring(name, holds)
		}
	}
	for k, r := range a.added {
		for name, value := range r.values {
			if was := a.displaced[k]; was == nil || !reflect.DeepEqual(was.values[name], value) {
				bring(name, holdsOf(value))
			}
		}
	}
	return out, fit
}

// holdsOf is what a column with a value holds.
func holdsOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case float64:
		return "number"
	}
	return "object"
}

// equalRows reports whether two records are the same in some columns; no record is only like no record.
func equalRows(a, b *row, columns map[string]string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(only(a.values, columns), only(b.values, columns))
}

func only(values map[string]any, columns map[string]string) map[string]any {
	out := maps.Clone(values)
	maps.DeleteFunc(out, func(name string, _ any) bool { _, ok := columns[name]; return !ok })
	return out
}

// overlaid is the record as the action left it, with the values of the columns that only the target has.
func overlaid(now, after *row, columns, both map[string]string) *row {
	if after == nil {
		return nil
	}
	out := &row{key: after.key, tag: after.tag, values: map[string]any{}}
	for name, v := range after.values {
		if _, ok := columns[name]; ok {
			out.values[name] = v
		}
	}
	if now != nil {
		for name, v := range now.values {
			if _, ok := both[name]; !ok {
				out.values[name] = v
			}
		}
	}
	return out
}
