package compare_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/rowback/rowback/compare"
	"github.com/rowback/rowback/fixtures"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/snapshot"
)

type bench struct {
	*testing.T
	*storage.Store
}

func open(t *testing.T) *bench {
	t.Helper()
	s, err := storage.Open(context.Background(), t.TempDir(), storage.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &bench{t, s}
}

func (b *bench) commit(dataset string, mode catalog.Mode, body string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		b.Fatal(err)
	}
	c, err := b.Commit(context.Background(), dataset,
		storage.Change{Mode: mode, Upload: intake.Upload{Format: intake.JSON, Path: path, Size: int64(len(body))}})
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(c.ID)
}

func (b *bench) create(n storage.NewDataset) string {
	b.Helper()
	n.ProjectID = 1
	made, err := b.CreateDataset(context.Background(), n, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return made.Dataset.ID
}

func (b *bench) edit(dataset string, e storage.Edit) string {
	b.Helper()
	c, err := b.EditDataset(context.Background(), dataset, e, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(c.ID)
}

func (b *bench) pair(dataset, from, to string) (a, z *snapshot.Snapshot) {
	b.Helper()
	ctx := context.Background()
	a, err := b.Snapshot(ctx, dataset, from)
	if err != nil {
		b.Fatal(err)
	}
	z, err = b.Snapshot(ctx, dataset, to)
	if err != nil {
		b.Fatal(err)
	}
	return a, z
}

func (b *bench) summary(dataset, from, to string) compare.Summary {
	b.Helper()
	ctx := context.Background()
	conn, err := b.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	a, z := b.pair(dataset, from, to)
	s, err := compare.Summarize(ctx, conn, a, z)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// diff returns the row diff as NDJSON lines.
func (b *bench) diff(dataset, from, to string, changes ...string) string {
	b.Helper()
	ctx := context.Background()
	conn, err := b.Conn(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	a, z := b.pair(dataset, from, to)
	sql, columns, err := snapshot.Diff(a, z).Records(changes...)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := output.Write(ctx, conn, output.Query{SQL: sql, Columns: columns}, intake.NDJSON, &out,
		b.Scratch("out")); err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// The comparison and the summary of seed 000, to the letter, from its dataset.
func TestTheDocumentsComparison(t *testing.T) {
	b := open(t)
	if err := fixtures.Demo(context.Background(), b.Store); err != nil {
		t.Fatal(err)
	}
	d, err := b.FindDataset(context.Background(), 1, "my_dataset")
	if err != nil {
		t.Fatal(err)
	}
	s := b.summary(d.ID, "1.0.0", "1.0.1")
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	const document = `{"entries_added": 50, "entries_removed": 0, "entries_modified": 25,
		"total_entries_v1": 1000, "total_entries_v2": 1050,
		"quality_score_change": 0.05, "categories_added": ["cardiology"], "categories_removed": [],
		"metadata_changes": {"generation_parameters": "updated", "model_version": "improved"}}`
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(document), &want); err != nil {
		t.Fatal(err)
	}
	for k, v := range want {
		if !reflect.DeepEqual(got[k], v) {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
	}
	if got := s.Sentence("1.0.1"); got != "Version 1.0.1 added 50 entries and improved quality score by 5%" {
		t.Error(got)
	}
	if in := s.Insights(""); *in.GrowthRate != 0.05 || in.QualityTrend != "improving" || in.VersionType != "minor" ||
		in.CategoryEvolution.Changes["cardiology"] != 50 {
		t.Errorf("%+v", in)
	}
	if back := b.summary(d.ID, "1.0.1", "1.0.0"); back.EntriesRemoved != 50 || back.EntriesModified != 25 ||
		*back.QualityScoreChange != -0.05 || len(back.CategoriesRemoved) != 1 {
		t.Errorf("the mirror: %+v", back)
	}
}

func by(x float64) *float64 { return &x }

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		s    compare.Comparison
		want string
	}{
		{compare.Comparison{}, "Version 2.0.0 has the same entries"},
		{compare.Comparison{EntriesAdded: 1}, "Version 2.0.0 added 1 entry"},
		{compare.Comparison{EntriesModified: 3}, "Version 2.0.0 modified 3 entries"},
		{compare.Comparison{EntriesAdded: 2, EntriesRemoved: 1, EntriesModified: 3},
			"Version 2.0.0 added 2 entries and removed 1 entry"},
		{compare.Comparison{EntriesAdded: 2, EntriesRemoved: 1, QualityScoreChange: by(-0.0123), IsShare: true},
			"Version 2.0.0 added 2 entries, removed 1 entry and lowered quality score by 1.23%"},
		{compare.Comparison{QualityScoreChange: by(0.5), IsShare: true}, "Version 2.0.0 improved quality score by 50%"},
		{compare.Comparison{QualityScoreChange: by(0.00001), IsShare: true}, "Version 2.0.0 has the same entries"},
		{compare.Comparison{QualityScoreChange: by(2.5)}, "Version 2.0.0 improved quality score by 2.5"},
		{compare.Comparison{QualityScoreChange: by(-70)}, "Version 2.0.0 lowered quality score by 70"},
		{compare.Comparison{QualityScoreChange: by(0)}, "Version 2.0.0 has the same entries"},
	} {
		if got := c.s.Sentence("2.0.0"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestMetadataChanges(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Metadata: map[string]any{
		"same": "a", "gone": 1.0, "text": "a", "up": 1.0, "down": 2.0, "version": "1.9", "older": "1.10", "v": "v1.2",
		"mixed": 1.0, "list": []any{1.0}}})
	to := b.edit(d, storage.Edit{Metadata: map[string]any{
		"gone": nil, "new": true, "text": "b", "up": 1.5, "down": 1.0, "version": "1.10", "older": "1.9", "v": "v1.2.1",
		"mixed": "2", "list": []any{1.0, 2.0}}})
	want := map[string]string{"gone": "removed", "new": "added", "text": "updated", "up": "improved", "down": "updated",
		"version": "improved", "older": "updated", "v": "improved", "mixed": "updated", "list": "updated"}
	summary := b.summary(d, "0", to)
	if got := summary.MetadataChanges; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	for name, sides := range map[string]compare.Sides[any]{"gone": {1.0, nil}, "new": {nil, true}, "text": {"a", "b"}} {
		if got := summary.Metadata[name]; fmt.Sprint(got) != fmt.Sprint(sides) {
			t.Errorf("%s: got %v, want %v", name, got, sides)
		}
	}
	if _, ok := summary.Metadata["same"]; ok || len(summary.Metadata) != len(want) {
		t.Errorf("values of what has not changed: %v", summary.Metadata)
	}
}

func TestQualityAndCategories(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Key: []string{"id"}, QualityColumn: "score", CategoryColumn: "kind"})
	one := b.commit(d, "append",
		`[{"id":1,"score":0.5,"kind":"a"},{"id":2,"score":null,"kind":"a"},{"id":3,"score":1,"kind":null}]`)
	two := b.commit(d, "upsert", `[{"id":1,"kind":"b"},{"id":2,"score":0.9},{"id":4,"kind":"c"}]`)
	s := b.summary(d, one, two)
	if *s.Quality.From != 0.75 || math.Abs(*s.Quality.To-0.8) > 1e-12 || *s.QualityScoreChange != 0.05 {
		t.Errorf("%v to %v: %v", *s.Quality.From, *s.Quality.To, *s.QualityScoreChange)
	}
	want := map[string]compare.Sides[int64]{"a": {From: 2, To: 1}, "b": {From: 0, To: 1}, "c": {From: 0, To: 1}}
	if !reflect.DeepEqual(s.Categories, want) {
		t.Errorf("%v", s.Categories)
	}
	if got := fmt.Sprint(s.CategoriesAdded, s.CategoriesRemoved, s.Columns); got != "[b c] [] map[kind:1 score:1]" {
		t.Error(got)
	}
	column := "id" // another column, which the files were not measured for
	three := b.edit(d, storage.Edit{QualityColumn: &column})
	if s := b.summary(d, three, three); *s.Quality.From != 2.5 {
		t.Errorf("the average of the ids is %v", *s.Quality.From)
	}
}

// Beyond the limit of stored categories, they are counted from the rows.
func TestManyCategories(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Key: []string{"id"}})
	var records []string
	for i := range 3000 {
		records = append(records, fmt.Sprintf(`{"id":%d,"category":"c%d"}`, i, i))
	}
	one := b.commit(d, "append", "["+strings.Join(records, ",")+"]")
	two := b.commit(d, "delete", `[{"id":7},{"id":8}]`)
	s := b.summary(d, one, two)
	if len(s.Categories) != 3000 || fmt.Sprint(s.CategoriesRemoved) != "[c7 c8]" {
		t.Errorf("%d categories, removed %v", len(s.Categories), s.CategoriesRemoved)
	}
}

