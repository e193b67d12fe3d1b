package calls

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Answer is what a client of HTTP is told, as it is kept.
type Answer struct {
	Status   int             `json:"status"`
	Location string          `json:"location,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Keep is an answer as it is kept.
func (a Answer) Keep() (json.RawMessage, error) { return json.Marshal(a) }

// ReadAnswer reads an answer that was kept.
func ReadAnswer(kept json.RawMessage) (a Answer, err error) {
	return a, json.Unmarshal(kept, &a)
}

// Fingerprint is the SHA-256 of a request: its parts are what the same request would have again.
func Fingerprint(format string, parts ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, parts...))
	return hex.EncodeToString(sum[:])
}
