package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Again returns a description that says the same in other bytes: whoever is about to replace the former one, on the
// condition that it is there still, finds that it is not.
func Again(text []byte) []byte {
	again := append(slices.Clone(text), '\n')
	rest, ok := bytes.CutPrefix(again, []byte(start))
	if !ok {
		return again
	}
	_, rest, _ = bytes.Cut(rest, []byte(end))
	sum := sha256.Sum256(rest)
	return append([]byte(start+hex.EncodeToString(sum[:])+end), rest...)
}
