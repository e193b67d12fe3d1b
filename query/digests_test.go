package query_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// The catalog's tables have the digests that were computed, of commits and of versions.
func TestDigestsInTheCatalogsTables(t *testing.T) {
	w := empty(t, storage.Options{})
	d := w.create(1, "d", "id")
	w.commit(d, catalog.Append, `[{"id":1}]`)
	w.version(d, "major")
	w.commit(d, catalog.Append, `[{"id":2}]`)
	known, err := w.Digests.Of(context.Background(), d, "1.0.0")
	w.done(err)
	for _, sql := range []string{
		"SELECT digest FROM rowback.commits ORDER BY id", "SELECT digest FROM rowback.versions",
	} {
		got, _, err := w.ask(context.Background(), query.Statement{SQL: sql, Project: 1})
		w.done(err)
		if !strings.Contains(got, known.Digest) || strings.Contains(sql, "commits") != strings.Contains(got, "null") {
			t.Errorf("%s: %s, and %s is known", sql, got, known.Digest)
		}
	}
}
