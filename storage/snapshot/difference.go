package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
)

// Difference is what two snapshots do not share (design, section 5). Files and displaced positions that both have
// cancel out unread. Side A has the rows live only in A, side B those live only in B; a modified record is in both,
// with its old row and its new one.
type Difference struct {
	A, B *Snapshot
	// Schema has the columns that are compared: those of both snapshots, and those that one of them does not have yet.
	// Dropping a column is a change of the schema, not of records.
	Schema schema.Schema

	sides   [2]side
	watched map[int]bool // ids of the columns of which one must differ in a modified record; nil: any
}

// side is the part of one snapshot that has to be read.
type side struct {
	own       *Snapshot       // with the data files that only this snapshot has, and their displaced positions
	common    schema.Schema   // the compared columns in their common types
	displaced []*catalog.File // rollback files that only the other has, whose rows are live here
	targets   map[int64]bool  // files live in both, in which those rows are
	also      []*catalog.File // rollback files that only this snapshot has, with positions in the same files
	inPlace   []*catalog.File // as displaced, but the rows are read where they lie (in_place.go)
	shared    []*catalog.File // the files with the ids in targets
}

// Diff returns the difference of two snapshots of one dataset or fork family. Columns with the same definition that
// were added on both sides, with different ids, are treated as one, as in merges.
func Diff(a, b *Snapshot) *Difference {
	if ids := madeAlike(a.Schema, b.Schema); len(ids) > 0 {
		a = a.Renumbered(ids)
	}
	d := &Difference{A: a, B: b, Schema: CommonSchema(a.Schema, b.Schema)}
	d.sides = [2]side{onlyIn(a, b, d.Schema), onlyIn(b, a, d.Schema)}
	return d
}

// madeAlike finds the columns of a that b never had but added under the same definition. It maps their ids in a to
// those in b.
func madeAlike(a, b schema.Schema) map[int]int {
	out := map[int]int{}
	names, _ := b.Names()
	for _, c := range a.Columns {
		d, ok := names[schema.Fold(c.Name)]
		if _, known := b.ByID(c.ID); !ok || known || b.Gone(c.ID) {
			continue
		}
		if _, known := a.ByID(d.ID); !known && !a.Gone(d.ID) && schema.SameDefinition(c, d, false) {
			out[c.ID] = d.ID
		}
	}
	return out
}

// Renumbered returns the snapshot with some ids of columns replaced, in its schema and in those of its files.
func (s *Snapshot) Renumbered(ids map[int]int) *Snapshot {
	out := *s
	out.Schema = s.Schema.Renumbered(ids)
	out.Schemas = map[string]schema.Schema{}
	for id, fs := range s.Schemas {
		out.Schemas[id] = fs.Renumbered(ids)
	}
	return &out
}

// CommonSchema returns the columns of a and b, in types for the values of both. It leaves out derived columns, which
// follow from the others, and columns that either side dropped.
func CommonSchema(a, b schema.Schema) schema.Schema {
	out, done := schema.Schema{Key: b.Key}, map[int]bool{}
	for _, c := range slices.Concat(b.Columns, a.Columns) {
		if done[c.ID] || c.Derived() || slices.Contains(a.Dropped, c.ID) || slices.Contains(b.Dropped, c.ID) {
			continue
		}
		if other, ok := a.ByID(c.ID); ok {
			typ, ok := schema.Widen(other.Type, c.Type)
			if !ok {
				typ = schema.Of(schema.Varchar)
			}
			c.Type = typ
		}
		done[c.ID] = true
		out.Columns = append(out.Columns, c)
	}
	return out
}

// seenIn returns the common columns, each as one side has it if it does.
func seenIn(common, side schema.Schema) schema.Schema {
	seen := common
	seen.Columns = slices.Clone(common.Columns)
	for i, c := range common.Columns {
		if own, ok := side.ByID(c.ID); ok {
			seen.Columns[i] = own
		}
	}
	return seen
}

// Narrow returns the difference restricted to some columns and the key. It has the same rows.
func (d *Difference) Narrow(columns []schema.Column) *Difference {
	part := *d
	part.Schema = narrowed(d.Schema, columns)
	for i, s := range d.sides {
		own := *s.own
		own.Schema = seenIn(part.Schema, s.own.Schema)
		s.own, s.common = &own, part.Schema
		part.sides[i] = s
	}
	return &part
}

