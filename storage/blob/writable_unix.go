//go:build linux || darwin

package blob

import "golang.org/x/sys/unix"

// Writable reports why nothing can be written at a path: nil where that can be done. Nothing is written to find out.
func Writable(path string) error { return unix.Access(path, unix.W_OK) }
