//go:build !linux

package doctor

import "errors"

// diskState is a file system as it is now.
type diskState struct {
	size, free       int64
	files, freeFiles int64
	kind             string
}

func statDisk(string) (diskState, error) { return diskState{}, errors.ErrUnsupported }

func clockSynced() (synced, known bool) { return false, false }
