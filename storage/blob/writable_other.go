//go:build !linux && !darwin

package blob

import "os"

// Writable reports why nothing can be written at a path: nil where that can be done.
func Writable(path string) error {
	_, err := os.Stat(path)
	return err
}
