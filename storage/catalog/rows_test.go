package catalog

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/schema"
)

// odd is a text with everything that a client may write.
const odd = "it's \"odd\"; -- ü 🦆\n\t\\ %_ \u0000 $1"

// Every field of a commit is stored, at the limits of its type.
func TestCommitsKeepEveryField(t *testing.T) {
	f := open(t)
	f.history()
	least, greatest := int64(math.MinInt64), int64(math.MaxInt64)
	full := Commit{
		DatasetID: "d", ID: greatest, Previous: greatest - 1, Mode: Merge, Message: odd, User: odd,
		CreatedAt: time.Date(1066, 10, 14, 9, 0, 0, 1000, time.UTC), ParentCommitID: 1, RollbackCommitID: 2, MergeCommitID: 3,
		Added: greatest, Removed: least, Modified: 1, Total: 2, Hash: odd, RowTag: greatest,
		Metadata: json.RawMessage(`{"a": [1.50, "ü"]}`), Params: json.RawMessage(`null`),
		SchemaID: f.schemaID, PropertiesID: f.propertiesID,
		Effects: &Effects{
			SchemaChanges:  []schema.Change{{Change: "renamed", Column: odd, From: "a", To: odd}},
			ColumnsCleared: []string{odd}, ColumnsFilled: []string{}, Warnings: []string{"w"},
		},
	}
	none := full
	none.ID, none.Effects, none.ParentCommitID, none.RollbackCommitID, none.MergeCommitID = 9, nil, 0, 0, 0
	f.must(func(tx Tx) error { return errors.Join(tx.AddCommit(full), tx.AddCommit(none)) })
	f.must(func(tx Tx) error {
		for _, want := range []Commit{full, none} {
			got, err := tx.Commit("d", want.ID)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v\nnot\n%+v (%v)", got, want, err)
			}
		}
		return nil
	})
}

func TestFilesKeepEveryField(t *testing.T) {
	f := open(t)
	low, high := -0.5, math.MaxFloat64
	full := &File{
		ID: math.MaxInt64, DatasetID: odd, CommitID: 7, Kind: schema.Rollback, Key: odd, Rows: 1, Bytes: math.MaxInt64,
		Checksum: strings.Repeat("f", 64), SchemaID: f.schemaID, Bounds: &Bounds{Least: "", Greatest: odd},
		Targets: map[int64]int64{1: 2, math.MaxInt64: 3},
		Stats: map[int]Stats{
			2: {Count: 3, Sum: 0.1, Least: &low, Greatest: &high},
			schema.RowID: {
				Categories: map[string]int64{"": 1, "ü": 2}, ScoresOf: 2, Scores: map[string]Score{"ü": {Count: 1, Sum: -1e300}},
			},
			4: {TooMany: true},
		},
	}
	bare := &File{ID: 1, DatasetID: "d", Kind: schema.Data, SchemaID: f.schemaID}
	f.must(func(tx Tx) error { return errors.Join(tx.AddFile(full), tx.AddFile(bare)) })
	f.must(func(tx Tx) error {
		for _, want := range []*File{full, bare} {
			got, err := tx.File(want.ID)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v\nnot\n%+v (%v)", got, want, err)
			}
		}
		if _, err := tx.File(2); !errors.Is(err, ErrNotFound) {
			t.Errorf("a file that does not exist: %v", err)
		}
		return nil
	})
}

// Times are kept to the microsecond, in UTC, whatever their zone was.
func TestTimesAreMicrosecondsInUTC(t *testing.T) {
	zone := time.FixedZone("x", 5*3600+1800)
	for _, c := range []struct{ in, want time.Time }{
		{time.Date(2026, 1, 1, 5, 30, 0, 999, zone), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2026, 1, 1, 0, 0, 0, 1999, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC)},
		{time.Unix(-1, 0), time.Unix(-1, 0).UTC()},
		{
			time.Date(9999, 12, 31, 23, 59, 59, 999_999_001, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		},
	} {
		if got := moment(micros(c.in)); got != c.want {
			t.Errorf("%v is kept as %v, not %v", c.in, got, c.want)
		}
	}
}

