package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// row is a record of the model: its key, its score and category as SQL, and where it is stored.
type row struct {
	id              int
	score, category string
	commit          int64
	place           Place
}

// history is a dataset of real files that were written by random commits, and a plain model of it.
type history struct {
	*testing.T
	*rand.Rand
	conn *duck.Conn
	dir  string

	rows      map[int64][]row               // of each data file
	displaced map[int64]map[Place]bool      // by each rollback file
	states    [][]*catalog.File             // files that are live after each commit
	schemas   map[string]schema.Schema      // that files were written with
	measuring map[string]catalog.Properties // of the state that wrote files of a schema
	last      int64
}

// The schema of the first files, and the one since: a column was renamed and widened, and one added.
var (
	firstSchema = schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 1, Name: "id", Type: schema.Of(schema.Integer)}, {ID: 2, Name: "old score", Type: schema.Of(schema.Integer)},
	}}
	laterSchema = schema.Schema{Key: []int{1}, Columns: []schema.Column{
		{ID: 1, Name: "id", Type: schema.Of(schema.Bigint)}, {ID: 2, Name: "quality_score", Type: schema.Of(schema.Double)},
		{ID: 3, Name: "category", Type: schema.Of(schema.Varchar)},
	}}
)

// newHistory makes a dataset with a number of random commits. Scores are multiples of 1/8: their sums are exact.
func newHistory(t *testing.T, commits int) *history {
	seed := rand.Uint64()
	t.Log("seed", seed)
	h := &history{
		T: t, Rand: rand.New(rand.NewPCG(seed, 0)), conn: ducktest.Conn(t), dir: t.TempDir(),
		rows: map[int64][]row{}, displaced: map[int64]map[Place]bool{}, states: [][]*catalog.File{nil},
		schemas:   map[string]schema.Schema{"first": firstSchema, "later": laterSchema},
		measuring: map[string]catalog.Properties{"first": {QualityColumn: "old score"}},
	}
	for commit := 1; commit <= commits; commit++ {
		before := h.states[commit-1]
		if commit > 2 && h.IntN(2) == 0 { // what came since is undone, as in a restore, or it is a fork
			before = h.states[1+h.IntN(commit-1)]
		}
		h.states = append(h.states, slices.Concat(before, h.upsert(int64(commit), before)))
	}
	return h
}

// upsert displaces some live rows, and writes others with some of their keys and with new ones.
func (h *history) upsert(commit int64, before []*catalog.File) (opened []*catalog.File) {
	written := "first"
	if commit > 2 {
		written = "later"
	}
	var ids []int
	moved := map[Place]bool{}
	var displaced []row
	for _, r := range h.live(before) {
		if h.IntN(3) == 0 {
			moved[r.place], displaced = true, append(displaced, r)
			if h.IntN(3) > 0 {
				ids = append(ids, r.id)
			}
		}
	}
	for i := range 1 + h.IntN(8) {
		ids = append(ids, int(commit)*100+i)
	}
	data := h.file(schema.Data, written, commit)
	for i, id := range ids {
		r := row{id: id, commit: commit, place: Place{data.ID, int64(i)}, score: fmt.Sprint(h.IntN(3)), category: "NULL"}
		if written == "later" {
			r.score = []string{"NULL", "'nan'", "0.125", "1", "0.5"}[h.IntN(5)]
			r.category = []string{"NULL", "'a'", "'b'", "''", "'ü'"}[h.IntN(5)]
		}
		h.rows[data.ID] = append(h.rows[data.ID], r)
	}
	h.write(data, h.rows[data.ID])
	if opened = append(opened, data); len(displaced) > 0 {
		rollback := h.file(schema.Rollback, written, commit)
		h.displaced[rollback.ID] = moved
		h.write(rollback, displaced)
		opened = append(opened, rollback)
	}
	return opened
}

func (h *history) file(kind schema.Kind, written string, commit int64) *catalog.File {
	h.last++
	return &catalog.File{ID: h.last, Kind: kind, SchemaID: written, CommitID: commit}
}

func (h *history) path(f *catalog.File) string {
	return filepath.Join(h.dir, fmt.Sprint(f.ID, ".parquet"))
}

