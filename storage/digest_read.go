package storage

import (
	"cmp"
	"context"
	"runtime"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/digest"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// readDigests digests files of a sum. found is called with what each statement finds.
func (fs *Files) readDigests(
	ctx context.Context, s *stateSum, files []*catalog.File, found func(digestMemory),
) error {
	sums, left := digestMemory{}, []*catalog.File(nil)
	for _, f := range files {
		sum, ok, err := fs.digestHere(ctx, s.snap, f)
		if err != nil {
			return err
		}
		if !ok {
			left = append(left, f)
			continue
		}
		sums[s.key(f)] = sum
	}
	if len(sums) > 0 {
		found(sums)
	}
	if len(left) == 0 {
		return nil
	}
	return fs.scanDigests(ctx, s, left, found)
}

// digestHere digests a file of few records of many columns without a statement; ok is false where a statement has to.
func (fs *Files) digestHere(
	ctx context.Context, snap *snapshot.Snapshot, f *catalog.File,
) (sum digest.Sum, ok bool, err error) {
	piece, columns, ok := snap.DigestPiece(f)
	if !ok {
		return sum, false, nil
	}
	rows, err := fs.readPieces(ctx, []snapshot.Piece{piece})
	if rows == nil || err != nil {
		return sum, false, err
	}
	defer rows.Release()
	err = digest.NewTable(names(columns)).Add(rows, func(int) *digest.Sum { return &sum })
	return sum, true, err
}

// scanDigests is readDigests by statements.
func (fs *Files) scanDigests(
	ctx context.Context, s *stateSum, files []*catalog.File, found func(digestMemory),
) error {
	conn, err := fs.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	sums := digestMemory{}
	for _, one := range s.snap.DigestScans(files) {
		parts, err := sumRows(ctx, conn, one, s.workers)
		if err != nil {
			return err
		}
		for i, f := range one.Files {
			sums[s.key(f)] = sums[s.key(f)].Plus(parts[i])
		}
		if !one.More {
			found(sums)
			sums = digestMemory{}
		}
	}
	return nil
}

// sumRows runs a statement and sums the digests of its rows, by file. It hashes while DuckDB reads, on a number of
// cores; 0: all.
func sumRows(ctx context.Context, conn *duck.Conn, one snapshot.DigestScan, workers int) ([]digest.Sum, error) {
	rows, err := conn.Stream(ctx, one.SQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	table := digest.NewTable(names(one.Columns))
	sums, mu := make([]digest.Sum, len(one.Files)), sync.Mutex{}
	var hashing errgroup.Group
	hashing.SetLimit(cmp.Or(workers, runtime.GOMAXPROCS(0)))
	for {
		batch, err := rows.Next()
		if batch == nil || err != nil {
			if failed := hashing.Wait(); err == nil {
				err = failed
			}
			return sums, err
		}
		hashing.Go(func() error {
			defer batch.Release()
			parts, err := sumBatch(table, batch, len(sums))
			mu.Lock()
			defer mu.Unlock()
			for i := range parts {
				sums[i] = sums[i].Plus(parts[i])
			}
			return err
		})
	}
}

// sumBatch sums the digests of the rows of a batch, by file. Its last column is the index of the row's file.
func sumBatch(table *digest.Table, batch arrow.RecordBatch, files int) ([]digest.Sum, error) {
	sums := make([]digest.Sum, files)
	index := batch.Column(int(batch.NumCols()) - 1).(*array.Int64)
	return sums, table.Add(batch, func(row int) *digest.Sum { return &sums[index.Value(row)] })
}

func names(columns []schema.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}
