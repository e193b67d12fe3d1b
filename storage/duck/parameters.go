//go:build duckdb_arrow

package duck

import (
	"bytes"
	"context"
	"reflect"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/arrowmapping"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Parameters returns the parameters of a statement, without running it, as fields. A field's name is that of the
// parameter, or its number, from 1; its type is the one that the statement expects, or null if it accepts several.
func (c *Conn) Parameters(ctx context.Context, query string) (s *arrow.Schema, err error) {
	err = c.guarded(ctx, query, func() error {
		s, err = c.session.parameters(ctx, query)
		return err
	})
	return s, err
}

func (l *local) parameters(ctx context.Context, query string) (out *arrow.Schema, err error) {
	err = l.raw(func(conn *duckdb.Conn) error {
		defer interruptAtEnd(ctx, handleOf(conn))()
		s, err := l.prepare(ctx, conn, query)
		if err != nil {
			return err
		}
		defer s.Close()
		out, err = parametersOf(conn, s)
		return err
	})
	return out, l.handled(ctx, query, err)
}

func parametersOf(conn *duckdb.Conn, s *duckdb.Stmt) (*arrow.Schema, error) {
	var names []string
	var types []mapping.LogicalType
	var known []int // the parameters that have one of these types
	fields := make([]arrow.Field, s.NumInput())
	for i := range fields {
		name, err := s.ParamName(i + 1)
		if err != nil {
			return nil, err
		}
		fields[i] = arrow.Field{Name: name, Type: arrow.Null, Nullable: true}
		if typ, err := s.ParamType(i + 1); err != nil || typ == duckdb.TYPE_INVALID {
			continue
		}
		typ := mapping.ParamLogicalType(preparedOf(s), mapping.IdxT(i+1))
		defer mapping.DestroyLogicalType(&typ)
		names, types, known = append(names, name), append(types, typ), append(known, i)
	}
	var opts arrowmapping.ArrowOptions
	arrowmapping.ConnectionGetArrowOptions(handleOf(conn), &opts)
	defer arrowmapping.DestroyArrowOptions(&opts)
	found, ed := arrowmapping.NewArrowSchema(opts, types, names)
	if err := arrowError(ed); err != nil {
		return nil, err
	}
	for k, i := range known {
		fields[i].Type = found.Field(k).Type
	}
	return arrow.NewSchema(fields, nil), nil
}

// encodeSchema writes a schema as an Arrow stream without batches. A nil schema has no bytes.
func encodeSchema(s *arrow.Schema) []byte {
	if s == nil {
		return nil
	}
	var out bytes.Buffer
	_ = ipc.NewWriter(&out, ipc.WithSchema(s)).Close() // writing to a buffer can't fail
	return out.Bytes()
}

func decodeSchema(text []byte) (*arrow.Schema, error) {
	r, err := ipc.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return r.Schema(), nil
}

// handleOf returns the C API's handle of a connection.
func handleOf(conn *duckdb.Conn) mapping.Connection {
	return mapping.Connection{Ptr: pointerIn(conn, "conn")}
}

// preparedOf returns the C API's handle of a statement.
func preparedOf(s *duckdb.Stmt) mapping.PreparedStatement {
	pointer := reflect.ValueOf(s).Elem().FieldByName("preparedStmt").Elem().FieldByName("Ptr")
	return mapping.PreparedStatement{Ptr: pointer.UnsafePointer()}
}