// write writes a file with rows in the schema of the file, and measures it.
func (h *history) write(f *catalog.File, rows []row) {
	h.Helper()
	s := h.schemas[f.SchemaID]
	var values []string
	for _, r := range rows {
		list := []string{fmt.Sprint(r.id), r.score, r.category}[:len(s.Columns)]
		for i, c := range s.Columns {
			list[i] = "CAST(" + list[i] + " AS " + c.Type.SQL() + ")"
		}
		values = append(values, fmt.Sprintf("(%s, %s, %s, %s)", strings.Join(list, ", "), duck.Int(r.commit),
			duck.Int(r.place.File), duck.Int(r.place.Row)))
	}
	names := ""
	for _, c := range s.Columns {
		names += duck.Ident(c.Name) + ", "
	}
	places := ""
	if f.Kind == schema.Data {
		places = " EXCLUDE (_file, _pos)"
	}
	query := fmt.Sprintf("COPY (SELECT *%s FROM (VALUES %s) t(%s_commit, _file, _pos)) TO %s (FORMAT parquet)", places,
		strings.Join(values, ", "), names, duck.Text(h.path(f)))
	if _, err := h.conn.Exec(h.Context(), query); err != nil {
		h.Fatal(err)
	}
	f.Rows = int64(len(rows))
	state := State{Schema: s, Properties: h.measuring[f.SchemaID]}
	if err := state.Measure(h.Context(), h.conn, f, h.path(f)); err != nil {
		h.Fatal(err)
	}
}

// live returns the rows of the model that are live where some files are.
func (h *history) live(files []*catalog.File) (out []row) {
	for _, f := range files {
		for _, r := range h.rows[f.ID] {
			if !slices.ContainsFunc(files, func(g *catalog.File) bool { return h.displaced[g.ID][r.place] }) {
				out = append(out, r)
			}
		}
	}
	return out
}

// at returns the snapshot after a commit, with the schema of now.
func (h *history) at(commit int) *Snapshot {
	s := New(State{Schema: laterSchema}, h.path)
	files := h.states[commit]
	s.Data, s.Rollbacks, s.Schemas = OfKind(files, schema.Data), OfKind(files, schema.Rollback), h.schemas
	return s
}

// fullest returns the snapshot with the most files.
func (h *history) fullest() *Snapshot {
	best := 0
	for commit, files := range h.states {
		if len(files) > len(h.states[best]) {
			best = commit
		}
	}
	return h.at(best)
}

// selected runs a query with the columns c1, c2, c3, _commit and perhaps the place, and returns its rows, sorted.
func (h *history) selected(query string, place bool) []string {
	h.Helper()
	text := "c1 || ' ' || coalesce(CAST(c2 AS VARCHAR), 'NULL') || ' ' || " +
		"coalesce('''' || c3 || '''', 'NULL') || ' ' || _commit"
	if place {
		text += " || ' ' || _file || ':' || _pos"
	}
	return h.texts("SELECT " + text + " FROM (" + query + ") ORDER BY 1")
}

func (h *history) texts(query string) (list []string) {
	h.Helper()
	if err := h.conn.Rows(h.Context(), query, func(scan duck.Scan) error {
		var text string
		err := scan(&text)
		list = append(list, text)
		return err
	}); err != nil {
		h.Fatal(err)
	}
	return list
}

// text returns a row of the model as selected does.
func (r row) text(place bool) string {
	score := map[string]string{"0": "0.0", "1": "1.0", "2": "2.0", "'nan'": "nan"}[r.score]
	out := fmt.Sprint(r.id, " ", cmp.Or(score, r.score), " ", r.category, " ", r.commit)
	if place {
		out += fmt.Sprint(" ", r.place.File, ":", r.place.Row)
	}
	return out
}

func textsOf(rows []row, place bool) (list []string) {
	for _, r := range rows {
		list = append(list, r.text(place))
	}
	slices.Sort(list)
	return list
}

// The rows of every state are those of the model, each where it is stored, in whatever schema its file has, and however
// files are grouped into scans.
func TestRowsOfRandomHistories(t *testing.T) {
	h := newHistory(t, 9)
	for commit := range h.states {
		s := h.at(commit)
		want := textsOf(h.live(h.states[commit]), true)
		if got := h.selected(s.Rows(true), true); !slices.Equal(got, want) {
			t.Errorf("commit %d:\n%q\nnot\n%q", commit, got, want)
		}
		plain := textsOf(h.live(h.states[commit]), false)
		if got := h.selected(s.Records(false), false); !slices.Equal(got, plain) {
			t.Errorf("commit %d without places:\n%q\nnot\n%q", commit, got, plain)
		}
		for _, f := range s.Data { // large files are scanned by themselves
			f.Rows += smallFile
		}
		if got := h.selected(s.Rows(true), true); !slices.Equal(got, want) {
			t.Errorf("commit %d, of large files:\n%q\nnot\n%q", commit, got, want)
		}
		for _, f := range s.Data {
			f.Rows -= smallFile
		}
	}
}

