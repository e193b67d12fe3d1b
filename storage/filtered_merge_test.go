package storage_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
)

// only merges just the actions with these hashes.
func (b *bench) mergeHashes(from, into string, remember bool, hashes ...string) storage.Merged {
	b.Helper()
	m := storage.Merge{Source: from, Autorollback: true, Remember: remember, Filter: &storage.MergeFilter{Hashes: hashes}}
	out, err := b.Merge(context.Background(), into, m, storage.Request{})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func TestAFilteredMergeBringsOnlyTheVariableThatItNames(t *testing.T) {
	for _, remember := range []bool{false, true} {
		t.Run(fmt.Sprint("remember ", remember), func(t *testing.T) {
			b := open(t)
			d, f := b.Pair("id")
			one, _ := b.variable(f, storage.NewVariable{Name: "one", Values: raw("1", "2", "3")})
			two, _ := b.variable(f, storage.NewVariable{Name: "two", Values: raw(`"p"`, `"q"`, `"r"`)})
			b.mergeHashes(f, d, remember, two.Hash)
			b.Want(d, "head", `{"id":1,"x":"a","two":"p"}`, `{"id":2,"x":"b","two":"q"}`, `{"id":3,"x":"c","two":"r"}`)
			if remember {
				b.MakeMerge(f, d)
				b.Want(d, "head", `{"id":1,"x":"a","two":"p"}`, `{"id":2,"x":"b","two":"q"}`, `{"id":3,"x":"c","two":"r"}`)
			}
			b.mergeHashes(f, d, false, one.Hash)
			b.Want(d, "head", `{"id":1,"x":"a","two":"p","one":1}`, `{"id":2,"x":"b","two":"q","one":2}`,
				`{"id":3,"x":"c","two":"r","one":3}`)
			b.since(f)
			b.Sound()
		})
	}
}

func TestAFilteredMergeBringsOnlyTheValuesThatItsActionGave(t *testing.T) {
	b := open(t)
	d, f := b.Pair("id")
	b.JSON(f, catalog.Upsert, `[{"id":1,"one":1},{"id":2,"one":2}]`)
	two := b.JSON(f, catalog.Upsert, `[{"id":1,"two":"p"},{"id":3,"two":"r"}]`)
	b.mergeHashes(f, d, false, two.Hash)
	b.Want(d, "head", `{"id":1,"x":"a","two":"p"}`, `{"id":2,"x":"b","two":null}`, `{"id":3,"x":"c","two":"r"}`)
	b.MakeMerge(f, d)
	b.Want(d, "head", `{"id":1,"x":"a","two":"p","one":1}`, `{"id":2,"x":"b","two":null,"one":2}`,
		`{"id":3,"x":"c","two":"r","one":null}`)
	b.since(f)
	b.Sound()
}
