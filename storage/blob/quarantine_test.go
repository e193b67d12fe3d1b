package blob_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowback/rowback/storage/blob"
)

// Objects moved to quarantine leave their place, keep their bytes, and never replace what is there.
func TestQuarantine(t *testing.T) {
	d, err := blob.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "second"} {
		if _, err := d.Put("d/7/commit.json", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Quarantine("d/7", "d-7"); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open("d/7/commit.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
	}
	names, err := d.Quarantined()
	if want := []string{"d-7", "d-7-2"}; !slices.Equal(names, want) || err != nil {
		t.Errorf("in quarantine: %v, %v", names, err)
	}
	for name, want := range map[string]string{"d-7/commit.json": "first", "d-7-2/commit.json": "second"} {
		if got, err := d.ReadQuarantined(name); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A store opened for reading only is not changed.
func TestReadOnly(t *testing.T) {
	root := t.TempDir()
	d, err := blob.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put("d/x", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "staging", "left"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	look, err := blob.OpenReadOnly(root)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, look, "d/x"); got != "x" {
		t.Errorf("got %q", got)
	}
	_, errPut := look.Put("d/y", nil)
	_, errBatch := look.Batch("d/1")
	_, errQuarantine := look.Quarantine("d/x", "x")
	for _, err := range []error{errPut, errBatch, errQuarantine, look.Remove("d/x")} {
		if err == nil {
			t.Error("something was written")
		}
	}
	if _, err := os.Stat(filepath.Join(root, "staging", "left")); err != nil {
		t.Error(err)
	}
	if got := read(t, look, "d/x"); got != "x" {
		t.Errorf("got %q", got)
	}
}