// keyed returns rows by key.
func keyed(rows []row) map[int]row {
	out := map[int]row{}
	for _, r := range rows {
		out[r.id] = r
	}
	return out
}

// minus returns the rows whose places others do not have.
func minus(rows, others []row) (out []row) {
	places := map[Place]bool{}
	for _, r := range others {
		places[r.place] = true
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return places[r.place] })
}

// The difference of any two states has the rows that only one of them has, and its counts are those of comparing the
// records of the model key by key.
func TestDifferencesOfRandomHistories(t *testing.T) {
	h := newHistory(t, 6)
	for i := range h.states {
		for j := range h.states {
			a, b := h.live(h.states[i]), h.live(h.states[j])
			d := Diff(h.at(i), h.at(j))
			what := fmt.Sprintf("from %d to %d", i, j)
			onlyA, onlyB := minus(a, b), minus(b, a)
			if got := h.selected(d.SideA(), false); !slices.Equal(got, textsOf(onlyA, false)) {
				t.Errorf("%s: only in A %q, not %q", what, got, textsOf(onlyA, false))
			}
			if got := h.selected(d.SideB(), false); !slices.Equal(got, textsOf(onlyB, false)) {
				t.Errorf("%s: only in B %q, not %q", what, got, textsOf(onlyB, false))
			}
			if d.Empty() && len(onlyA)+len(onlyB) > 0 {
				t.Errorf("%s: it seems to be empty", what)
			}
			got, err := d.Count(h.Context(), h.conn)
			if want := countsOf(a, b); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %+v, not %+v (%v)", what, got, want, err)
			}
		}
	}
}

// countsOf compares the records of the model.
func countsOf(a, b []row) Counts {
	out := Counts{Columns: map[string]int64{}}
	before, after := keyed(a), keyed(b)
	for id, r := range after {
		old, ok := before[id]
		switch {
		case !ok:
			out.Added++
		case old.score != r.score || old.category != r.category:
			out.Modified++
			if old.score != r.score {
				out.Columns["quality_score"]++
			}
			if old.category != r.category {
				out.Columns["category"]++
			}
		}
	}
	for id := range before {
		if _, ok := after[id]; !ok {
			out.Removed++
		}
	}
	return out
}

// Averages and counts are the same from the statistics of the files and from their rows, and are those of the model.
func TestStatisticsOfRandomHistories(t *testing.T) {
	h := newHistory(t, 8)
	scores := map[string]float64{"0": 0, "1": 1, "2": 2, "0.125": 0.125, "0.5": 0.5}
	for commit := range h.states {
		var sum float64
		n, share, counts := 0, true, map[string]int64{}
		sums, ns := map[string]float64{}, map[string]float64{}
		for _, r := range h.live(h.states[commit]) {
			category := strings.Trim(r.category, "'")
			if r.category != "NULL" {
				counts[category]++
			}
			if x, finite := scores[r.score]; finite {
				sum, n, share = sum+x, n+1, share && x <= 1
				if r.category != "NULL" {
					sums[category], ns[category] = sums[category]+x, ns[category]+1
				}
			}
		}
		averages := map[string]float64{}
		for category := range sums {
			averages[category] = sums[category] / ns[category]
		}
		for _, s := range []*Snapshot{h.at(commit), unmeasured(h.at(commit))} {
			q, ok, err := s.Quality(h.Context(), h.conn)
			if want := (Quality{sum / float64(max(n, 1)), share}); err != nil || ok != (n > 0) || ok && q != want {
				t.Errorf("commit %d: quality %+v (%v), not %+v (%v)", commit, q, ok, want, err)
			}
			got, _, err := s.Categories(h.Context(), h.conn)
			if err != nil || !maps.Equal(got, counts) {
				t.Errorf("commit %d: categories %v, not %v (%v)", commit, got, counts, err)
			}
			each, err := s.CategoryQuality(h.Context(), h.conn)
			if err != nil || !maps.Equal(each, averages) {
				t.Errorf("commit %d: quality by category %v, not %v (%v)", commit, each, averages, err)
			}
		}
	}
}

// unmeasured returns the snapshot with files that have no statistics, as those of older programs.
func unmeasured(s *Snapshot) *Snapshot {
	strip := func(files []*catalog.File) (out []*catalog.File) {
		for _, f := range files {
			plain := *f
			plain.Stats = nil
			out = append(out, &plain)
		}
		return out
	}
	out := *s
	out.Data, out.Rollbacks = strip(s.Data), strip(s.Rollbacks)
	return &out
}