// A version's total is that of its commit; metadata that was not given is nothing, not an empty object.
func TestVersions(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		c := f.commit(5, Append)
		c.Total = 42
		err := tx.AddCommit(c)
		for id, n := range [][3]int64{{1, 10, 0}, {1, 9, 0}, {0, 99, 99}, {10, 0, 0}, {1, 9, 1}} {
			v := Version{
				ID: int64(id + 1), DatasetID: "d", Major: n[0], Minor: n[1], Patch: n[2], CommitID: 5, Description: odd,
				User: "ada", CreatedAt: start,
			}
			if id == 0 {
				v.CommitID, v.Metadata, v.IsActive = 99, []byte(`{"a":1}`), true // a commit that is not there
			}
			err = errors.Join(err, tx.AddVersion(v))
		}
		return err
	})
	f.must(func(tx Tx) error {
		list, err := tx.Versions("d")
		f.want("by number", ids(list, func(v Version) int64 { return v.ID }), []int64{3, 2, 5, 1, 4}, err)
		first, err := tx.Version("d", 1, 10, 0)
		if err != nil || string(first.Metadata) != `{"a":1}` || !first.IsActive || first.Total != 0 {
			t.Errorf("%+v, %v", first, err)
		}
		second, err := tx.Version("d", 1, 9, 0)
		if err != nil || second.Metadata != nil || second.IsActive || second.Total != 42 || second.Description != odd ||
			!second.CreatedAt.Equal(start) {
			t.Errorf("%+v, %v", second, err)
		}
		if _, err := tx.Version("other", 1, 9, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("another dataset's version: %v", err)
		}
		if err := tx.SetActive(99, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("a version that does not exist: %v", err)
		}
		if err := errors.Join(tx.SetActive(1, false), tx.SetActive(2, true)); err != nil {
			return err
		}
		first, err = tx.Version("d", 1, 10, 0)
		second, err2 := tx.Version("d", 1, 9, 0)
		if first.IsActive || !second.IsActive {
			t.Errorf("active: %v, %v", first.IsActive, second.IsActive)
		}
		return errors.Join(err, err2)
	})
	err := f.Write(t.Context(), func(tx Tx) error {
		return tx.AddVersion(Version{ID: 9, DatasetID: "d", Major: 1, Minor: 9, CommitID: 5, CreatedAt: start})
	})
	if !IsDuplicate(err) {
		t.Errorf("a number was given twice: %v", err)
	}
}

func TestSavepoints(t *testing.T) {
	f := open(t)
	f.history()
	point := func(id string, number int64) Savepoint {
		return Savepoint{
			ID: id, DatasetID: "d", Number: number, CommitID: 2, Description: odd, User: "ada",
			CreatedAt: start, UpdatedAt: start,
		}
	}
	f.must(func(tx Tx) error {
		return errors.Join(tx.AddSavepoint(point("a", 9)), tx.AddSavepoint(point("b", 10)), tx.AddSavepoint(point("c", 1)))
	})
	f.must(func(tx Tx) error {
		list, err := tx.Savepoints("d")
		f.want("newest first", ids(list, func(p Savepoint) int64 { return p.Number }), []int64{10, 9, 1}, err)
		if list[0] != point("b", 10) {
			t.Errorf("%+v", list[0])
		}
		changed := point("b", 10)
		changed.Description, changed.UpdatedAt = "", start.Add(time.Hour)
		// Only the description changes: a savepoint never moves.
		moved := changed
		moved.CommitID, moved.Number = 3, 11
		if err := tx.SetSavepoint(moved); err != nil {
			return err
		}
		list, err = tx.Savepoints("d")
		if err != nil || list[0] != changed {
			t.Errorf("%+v, not %+v (%v)", list[0], changed, err)
		}
		if err := tx.SetSavepoint(point("z", 1)); !errors.Is(err, ErrNotFound) {
			t.Errorf("a savepoint that does not exist: %v", err)
		}
		return nil
	})
	if err := f.Write(t.Context(), func(tx Tx) error { return tx.AddSavepoint(point("e", 9)) }); !IsDuplicate(err) {
		t.Errorf("a number was given twice: %v", err)
	}
}

