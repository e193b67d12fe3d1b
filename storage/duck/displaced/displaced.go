//go:build duckdb_arrow

// Package displaced adds a function to a DuckDB instance that leaves out rows by their number: the fastest way known to
// subtract displaced rows from a scan. DuckDB's reader of Parquet applies a filter of one column as it reads, so the
// function adds half of what an anti join adds. It is in C: sandboxes can't be called back in Go (duck.ServeChild), and
// a call of Go for every 2,048 rows would take longer than the test itself.
package displaced

/*
#include "displaced.h"
*/
import "C"

import (
	"errors"
	"unsafe"

	"github.com/duckdb/duckdb-go-bindings"
)

// Function is the name of the function. It takes a row number, and the text of a query, a constant, with one column of
// row numbers that are not null. It returns whether the number is not among them. The query runs when a statement with
// the function is planned, on a connection of its own; the results of the last ones are kept.
const Function = "rowback_is_live"

// Failed begins the message of the error of a statement whose query failed; the query's own message follows.
const Failed = C.DISPLACED_FAILED

// Register adds the function to an instance: a duckdb_database. closing must be called before that is closed.
func Register(database unsafe.Pointer, on duckdb_go_bindings.Connection) (closing func(), err error) {
	own := C.displaced_instance(database)
	if own == nil {
		return nil, errors.New("no memory for a function of DuckDB's")
	}
	f := duckdb_go_bindings.CreateScalarFunction()
	defer duckdb_go_bindings.DestroyScalarFunction(&f)
	duckdb_go_bindings.ScalarFunctionSetName(f, Function)
	addType(duckdb_go_bindings.TypeBigInt, func(t duckdb_go_bindings.LogicalType) {
		duckdb_go_bindings.ScalarFunctionAddParameter(f, t)
	})
	addType(duckdb_go_bindings.TypeVarchar, func(t duckdb_go_bindings.LogicalType) {
		duckdb_go_bindings.ScalarFunctionAddParameter(f, t)
	})
	addType(duckdb_go_bindings.TypeBoolean, func(t duckdb_go_bindings.LogicalType) {
		duckdb_go_bindings.ScalarFunctionSetReturnType(f, t)
	})
	duckdb_go_bindings.ScalarFunctionSetExtraInfo(f, own, C.displaced_free)
	duckdb_go_bindings.ScalarFunctionSetBind(f, C.displaced_bind)
	duckdb_go_bindings.ScalarFunctionSetFunction(f, C.displaced_run)
	if duckdb_go_bindings.RegisterScalarFunction(on, f) == duckdb_go_bindings.StateError {
		return nil, errors.New("a function could not be added to DuckDB")
	}
	return func() { C.displaced_closing(own) }, nil
}

func addType(t duckdb_go_bindings.Type, add func(duckdb_go_bindings.LogicalType)) {
	logical := duckdb_go_bindings.CreateLogicalType(t)
	defer duckdb_go_bindings.DestroyLogicalType(&logical)
	add(logical)
}
