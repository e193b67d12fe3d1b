//go:build unix

package cli

import (
	"os/signal"
	"syscall"
)

// ownFilesOnly makes every file that this process creates, including its libraries and sandboxes, private to its owner.
// A file-size limit then fails the one write instead of ending the process.
func ownFilesOnly() {
	syscall.Umask(0o077)
	signal.Ignore(syscall.SIGXFSZ)
}
