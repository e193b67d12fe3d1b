package calls

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Answer is the answer to an HTTP client, as it is stored. The stored form must stay readable: answers to keys are kept
// for 30 days, across versions of the program.
type Answer struct {
	Status   int             `json:"status"`
	Location string          `json:"location,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Keep returns the answer in the form in which it is stored.
func (a Answer) Keep() (json.RawMessage, error) { return json.Marshal(a) }

// ReadAnswer reads a stored answer.
func ReadAnswer(kept json.RawMessage) (a Answer, err error) {
	return a, json.Unmarshal(kept, &a)
}

// Fingerprint returns the SHA-256 of a request, made from the parts that a repeated request has too. Its format is part
// of what is stored: changed, a repeated request would be taken for another.
func Fingerprint(format string, parts ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, parts...))
	return hex.EncodeToString(sum[:])
}
