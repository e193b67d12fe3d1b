//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ownFilesOnly has every file that this process makes, its libraries and its sandboxes included, be its owner's alone. A
// file-size limit then is an error of the one write, and not the end of the process.
func ownFilesOnly() {
	syscall.Umask(0o077)
	signal.Ignore(syscall.SIGXFSZ)
}
