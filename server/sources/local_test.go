package sources

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// kept puts a source with a file, and returns it.
func kept(t *testing.T, s *localSources, id, user string, age time.Duration) Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), id)
	if err := os.WriteFile(path, []byte("id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := Source{
		ID: id, User: user, Name: id + ".csv", At: time.Now().Add(-age),
		Upload: calls.Upload{Upload: intake.Upload{Format: intake.CSV, Path: path, Size: 3}},
	}
	s.Put(t.Context(), one)
	return one
}

func exists(s Source) bool {
	_, err := os.Stat(s.Upload.Path)
	return err == nil
}

func TestASourceIsItsUsersUntilItIsDeleted(t *testing.T) {
	s := newLocal()
	mine := kept(t, s, "a", "eva", time.Minute)
	kept(t, s, "b", "ben", 0)
	later := kept(t, s, "c", "eva", 0)
	if got, err := s.Get(t.Context(), "eva", "a"); err != nil || got.Name != "a.csv" {
		t.Errorf("%+v, %v", got, err)
	}
	if list, _ := s.List(t.Context(), "eva"); len(list) != 2 || list[0].ID != "a" || list[1].ID != "c" {
		t.Errorf("%+v", list)
	}
	for _, other := range [][2]string{{"ben", "a"}, {"eva", "x"}} {
		if _, err := s.Get(t.Context(), other[0], other[1]); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v: %v", other, err)
		}
		if err := s.Delete(t.Context(), other[0], other[1]); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v is deleted: %v", other, err)
		}
	}
	if err := s.Delete(t.Context(), "eva", "a"); err != nil || exists(mine) || !exists(later) {
		t.Errorf("%v; the files are there: %t, %t", err, exists(mine), exists(later))
	}
	if _, err := s.Get(t.Context(), "eva", "a"); err == nil {
		t.Error("a deleted source is found")
	}
}

func TestASourceIsDroppedAfterADay(t *testing.T) {
	s := newLocal()
	old := kept(t, s, "old", "eva", storage.UploadAge-time.Second)
	kept(t, s, "young", "eva", 0)
	if !exists(old) {
		t.Error("a source was dropped too early")
	}
	expired := kept(t, s, "expired", "eva", storage.UploadAge+time.Second)
	if _, err := s.Get(t.Context(), "eva", "expired"); err == nil || exists(expired) {
		t.Error("an expired source is kept")
	}
}

func TestTheOldestSourcesMakeRoom(t *testing.T) {
	s := newLocal()
	var all []Source
	for i := range storage.MostUploads + 2 {
		all = append(all, kept(t, s, fmt.Sprint(i), "eva", time.Duration(storage.MostUploads-i)*time.Second))
	}
	if list, _ := s.List(t.Context(), "eva"); len(list) != storage.MostUploads || list[0].ID != "2" {
		t.Errorf("%d sources, the oldest %s", len(list), list[0].ID)
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, storage.MostUploads + 1: true} {
		if exists(all[i]) != want {
			t.Errorf("file %d is there: %t", i, !want)
		}
	}
}
