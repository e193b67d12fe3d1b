package fault

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestKindOfFindsTheErrorInAChain(t *testing.T) {
	cause := errors.New("ours")
	refused := Errorf(Conflict, "moved", "The head is %d.", 3).Because(cause)
	wrapped := fmt.Errorf("commit: %w", refused)
	if KindOf(wrapped) != Conflict || KindOf(cause) != Internal || !errors.Is(wrapped, cause) {
		t.Errorf("%v, %v", KindOf(wrapped), KindOf(cause))
	}
}

// A caller that reacts to one refusal finds it by errors.Is, wrapped or not, whatever it says and whatever it knows.
func TestIsFindsARefusalByKindAndCode(t *testing.T) {
	taken := New(Exists, "name_taken")
	said := fmt.Errorf("create: %w", taken.Sayf("There is a dataset '%s' already.", "x").With("name", "x"))
	if !errors.Is(said, taken) || said.Error() != "create: There is a dataset 'x' already." || taken.Detail != "" {
		t.Errorf("%v, %+v", said, taken)
	}
	for _, other := range []error{New(Invalid, "name_taken"), New(Exists, "variable_exists"), errors.New("name_taken")} {
		if errors.Is(said, other) {
			t.Errorf("%v is %+v", said, other)
		}
	}
}

// With does not change the error that it is called on, which may be a package-level value.
func TestWithAddsAFactToACopy(t *testing.T) {
	plain := Errorf(Invalid, "code", "A sentence.").With("a", 1)
	more := plain.With("b", 2)
	if len(plain.Fields) != 1 || len(more.Fields) != 2 || more.Detail != plain.Detail || more.Code != plain.Code {
		t.Errorf("%+v, %+v", plain, more)
	}
}

func TestClipCountsCharacters(t *testing.T) {
	long := strings.Repeat("é", 60)
	if Clip(long) != long || Clip(long+"é") != long+"…" {
		t.Error(Clip(long), Clip(long+"é"))
	}
}

// Refusals by the operating system are Unavailable, with a sentence; errors that stand for bugs of ours are not shown.
func TestSystemErrorsAreUnavailable(t *testing.T) {
	for _, errno := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.EIO, syscall.EXDEV,
	} {
		if e := System(errno); e == nil || e.Kind != Unavailable || e.Code == "" || !strings.HasSuffix(e.Detail, ".") {
			t.Errorf("%v: %+v", errno, e)
		}
	}
	if e := System(syscall.EINVAL); e != nil {
		t.Error(e)
	}
}