// onlyIn returns the side of s against another snapshot.
func onlyIn(s, other *Snapshot, common schema.Schema) side {
	own := *s
	own.Schema = seenIn(common, s.Schema)
	own.Data = Without(s.Data, other.Data)
	out := side{own: &own, common: common, displaced: Without(other.Rollbacks, s.Rollbacks)}
	shared := sharedTargets(s.Data, own.Data, out.displaced)
	out.displaced = filter(out.displaced, func(r *catalog.File) bool { return TargetsAny(r, shared) })
	out.displaced, out.inPlace = s.copiesFor(own.Schema, out.displaced, other)
	out.targets = map[int64]bool{}
	for _, r := range slices.Concat(out.displaced, out.inPlace) {
		for target := range r.Targets {
			if shared[target] {
				out.targets[target] = true
			}
		}
	}
	out.shared = find(s.Data, out.targets)
	out.also = filter(Without(s.Rollbacks, other.Rollbacks), func(r *catalog.File) bool {
		return TargetsAny(r, out.targets)
	})
	return out
}

// sharedTargets returns the files of a snapshot in which rollback files have positions, without those that only it has.
func sharedTargets(files, own, rollbacks []*catalog.File) map[int64]bool {
	out, targets := map[int64]bool{}, map[int64]bool{}
	for _, r := range rollbacks {
		for target := range r.Targets {
			targets[target] = true
		}
	}
	for _, f := range find(files, targets) {
		out[f.ID] = true
	}
	for _, f := range own {
		delete(out, f.ID)
	}
	return out
}

// TargetsAny reports whether a rollback file has positions in one of the files.
func TargetsAny(r *catalog.File, files map[int64]bool) bool {
	for target := range r.Targets {
		if files[target] {
			return true
		}
	}
	return false
}

// Empty reports whether the two snapshots have the same rows.
func (d *Difference) Empty() bool { return d.sides[0].empty() && d.sides[1].empty() }

func (s side) empty() bool { return len(s.own.Data)+len(s.displaced)+len(s.inPlace) == 0 }

// Files returns the files that reading the difference opens, which is what it costs.
func (d *Difference) Files() []*catalog.File {
	var out []*catalog.File
	for _, s := range d.sides {
		displacers := s.own.displacers()
		for _, f := range s.own.Data {
			if !isGone(f, displacers[f.ID]) {
				out = append(append(out, f), displacers[f.ID]...)
			}
		}
		out = append(append(out, s.displaced...), s.also...)
		out = append(out, s.opensInPlace()...)
	}
	slices.SortFunc(out, byID)
	return slices.CompactFunc(out, func(f, g *catalog.File) bool { return f.ID == g.ID })
}

// Opens returns what statements on the difference open: Files, or compacted ones in their place.
func (d *Difference) Opens() (files []*catalog.File) {
	for _, s := range d.sides {
		files = append(files, s.own.Opens()...)
		for _, group := range BySchema(s.displaced) {
			files = append(files, filesOf(s.own.rollbackParts(group))...)
		}
		files = append(files, filesOf(s.own.positionParts(s.also))...)
		files = append(files, s.opensInPlace()...)
	}
	return distinct(files)
}

// Paths returns the paths of what statements on the difference open.
func (d *Difference) Paths() []string { return d.A.pathsOf(d.Opens()) }

// SideA returns the SQL of the rows that are live only in A: the columns of Schema by field id, then _commit.
func (d *Difference) SideA() string { return d.sides[0].rows(d.B, plainColumns) }

// SideB returns the SQL of the rows that are live only in B.
func (d *Difference) SideB() string { return d.sides[1].rows(d.A, plainColumns) }

// columnNames is how the columns of a side are named, and what is selected before them. Columns are read, cast and
// named in a single SELECT: DuckDB keeps a block of 2,048 rows of every column for each nested one, and planning takes
// longer too.
type columnNames struct{ before, prefix, commit string }

var plainColumns = columnNames{prefix: "c", commit: schema.CommitColumn}

// rows is the SQL of the rows of this side that the other does not share.
func (s side) rows(other *Snapshot, names columnNames) string {
	parts := s.own.scans(false, func(fs schema.Schema) string { return s.list(fs, names) })
	for _, group := range BySchema(s.displaced) {
		parts = append(parts, s.displacedRows(group, s.list(other.SchemaOf(group[0]), names))...)
	}
	for _, r := range s.inPlace {
		parts = append(parts, s.rowsInPlace(r, names)...)
	}
	if len(parts) == 0 {
		parts = append(parts, "SELECT "+s.noValues(names)+" WHERE false")
	}
	return strings.Join(parts, "\nUNION ALL ")
}

