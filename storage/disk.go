package storage

import (
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/storage/fault"
)

// Disk is the one that a data directory is on. Nothing can be repaired on a full disk, so writes are refused before it
// is full. What it counts is what an ordinary process may use, not what is reserved for root.
type Disk struct {
	dir   string
	least int64                                     // bytes that stay free; 0: none
	free  func(dir string) (bytes int64, err error) // left on the disk of a directory
}

// room refuses a write where the disk has less left than is to stay free (Options.MinFree).
func (d *Disk) room() error {
	if d.least == 0 {
		return nil
	}
	free, err := d.free(d.dir)
	if err != nil || free >= d.least {
		return err
	}
	return fault.Errorf(fault.Unavailable, "disk_low",
		"The server's disk has %s left, and %s must stay free (--min-free), so nothing is written. "+
			"Make room, or lower --min-free; reads are still served.",
		humanize.Bytes(uint64(max(free, 0))), humanize.Bytes(uint64(d.least)))
}

// fits reports whether so many more bytes leave the room that is to stay. It is for what can be done later.
func (d *Disk) fits(bytes int64) bool {
	free, err := d.free(d.dir)
	return err != nil || free-bytes >= d.least
}

// Free is what can still be written to the disk, bytes; -1 if that is not known. It is for the metrics, which show
// -1 as it is.
func (d *Disk) Free() int64 {
	free, err := d.free(d.dir)
	if err != nil {
		return -1
	}
	return free
}

// Size is how large the disk is, bytes; -1 if that is not known.
func (d *Disk) Size() int64 {
	size, err := diskBytes(d.dir)
	if err != nil {
		return -1
	}
	return size
}

// Least is how much of the disk stays free, bytes; 0: nothing has to.
func (d *Disk) Least() int64 { return d.least }

// DefaultMinFree is a sensible room to keep free on the disk that a data directory is on, or will be: 256 MB, or a
// twentieth of a small disk.
func DefaultMinFree(dir string) int64 {
	const most = 256e6
	for {
		size, err := diskBytes(dir)
		if err == nil {
			return min(most, size/20)
		}
		above := filepath.Dir(dir)
		if above == dir {
			return most
		}
		dir = above // the directory is still to be made
	}
}
