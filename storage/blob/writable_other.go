//go:build !linux && !darwin

package blob

import "os"

// Writable returns why nothing can be written at a path. On this system it only checks that the path exists.
func Writable(path string) error {
	_, err := os.Stat(path)
	return err
}
