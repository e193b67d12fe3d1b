//go:build !linux

package duck

import "os"

// ownProgram is the program that runs.
func ownProgram() (string, error) { return os.Executable() }

// widenPipe does nothing: there is no such setting here.
func widenPipe(*os.File) {}

// BoundProcess does nothing: there is no such bound here.
func BoundProcess(int64) error { return nil }
