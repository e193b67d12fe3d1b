package flight

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
)

// describeServer registers the answers to CommandGetSqlInfo.
func (f *Face) describeServer() (err error) {
	all := maps.Clone(facts)
	all[flightsql.SqlInfoFlightSqlServerVersion] = f.options.Version
	all[flightsql.SqlInfoFlightSqlServerStatementTimeout] = int32(min(f.options.Limits.QueryTimeout.Milliseconds(),
		math.MaxInt32))
	for _, id := range unbounded {
		all[id] = int64(0)
	}
	for id, value := range all {
		f.known = append(f.known, uint32(id))
		err = errors.Join(err, f.RegisterSqlInfo(id, value))
	}
	return err
}

// wantedInfo is a request for facts about the server.
type wantedInfo []uint32

// GetInfo returns the numbers of the facts.
func (w wantedInfo) GetInfo() []uint32 { return w }

// DoGetSqlInfo returns facts about the server. Unknown ones are left out; arrow-go would refuse the whole request.
func (f *Face) DoGetSqlInfo(
	ctx context.Context, in flightsql.GetSqlInfo,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	wanted := wantedInfo{}
	for _, id := range in.GetInfo() {
		if slices.Contains(f.known, id) {
			wanted = append(wanted, id)
		}
	}
	if len(wanted) == 0 && len(in.GetInfo()) > 0 {
		return f.list(schema_ref.SqlInfo).send()
	}
	return f.BaseServer.DoGetSqlInfo(ctx, wanted)
}

// sqlType is an SQL type with its ODBC number (XDBC) and DuckDB's name.
type sqlType struct {
	name   string
	number int32
	size   int32 // digits, characters or bytes; 0: no limit
	quote  string
	params []string
}

// sqlTypes are the types of columns, by number. DuckDB types without a number are text.
var sqlTypes = []sqlType{
	{name: "BOOLEAN", number: -7, size: 1},
	{name: "TINYINT", number: -6, size: 3},
	{name: "BIGINT", number: -5, size: 19},
	{name: "BLOB", number: -3, quote: "'"},
	{name: "DECIMAL", number: 3, size: 38, params: []string{"width", "scale"}},
	{name: "INTEGER", number: 4, size: 10},
	{name: "SMALLINT", number: 5, size: 5},
	{name: "FLOAT", number: 7, size: 7},
	{name: "DOUBLE", number: 8, size: 15},
	{name: "VARCHAR", number: 12, quote: "'"},
	{name: "DATE", number: 91, size: 10, quote: "'"},
	{name: "TIME", number: 92, size: 15, quote: "'"},
	{name: "TIMESTAMP", number: 93, size: 26, quote: "'"},
}

// GetFlightInfoXdbcTypeInfo returns how to fetch the types.
func (f *Face) GetFlightInfoXdbcTypeInfo(
	_ context.Context, _ flightsql.GetXdbcTypeInfo, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.XdbcTypeInfo)
}

// DoGetXdbcTypeInfo lists the types.
func (f *Face) DoGetXdbcTypeInfo(
	_ context.Context, in flightsql.GetXdbcTypeInfo,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	out := f.list(schema_ref.XdbcTypeInfo)
	for _, t := range sqlTypes {
		if in.GetDataType() == nil || *in.GetDataType() == t.number {
			t.append(out)
		}
	}
	return out.send()
}

// XDBC's numbers for: a column may be null, and may be used in any condition.
const (
	nullable   = 1
	searchable = 3
)

// append adds the type as a row. Fields that do not apply are null.
func (t sqlType) append(out list) {
	isNumber := t.quote == "" && t.name != "BOOLEAN"
	values := map[string]any{
		"type_name": t.name, "data_type": t.number, "nullable": int32(nullable), "case_sensitive": t.name == "VARCHAR",
		"searchable":       int32(searchable),
		"fixed_prec_scale": false, "local_type_name": t.name, "sql_data_type": t.number, "create_params": t.params,
	}
	if t.size > 0 {
		values["column_size"] = t.size
	}
	if t.quote != "" {
		values["literal_prefix"], values["literal_suffix"] = t.quote, t.quote
	}
	if isNumber {
		values["unsigned_attribute"], values["auto_increment"], values["num_prec_radix"] = false, false, int32(10)
	}
	for i, field := range out.Schema().Fields() {
		appendValue(out.Field(i), values[field.Name])
	}
}

func appendValue(b array.Builder, value any) {
	switch v := value.(type) {
	case string:
		b.(*array.StringBuilder).Append(v)
	case int32:
		b.(*array.Int32Builder).Append(v)
	case bool:
		b.(*array.BooleanBuilder).Append(v)
	case []string:
		list := b.(*array.ListBuilder)
		list.Append(true)
		for _, text := range v {
			list.ValueBuilder().(*array.StringBuilder).Append(text)
		}
	default:
		b.AppendNull()
	}
}
