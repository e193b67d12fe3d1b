package storage_test

import (
	"testing"

	"rowback/storage/catalog"
)

func TestAMergeReadsTheFilesThatItMadeAnew(t *testing.T) {
	b := open(t)
	d, f := b.pair("id")
	b.json(f, catalog.Upsert, `[{"id":1,"x":"A"},{"id":2,"x":"B"}]`)
	b.json(f, catalog.Upsert, `[{"id":1,"x":"AA"}]`)
	b.json(d, catalog.Upsert, `[{"id":2,"x":"B"}]`)
	b.merge(f, d)
	b.want(d, "head", `{"id":1,"x":"AA"}`, `{"id":2,"x":"B"}`, `{"id":3,"x":"c"}`)
	b.sound()
}
