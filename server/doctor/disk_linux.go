package doctor

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskState is a file system as it is now.
type diskState struct {
	size, free       int64 // bytes; free: for an ordinary user
	files, freeFiles int64 // inodes; 0: it has no fixed number
	kind             string
}

// kinds are the names of file systems by their magic numbers; 32 bits of them are told.
var kinds = map[uint32]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.NFS_SUPER_MAGIC: "nfs", unix.SMB2_SUPER_MAGIC: "smb",
	unix.CIFS_SUPER_MAGIC: "smb", unix.FUSE_SUPER_MAGIC: "fuse", unix.V9FS_MAGIC: "9p",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs",
	unix.BTRFS_SUPER_MAGIC: "btrfs", 0x2fc12fc1: "zfs",
}

func statDisk(dir string) (diskState, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return diskState{}, err
	}
	kind, ok := kinds[uint32(s.Type)]
	if !ok {
		kind = fmt.Sprintf("kind %#x", uint32(s.Type))
	}
	return diskState{
		size: int64(s.Blocks) * s.Bsize, free: int64(s.Bavail) * s.Bsize,
		files: int64(s.Files), freeFiles: int64(s.Ffree), kind: kind,
	}, nil
}

// clockSynced reports whether something keeps the clock right, if the system says.
func clockSynced() (synced, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR, err == nil
}