// list returns the select list of the compared columns, in their common types, for files of a schema.
func (s side) list(fs schema.Schema, names columnNames) string {
	return s.values(names, "_commit", func(c schema.Column) string {
		own, _ := s.own.Schema.ByID(c.ID)
		return Cast(own.Type, c.Type, FromFile(fs, own))
	})
}

// noValues is the SQL of a side without rows, which still has the columns.
func (s side) noValues(names columnNames) string {
	return s.values(names, "CAST(NULL AS BIGINT)", func(c schema.Column) string {
		return "CAST(NULL AS " + c.Type.SQL() + ")"
	})
}

func (s side) values(names columnNames, commit string, value func(schema.Column) string) string {
	var parts []string
	for _, c := range s.common.Stored() {
		parts = append(parts, fmt.Sprintf("%s AS %s%d", value(c), names.prefix, c.ID))
	}
	return names.before + strings.Join(append(parts, commit+" AS "+names.commit), ", ")
}

// displacedRows returns the SQL of rows that only the other snapshot displaced, which are read from its rollback files:
// one part for each scan.
func (s side) displacedRows(files []*catalog.File, list string) (scans []string) {
	where := "true"
	if slices.ContainsFunc(files, s.hasOthers) {
		where = duck.Fill(inTargets, duck.Parts{"files": duck.Ints(slices.Sorted(maps.Keys(s.targets)))})
	}
	var whole []*catalog.File
	for _, p := range s.own.rollbackParts(files) {
		if p.isWhole() {
			whole = append(whole, p.File)
			continue
		}
		some := where + " AND " + p.condition("r."+schema.EndColumn)
		scans = append(scans, s.displacedIn([]*catalog.File{p.File}, list, some))
	}
	if len(whole) > 0 {
		scans = append(scans, s.displacedIn(whole, list, where))
	}
	return scans
}

// displacedIn returns the SQL of one scan of rollback files.
func (s side) displacedIn(files []*catalog.File, list, where string) string {
	but := ""
	if len(s.also) > 0 {
		but = duck.Fill(butDisplaced, duck.Parts{"positions": s.own.positions(s.own.positionParts(s.also), 0)})
	}
	return duck.Fill(readDisplaced, duck.Parts{
		"columns": list, "rollbacks": s.own.ReadFiles(files), "but": but, "where": where,
	})
}

// hasOthers reports whether a rollback file has positions in other files than those that both snapshots have.
func (s side) hasOthers(r *catalog.File) bool {
	for target := range r.Targets {
		if !s.targets[target] {
			return true
		}
	}
	return false
}

// The rows of rollback files; but those that this snapshot displaced as well; and of some files only, where the
// rollback files hold rows of others too.
const (
	readDisplaced = `SELECT {columns} FROM {rollbacks} r {but} WHERE {where}`
	butDisplaced  = `ANTI JOIN ({positions}) d ON r._file = d._file AND r._pos = d._pos`
	inTargets     = `list_contains({files}, r._file)`
)

// Joined returns the SQL of both sides joined on the key: the columns of A as a<id>, those of B as b<id>, and in_a and
// in_b, which are true or null. It includes records that are equal on both sides.
func (d *Difference) Joined() string {
	return duck.Fill(joinSides, duck.Parts{
		"side_a":   d.sides[0].rows(d.B, columnNames{"true AS in_a, ", "a", "a_commit"}),
		"side_b":   d.sides[1].rows(d.A, columnNames{"true AS in_b, ", "b", "b_commit"}),
		"same_key": d.sameKey(),
	})
}

const joinSides = `SELECT * FROM ({side_a}) a FULL JOIN ({side_b}) b ON {same_key}`

// Differs returns the SQL of a condition on a joined row: that the two sides differ in some column.
func (d *Difference) Differs() string {
	conditions := []string{"false"}
	for _, c := range d.compared() {
		if d.watched != nil && !d.watched[c.ID] {
			continue
		}
		conditions = append(conditions, differsIn(c))
	}
	return "(" + strings.Join(conditions, " OR ") + ")"
}
