package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Held keeps other processes out of a data directory until it is released. It locks the directory itself, which can't
// be replaced under a running server, and the file "lock", which is all that older versions lock.
type Held []*flock.Flock

// Lock locks a data directory. Without create it writes nothing, and a missing file "lock" is not created. If another
// process has the directory open, the error is ErrInUse.
func Lock(dir string, create bool) (held Held, err error) {
	file := flock.New(filepath.Join(dir, "lock"), flock.SetFlag(os.O_RDONLY))
	if create {
		file = flock.New(filepath.Join(dir, "lock"))
	}
	for _, l := range []*flock.Flock{flock.New(dir, flock.SetFlag(os.O_RDONLY)), file} {
		ok, err := l.TryLock()
		if errors.Is(err, fs.ErrNotExist) && !create {
			continue
		}
		if err != nil {
			err = fmt.Errorf("the data directory %s can't be locked: %w. It must belong to the user that runs the program",
				dir, err)
			return nil, errors.Join(err, held.Release())
		}
		if !ok {
			return nil, errors.Join(fmt.Errorf("%w: %s. Stop the server that has it open", ErrInUse, dir), held.Release())
		}
		held = append(held, l)
	}
	return held, nil
}

// ErrInUse is returned when another process, or another part of this one, has the data directory open.
var ErrInUse = errors.New("the data directory is in use")

// Release unlocks the directory.
func (held Held) Release() error {
	var errs []error
	for _, l := range held {
		errs = append(errs, l.Unlock())
	}
	return errors.Join(errs...)
}
