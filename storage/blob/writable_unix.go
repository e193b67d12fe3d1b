//go:build linux || darwin

package blob

import "golang.org/x/sys/unix"

// Writable returns why nothing can be written at a path, or nil. It asks the system and writes nothing.
func Writable(path string) error { return unix.Access(path, unix.W_OK) }
