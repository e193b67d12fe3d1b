package storage

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/lookup"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// readPieces reads pieces without a statement (snapshot.Reader). Whatever can't be read here is left to a statement,
// but for files that are damaged or gone, which are refused as always.
func (fs *Files) readPieces(ctx context.Context, pieces []snapshot.Piece) (arrow.RecordBatch, error) {
	first := pieces[0].Columns
	fields, builders := make([]arrow.Field, len(first)), make([]array.Builder, len(first))
	for i, c := range first {
		t := lookup.ArrowType(c.Type)
		if t == nil {
			return nil, nil
		}
		fields[i] = arrow.Field{Name: schema.ColumnName(i), Type: t, Nullable: true}
	}
	for i := range builders {
		builders[i] = array.NewBuilder(memory.DefaultAllocator, fields[i].Type)
		defer builders[i].Release()
	}
	rows := 0
	for _, p := range pieces {
		n := len(slices.DeleteFunc(slices.Clone(p.Rows), func(is bool) bool { return !is }))
		if n == 0 {
			continue
		}
		rows += n
		if err := fs.appendPiece(ctx, p, n, builders); err != nil {
			return nil, readElsewhere(ctx, err)
		}
	}
	columns := make([]arrow.Array, len(builders))
	for i, b := range builders {
		columns[i] = b.NewArray()
		defer columns[i].Release()
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(rows)), nil
}

// readElsewhere returns the errors that are not left to a statement.
func readElsewhere(ctx context.Context, err error) error {
	var refused *fault.Error
	if ctx.Err() != nil || errors.As(err, &refused) {
		return err
	}
	return nil
}

// appendPiece appends the n rows of a piece to the builders of its columns.
func (fs *Files) appendPiece(ctx context.Context, p snapshot.Piece, n int, to []array.Builder) error {
	return fs.reading(ctx, p.File, new(lookup.Read), func(f *lookup.File) error {
		var together errgroup.Group
		together.SetLimit(fillThreads)
		for i, c := range p.Columns {
			if c.Name == "" {
				to[i].AppendNulls(n)
				continue
			}
			together.Go(func() error {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return f.Append(to[i], lookup.Column{Name: c.Name, Type: c.Type}, p.Rows)
			})
		}
		return together.Wait()
	})
}
