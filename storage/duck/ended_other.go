//go:build !unix

package duck

import "os"

// hasEnded can't be told here: the first statement fails instead.
func hasEnded(*os.File) bool { return false }