func TestDiff(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Key: []string{"after"}}) // a key column with the name of one of the diff's
	one := b.commit(d, "append", `[{"after":1,"v":"a"},{"after":2,"v":"b"},{"after":3,"v":"c"}]`)
	b.commit(d, "upsert", `[{"after":2,"w":[1]},{"after":4}]`)
	two := b.commit(d, "delete", `[{"after":1}]`)
	want := `{"_change":"removed","after_key":1,"before":{"after":1,"v":"a"},"after":null}
{"_change":"modified","after_key":2,"before":{"after":2,"v":"b"},"after":{"after":2,"v":"b","w":[1]}}
{"_change":"added","after_key":4,"before":null,"after":{"after":4,"v":null,"w":null}}`
	if got := b.diff(d, one, two); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := b.diff(d, one, two, "added", "removed"); strings.Count(got, "\n") != 1 || strings.Contains(got, "modified") {
		t.Error(got)
	}
	if got := b.diff(d, two, two); got != "" {
		t.Error(got)
	}
	if s := b.summary(d, one, two); len(s.SchemaChanges) != 1 || s.SchemaChanges[0].Change != "added" ||
		s.SchemaChanges[0].Column != "w" {
		t.Errorf("%+v", s.SchemaChanges)
	}
	a, z := b.pair(d, one, two)
	if _, _, err := snapshot.Diff(a, z).Records("moved"); err == nil {
		t.Error("an unknown kind of change was accepted")
	}
}