// A record's rows are found in all files that have it, live or not, and in no file that can't have it.
func TestRecordsAreFoundByKey(t *testing.T) {
	h := newHistory(t, 7)
	s := h.fullest()
	ids := map[int]bool{12345: true}
	for _, f := range s.Data {
		for _, r := range h.rows[f.ID] {
			ids[r.id] = true
		}
	}
	for id := range ids {
		key := RecordKey{
			Columns: s.Schema.KeyColumns(), Values: []string{duck.Int(int64(id))},
			Bounds: &catalog.Bounds{Least: fmt.Sprint(id), Greatest: fmt.Sprint(id)},
		}
		var want, moved []string
		for _, f := range s.Data {
			for _, r := range h.rows[f.ID] {
				if r.id != id {
					continue
				}
				if want = append(want, fmt.Sprint(f.ID, ":", r.place.Row)); !key.MayBeIn(f, s.SchemaOf(f)) {
					t.Errorf("file %d has record %d, and is left out by its bounds", f.ID, id)
				}
				for _, by := range s.Rollbacks {
					if h.displaced[by.ID][r.place] {
						moved = append(moved, fmt.Sprint(by.ID, " ", r.place.File, ":", r.place.Row))
					}
				}
			}
		}
		slices.Sort(want)
		slices.Sort(moved)
		if got := h.texts("SELECT _file || ':' || _pos FROM (" + s.Located(key) + ") ORDER BY 1"); !slices.Equal(got, want) {
			t.Errorf("record %d is at %v, not %v", id, got, want)
		}
		if len(s.Rollbacks) == 0 {
			continue
		}
		found := h.texts("SELECT _rollback || ' ' || _file || ':' || _pos FROM (" + s.Displaced(key) + ") ORDER BY 1")
		if !slices.Equal(found, moved) {
			t.Errorf("record %d is displaced by %v, not %v", id, found, moved)
		}
	}
}

// Steps of a record are read with its values before and after, and nulls where it was not there.
func TestStepsOfARecord(t *testing.T) {
	h := newHistory(t, 5)
	s := h.fullest()
	first := h.rows[s.Data[0].ID][0]
	key := RecordKey{Columns: s.Schema.KeyColumns(), Values: []string{duck.Int(int64(first.id))}}
	steps := Steps{A: s, B: s, Schema: s.Schema, Key: key, List: []Step{
		{Before: nil, After: &first.place}, {Before: &first.place, After: nil}, {Before: nil, After: nil},
	}}
	score := "coalesce(CAST(a2 AS VARCHAR), '-') || ' ' || coalesce(CAST(b2 AS VARCHAR), '-')"
	got := h.texts("SELECT n || ': ' || " + score + " FROM (" + steps.Joined(s.Schema.Columns) + ") ORDER BY n")
	value := strings.Fields(first.text(false))[1]
	if want := []string{"0: - " + value, "1: " + value + " -", "2: - -"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

// Every value of a column is read from all files, displaced or not; files without the column have none.
func TestEveryValue(t *testing.T) {
	h := newHistory(t, 6)
	s := h.fullest()
	category, _ := s.Schema.ByName("category")
	want := map[string]bool{}
	for _, f := range s.Data {
		for _, r := range h.rows[f.ID] {
			if r.category != "NULL" {
				want[strings.Trim(r.category, "'")] = true
			}
		}
	}
	query := "SELECT DISTINCT c3 FROM (" + s.EveryValue(category) + ") WHERE c3 IS NOT NULL ORDER BY 1"
	if got := h.texts(query); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("%q, not %v", got, want)
	}
	number := category // a value that the type can't have is null, not an error
	number.Type = schema.Of(schema.Integer)
	var n int64
	query = "SELECT count(*) FROM (" + s.EveryValue(number) + ") WHERE c3 IS NOT NULL"
	if err := h.conn.Row(context.Background(), query, &n); err != nil || n != 0 {
		t.Errorf("%d values of another type, %v", n, err)
	}
}

// The order in which floating-point numbers are summed hardly matters.
func TestSumsKeepSmallNumbers(t *testing.T) {
	for _, numbers := range [][]float64{
		{1e16, 1, -1e16}, {1, 1e16, -1e16}, {1, 1e100, 1, -1e100, -1}, {math.MaxFloat64, 1, -math.MaxFloat64}, {1},
	} {
		var sum kahan
		for _, x := range numbers {
			sum.add(x)
		}
		if sum.total() != 1 {
			t.Errorf("%v sum up to %v", numbers, sum.total())
		}
	}
}
