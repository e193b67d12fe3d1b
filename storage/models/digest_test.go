package models

import (
	"context"
	"maps"
	"strconv"

	"github.com/rowback/rowback/storage/storagetest"
)

// checkDigest compares the digest of a state with that of the model's records, which is computed the slow way.
func (m *model) checkDigest(c *change) {
	m.Helper()
	got, err := m.Digests.Of(context.Background(), m.dataset, strconv.FormatInt(c.id, 10))
	m.must(err)
	var records []map[string]any
	for k, r := range c.state {
		values := maps.Clone(r.values)
		if m.keyed {
			values["id"] = float64(k)
		}
		records = append(records, values)
	}
	if want := storagetest.DigestOf(records); got.Digest != want || got.Commit != c.id || got.Total != int64(len(records)) {
		m.Fatalf("the digest at %d (%s) is %+v; the model has %s of %d", c.id, c.mode, got, want, len(records))
	}
}
