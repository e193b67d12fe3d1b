package storage

import (
	"encoding/hex"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// newID makes an id that sorts by when it was made.
func newID() string {
	// By time, so that directories and rows of what was made together lie together.
	id := uuid.Must(uuid.NewV7())
	return hex.EncodeToString(id[:])
}

// isControl reports whether a character can't be seen; text that is not UTF-8 has RuneError in it.
func isControl(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }
