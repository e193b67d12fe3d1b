package seal_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/rowback/rowback/storage/seal"
)

// A description that is written again says the same, has a checksum if it had one, and is not the former text.
func TestAgainSaysTheSame(t *testing.T) {
	sealed, err := seal.Text(map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{sealed, []byte(`{"a": "b"}`)} {
		seen := [][]byte{text}
		for range 3 {
			text = seal.Again(text)
			for _, before := range seen {
				if bytes.Equal(before, text) {
					t.Errorf("%q was there before", text)
				}
			}
			seen = append(seen, text)
			var says map[string]string
			if err := json.Unmarshal(text, &says); err != nil || says["a"] != "b" || len(says) > 2 {
				t.Errorf("%q: %v", text, err)
			}
			if err := seal.Check(text); err != nil || seal.IsSealed(text) != seal.IsSealed(seen[0]) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}
