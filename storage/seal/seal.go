// Package seal writes descriptions as JSON that begins with the checksum of the rest of its text, so that one whose
// bits have changed is not read. Those of older versions have none.
package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
)

const (
	start = "{\n  \"checksum\": \""
	end   = "\","
)

// Text returns a description with its checksum, the SHA-256 of all that follows on the line of that.
func Text(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	rest := bytes.TrimPrefix(text, []byte("{"))
	sum := sha256.Sum256(rest)
	return append([]byte(start+hex.EncodeToString(sum[:])+end), rest...), nil
}

// ErrBroken is returned for a description that is not what was written.
var ErrBroken = errors.New("its checksum differs")

// IsSealed reports whether a description has a checksum.
func IsSealed(text []byte) bool { return bytes.HasPrefix(text, []byte(start)) }

// Check compares a description with its checksum, if it has one.
func Check(text []byte) error {
	rest, ok := bytes.CutPrefix(text, []byte(start))
	if !ok {
		return nil
	}
	said, rest, _ := bytes.Cut(rest, []byte(end))
	sum := sha256.Sum256(rest)
	if string(said) != hex.EncodeToString(sum[:]) {
		return ErrBroken
	}
	return nil
}