// A tag is one name in one dataset: putting it again moves it, removing it twice is not an error.
func TestTags(t *testing.T) {
	f := open(t)
	f.history()
	f.must(func(tx Tx) error {
		if err := tx.AddDataset(f.dataset("e", "other")); err != nil {
			return err
		}
		for _, tag := range []Tag{
			{DatasetID: "d", Name: "b", CommitID: 1}, {DatasetID: "d", Name: "a", CommitID: 2},
			{DatasetID: "d", Name: odd, CommitID: 3}, {DatasetID: "e", Name: "a", CommitID: 4},
			{DatasetID: "d", Name: "b", CommitID: 9, Description: odd, User: "grace"},
		} {
			tag.CreatedAt, tag.UpdatedAt = start, start.Add(time.Hour)
			if err := tx.PutTag(tag); err != nil {
				return err
			}
		}
		return nil
	})
	f.must(func(tx Tx) error {
		list, err := tx.Tags("d")
		f.want("by name", ids(list, func(t Tag) int64 { return t.CommitID }), []int64{2, 9, 3}, err)
		want := Tag{
			DatasetID: "d", Name: "b", CommitID: 9, Description: odd, User: "grace",
			CreatedAt: start, UpdatedAt: start.Add(time.Hour),
		}
		if got, err := tx.Tag("d", "b"); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		if err := errors.Join(tx.RemoveTag("d", "a"), tx.RemoveTag("d", "a")); err != nil {
			return err
		}
		if _, err := tx.Tag("d", "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a removed tag: %v", err)
		}
		if other, err := tx.Tag("e", "a"); err != nil || other.CommitID != 4 {
			t.Errorf("the tag of another dataset was removed: %+v, %v", other, err)
		}
		return nil
	})
}

func TestBackups(t *testing.T) {
	f := open(t)
	f.history()
	backup := func(id string, hours int) Backup {
		return Backup{
			ID: id, DatasetID: "d", CommitID: 2, Ref: "v1.0.0", Description: odd, Key: odd, Bytes: math.MaxInt64, Checksum: "c",
			User: "ada", CreatedAt: start.Add(time.Duration(hours) * time.Hour),
		}
	}
	order := func(list []Backup) (out string) {
		for _, b := range list {
			out += b.ID
		}
		return out
	}
	f.must(func(tx Tx) error {
		other := backup("x", 2)
		other.DatasetID = "e"
		return errors.Join(tx.AddDataset(f.dataset("e", "other")), tx.AddBackup(backup("b", 1)), tx.AddBackup(backup("a", 3)),
			tx.AddBackup(backup("c", 3)), tx.AddBackup(other))
	})
	f.must(func(tx Tx) error {
		own, err := tx.Backups("d")
		every, err2 := tx.EveryBackup()
		if order(own) != "acb" || order(every) != "bxac" {
			t.Errorf("newest first %s, oldest first %s", order(own), order(every))
		}
		if got, err := tx.Backup("d", "c"); err != nil || got != backup("c", 3) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := tx.Backup("e", "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the backup of another dataset was found: %v", err)
		}
		if err := tx.RemoveBackup("c"); err != nil {
			t.Error(err)
		}
		if err := tx.RemoveBackup("c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a backup was removed twice: %v", err)
		}
		return errors.Join(err, err2)
	})
}

// A job keeps the time at which it was created, and its answer, without indentation where it came from a document.
func TestJobs(t *testing.T) {
	f := open(t)
	later := start.Add(time.Hour)
	job := Job{ID: "j", Progress: 0, Message: odd, Answer: []byte("null"), CreatedAt: start, UpdatedAt: start}
	done := Job{ID: "j", Progress: JobDone, Message: "done", Answer: []byte("{\n \"a\": 1.50\n}"), UpdatedAt: later}
	done.CreatedAt = later
	f.must(func(tx Tx) error {
		if err := tx.SetJob(job); !errors.Is(err, ErrNotFound) {
			t.Errorf("a job that does not exist was updated: %v", err)
		}
		if _, err := tx.Job("j"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a job that does not exist: %v", err)
		}
		return errors.Join(tx.PutJob(job), tx.PutJob(done))
	})
	f.must(func(tx Tx) error {
		got, err := tx.Job("j")
		want := done
		want.CreatedAt, want.Answer = start, []byte(`{"a":1.50}`)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, not %+v (%v)", got, want, err)
		}
		if err := tx.PutJob(Job{ID: "k", Answer: []byte(`{"a":`)}); err == nil {
			t.Error("an answer that is not JSON was stored")
		}
		return nil
	})
}

// Row ids and field ids of a family only grow, each by itself.
func TestFamilies(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		for _, c := range []struct{ row, field, wantRow, wantField int64 }{
			{5, 0, 5, 0}, {3, 7, 5, 7}, {9, 2, 9, 7}, {0, 0, 9, 7},
		} {
			if err := errors.Join(tx.AdvanceFamily("f", c.row, c.field), tx.AddFamily("f")); err != nil {
				return err
			}
			row, field, err := tx.Family("f")
			f.want("last numbers", []int64{row, field}, []int64{c.wantRow, c.wantField}, err)
		}
		if _, _, err := tx.Family("none"); err == nil {
			t.Error("a family that does not exist has numbers")
		}
		return nil
	})
}

// Deleting frees a name. Parking frees all of them, until each dataset is set again.
func TestNamesAreFreed(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		if err := errors.Join(tx.AddDataset(f.dataset("d", odd)), tx.AddDataset(f.dataset("e", "other"))); err != nil {
			return err
		}
		if d, err := tx.DatasetByName(1, odd); err != nil || d.ID != "d" {
			t.Errorf("by its odd name: %+v, %v", d, err)
		}
		if _, err := tx.DatasetByName(2, odd); !errors.Is(err, ErrNotFound) {
			t.Errorf("in another project: %v", err)
		}
		if err := tx.ParkNames(start); err != nil {
			return err
		}
		if all, err := tx.Datasets(DatasetFilter{Limit: 9}); err != nil || len(all) != 0 {
			t.Errorf("after parking: %+v, %v", all, err)
		}
		if err := errors.Join(tx.SetDeleted("d", time.Time{}), tx.MoveHead("d", 0, 0, "other")); err != nil {
			return err
		}
		d, err := tx.DatasetByName(1, "other")
		if err != nil || d.ID != "d" || !d.DeletedAt.IsZero() {
			t.Errorf("%+v, %v", d, err)
		}
		e, err := tx.Dataset("e")
		if err != nil || !e.DeletedAt.Equal(start) {
			t.Errorf("%+v, %v", e, err)
		}
		if err := tx.SetDeleted("none", start); !errors.Is(err, ErrNotFound) {
			t.Errorf("a dataset that does not exist was deleted: %v", err)
		}
		if err := tx.SetNamesake("none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a dataset that does not exist is a namesake: %v", err)
		}
		return nil
	})
}

// Pages of datasets, whatever their length, list each once, in the order of ids.
func TestPagesOfDatasets(t *testing.T) {
	f := open(t)
	f.must(func(tx Tx) error {
		for _, id := range []string{"b", "a", "Z", "ü", "c"} {
			d := f.dataset(id, id)
			if id == "c" {
				d.ProjectID = 2
			}
			if err := tx.AddDataset(d); err != nil {
				return err
			}
		}
		for limit := 1; limit <= 6; limit++ {
			for project, want := range map[int64]string{0: "Zabcü", 1: "Zabü", 2: "c", 3: ""} {
				got, after := "", ""
				for {
					page, err := tx.Datasets(DatasetFilter{Project: project, After: after, Limit: limit})
					if err != nil {
						return err
					}
					for _, d := range page {
						got, after = got+d.ID, d.ID
					}
					if len(page) == 0 || len(page) > limit {
						break
					}
				}
				if got != want {
					t.Errorf("project %d, %d a page: %s, not %s", project, limit, got, want)
				}
			}
		}
		return nil
	})
}

// Numbers of metadata keep the digits that users wrote, also where no float has them.
func TestMetadataKeepsItsDigits(t *testing.T) {
	text := `{"metadata":{"a":1.50,"b":123456789012345678901234567890,"c":{"d":[1e400]}}}`
	var p Properties
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	f := open(t)
	f.must(func(tx Tx) error {
		id, err := tx.AddDocument(p)
		if err != nil {
			return err
		}
		back, err := tx.Properties(id)
		if err != nil || !reflect.DeepEqual(back, p) || back.Metadata["a"] != json.Number("1.50") {
			t.Errorf("%+v, %v", back, err)
		}
		out, err := json.Marshal(back.Metadata)
		if want := text[len(`{"metadata":`) : len(text)-1]; string(out) != want {
			t.Errorf("%s, not %s", out, want)
		}
		return err
	})
	if (Properties{}).Granularity() != ByRow || (Properties{MergeGranularity: ByColumn}).Granularity() != ByColumn {
		t.Error("the granularity of merges")
	}
}
