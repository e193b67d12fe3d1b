//go:build !linux

package duck

import "os"

// ownProgram returns the path of the running program.
func ownProgram() (string, error) { return os.Executable() }

// widenPipe does nothing: this system has no such setting.
func widenPipe(*os.File) {}

// BoundProcess does nothing: this system has no such limit.
func BoundProcess(int64) error { return nil }
