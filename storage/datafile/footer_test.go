package datafile_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/duck/ducktest"
	"github.com/rowback/rowback/storage/schema"
)

// A footer that is damaged in any way reads as an error or as another identity, in little time and memory: it never
// crashes the process, and it is never read past its end.
func TestADamagedFooterIsAnError(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ctx := context.Background()
	conn := ducktest.ConnOf(t, duck.Limits{})
	column := schema.Column{ID: 4, Name: "v", Type: schema.Of(schema.Bigint)}
	spec := datafile.Spec{Kind: schema.Data, Dataset: "d", Commit: 7, File: 9, Columns: []schema.Column{column}}
	path := filepath.Join(t.TempDir(), "f.parquet")
	if _, err := datafile.Copy(ctx, conn, "SELECT range, 7::BIGINT FROM range(1000)", path, spec); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 20_000 {
		bad := bytes.Clone(whole)
		for range 1 + random.IntN(4) {
			bad[len(bad)-1-random.IntN(min(600, len(bad)))] = byte(random.Uint32())
		}
		bad = bad[random.IntN(2)*random.IntN(len(bad)):]
		allocated := testing.AllocsPerRun(1, func() {
			datafile.ReadFooter(bytes.NewReader(bad), int64(len(bad))) //nolint:errcheck // either is right
		})
		if allocated > 1000 {
			t.Fatalf("%v allocations for % x", allocated, bad)
		}
	}
}