// The extremes: everything changed, and nothing changed.
func TestEverythingAndNothingChanged(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x"})
	var rows []string
	for i := range 20_000 {
		rows = append(rows, fmt.Sprintf(`{"v":%d}`, i))
	}
	one := b.commit(d, "append", "["+strings.Join(rows, ",")+"]")
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"_id":%d,"v":%d}`, i+1, i+1)
	}
	two := b.commit(d, "overwrite", "["+strings.Join(rows, ",")+"]")
	if s := b.summary(d, one, two); s.EntriesModified != 20_000 || s.EntriesAdded+s.EntriesRemoved != 0 {
		t.Errorf("%+v", s)
	}
	if s := b.summary(d, two, two); s.EntriesModified+s.EntriesAdded+s.EntriesRemoved != 0 || s.TotalEntriesV1 != 20_000 {
		t.Errorf("%+v", s)
	}
	if s := b.summary(d, "0", two); s.EntriesAdded != 20_000 || s.TotalEntriesV1 != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheIncrementOfAVersion(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Key: []string{"id"}})
	from := b.commit(d, "append", `[{"id":1,"v":1,"category":"a"},{"id":2,"v":1,"category":"a"}]`)
	for _, c := range []struct{ mode, body, want string }{
		{"upsert", `[{"id":1,"v":2}]`, "patch"},
		{"append", `[{"id":3}]`, "minor"},
		{"upsert", `[{"id":1,"category":"new"}]`, "minor"},
		{"upsert", `[{"id":1,"extra":true}]`, "minor"},
		{"delete", `[{"id":1}]`, "major"},
	} {
		to := b.commit(d, catalog.Mode(c.mode), c.body)
		if in := b.summary(d, from, to).Insights(""); in.VersionType != c.want || len(in.Recommendations) == 0 {
			t.Errorf("%s %s calls for %s (%s), want %s", c.mode, c.body, in.VersionType, in.VersionReason, c.want)
		}
		from = to
	}
}

// A state that has a version already is not to be named once more.
func TestAStateIsNamedOnce(t *testing.T) {
	for _, s := range []compare.Summary{{}, {Comparison: compare.Comparison{EntriesAdded: 1}}} {
		for version, want := range map[string]string{"": "a new version is not needed", "1.0.1": "already has a version: 1.0.1"} {
			if version == "" && s.EntriesAdded > 0 {
				want = "Name the new state with a minor increment"
			}
			got := strings.Join(s.Insights(version).Recommendations, " ")
			if !strings.Contains(got, want) || version != "" && strings.Contains(got, "Name the new state") {
				t.Errorf("%q, %d added: %s", version, s.EntriesAdded, got)
			}
		}
	}
}

// A column that a rollback removes changes the same records in both directions.
func TestAColumnThatWasRolledBack(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Key: []string{"id"}})
	one := b.commit(d, "append", `[{"id":1},{"id":2}]`)
	two := b.commit(d, "upsert", `[{"id":1,"x":5}]`)
	id, err := strconv.ParseInt(two, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Rollback(context.Background(), d, id, storage.Stack, storage.Request{})
	if err != nil {
		t.Fatal(err)
	}
	three := fmt.Sprint(c.ID)
	for _, pair := range []struct {
		from, to string
		modified int64
	}{{one, two, 1}, {two, one, 1}, {two, three, 1}, {three, two, 1}, {one, three, 0}, {three, one, 0}} {
		if s := b.summary(d, pair.from, pair.to); s.EntriesModified != pair.modified || s.EntriesAdded+s.EntriesRemoved != 0 {
			t.Errorf("%s to %s: %+v", pair.from, pair.to, s.Comparison)
		}
	}
	if c, err := b.Restore(context.Background(), d, two, storage.Request{}); err != nil || c.Modified != 1 {
		t.Errorf("%d modified, %v", c.Modified, err)
	}
}

// A category is the same one, whatever the type of its column was when it was uploaded.
func TestCategoriesOfAColumnThatWasWidened(t *testing.T) {
	b := open(t)
	d := b.create(storage.NewDataset{Name: "x", Key: []string{"id"}})
	rows := func(from int, category string) string {
		var list []string
		for i := range 600 {
			list = append(list, fmt.Sprintf(`{"id":%d,"category":%s}`, from+i, category))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	one := b.commit(d, "append", rows(0, "1"))
	two := b.commit(d, "append", rows(1000, "1.5"))
	three := b.commit(d, "append", rows(2000, "1"))
	s := b.summary(d, two, three)
	if want := map[string]compare.Sides[int64]{
		"1.0": {From: 600, To: 1200}, "1.5": {From: 600, To: 600},
	}; !reflect.DeepEqual(s.Categories, want) {
		t.Errorf("%v", s.Categories)
	}
	if s := b.summary(d, one, two); s.TotalEntriesV2 != 1200 {
		t.Errorf("%+v", s)
	}
}
