package calls_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage/intake"
)

func TestAnUploadIsThereUntilItIsRemoved(t *testing.T) {
	store := open(t)
	u, err := calls.Stage(store, intake.CSV, func(out io.Writer) (int64, error) {
		n, err := io.WriteString(out, "id\n1\n")
		return int64(n), err
	})
	if err != nil || u.Format != intake.CSV || u.Size != 5 {
		t.Fatalf("%+v, %v", u, err)
	}
	if text, err := os.ReadFile(u.Path); err != nil || string(text) != "id\n1\n" {
		t.Errorf("%q, %v", text, err)
	}
	other, err := calls.Stage(store, intake.CSV, func(io.Writer) (int64, error) { return 0, nil })
	if err != nil || other.Path == u.Path {
		t.Errorf("two uploads at %s, %v", u.Path, err)
	}
	for _, one := range []calls.Upload{u, other} {
		one.Remove()
		if _, err := os.Stat(one.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", one.Path, err)
		}
	}
}

func TestNothingIsLeftOfAnUploadThatFailed(t *testing.T) {
	gone := errors.New("the client is gone")
	u, err := calls.Stage(open(t), intake.CSV, func(out io.Writer) (int64, error) {
		_, err := io.WriteString(out, "id\n")
		return 3, errors.Join(err, gone)
	})
	if _, missing := os.Stat(u.Path); !errors.Is(err, gone) || !errors.Is(missing, os.ErrNotExist) {
		t.Errorf("%v, and the file: %v", err, missing)
	}
}
