//go:build duckdb_arrow

package duck

import (
	"fmt"
	"math/big"
	"strconv"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Param is a value for a parameter of a statement. Name is the parameter's name, or its number, from 1, as text. Value
// is nil, bool, int64, float64, string, []byte, Decimal, Moment, []any of those, or Nested.
type Param struct {
	Name  string
	Value any
}

// Decimal is Digits / 10^Scale, with at most 38 digits.
type Decimal struct {
	Digits *big.Int
	Scale  int
}

// Moment is a date, a time of day or a point in time, counted in the units of its type since midnight or since 1970.
type Moment struct {
	Type  string // DATE (days), TIME, TIMESTAMP, TIMESTAMP WITH TIME ZONE (microseconds) or TIMESTAMP_NS (nanoseconds)
	Count int64
}

// moments has the constructors of DuckDB's values for each type of Moment.
var moments = map[string]struct {
	typ   duckdb.Type
	value func(count int64) mapping.Value
}{
	"DATE": {duckdb.TYPE_DATE, func(n int64) mapping.Value {
		return mapping.CreateDate(mapping.NewDate(int32(n)))
	}},
	"TIME": {duckdb.TYPE_TIME, func(n int64) mapping.Value {
		return mapping.CreateTime(mapping.NewTime(n))
	}},
	"TIMESTAMP": {duckdb.TYPE_TIMESTAMP, func(n int64) mapping.Value {
		return mapping.CreateTimestamp(mapping.NewTimestamp(n))
	}},
	"TIMESTAMP WITH TIME ZONE": {duckdb.TYPE_TIMESTAMP_TZ, func(n int64) mapping.Value {
		return mapping.CreateTimestampTZ(mapping.NewTimestamp(n))
	}},
	"TIMESTAMP_NS": {duckdb.TYPE_TIMESTAMP_NS, func(n int64) mapping.Value {
		return mapping.CreateTimestampNS(mapping.NewTimestampNS(n))
	}},
}

// width returns the number of digits of the decimal's type.
func (d Decimal) width() int {
	return max(len(new(big.Int).Abs(d.Digits).String()), d.Scale)
}

// bindParams binds values to all parameters of a prepared statement.
func bindParams(stmt mapping.PreparedStatement, params []Param) error {
	byName := map[string]any{}
	for _, p := range params {
		byName[p.Name] = p.Value
	}
	for i := range int(mapping.NParams(stmt)) {
		name := mapping.ParameterName(stmt, mapping.IdxT(i+1))
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		given, ok := byName[name]
		if !ok {
			msg := fmt.Sprintf("Invalid Input Error: parameter $%s has no value", name)
			return &duckdb.Error{Type: duckdb.ErrorTypeInvalidInput, Msg: msg}
		}
		if err := bindParam(stmt, i+1, given); err != nil {
			return err
		}
	}
	return nil
}

func bindParam(stmt mapping.PreparedStatement, number int, given any) error {
	value, err := valueOf(given)
	if err != nil {
		return err
	}
	defer mapping.DestroyValue(&value)
	if mapping.BindValue(stmt, mapping.IdxT(number), value) == mapping.StateError {
		return statementError(mapping.PrepareError(stmt))
	}
	return nil
}

// valueOf converts a value to one of DuckDB's, which the caller destroys.
func valueOf(given any) (mapping.Value, error) {
	switch v := given.(type) {
	case nil:
		return mapping.CreateNullValue(), nil
	case bool:
		return mapping.CreateBool(v), nil
	case int64:
		return mapping.CreateInt64(v), nil
	case float64:
		return mapping.CreateDouble(v), nil
	case string:
		return mapping.CreateVarcharLength(v, mapping.IdxT(len(v))), nil
	case Decimal:
		return mapping.CreateDecimal(mapping.NewDecimal(uint8(v.width()), uint8(v.Scale), hugeint(v.Digits))), nil
	case []byte:
		return mapping.CreateBlob(v), nil
	case Moment:
		if m, ok := moments[v.Type]; ok {
			return m.value(v.Count), nil
		}
	case []any:
		return listOf(v)
	case Nested:
		return v.value()
	}
	return mapping.Value{}, fmt.Errorf("a parameter can't be a %T", given)
}

// hugeint converts n, of at most 128 bits, to two's complement halves.
func hugeint(n *big.Int) mapping.HugeInt {
	upper, lower := new(big.Int).DivMod(n, new(big.Int).Lsh(big.NewInt(1), 64), new(big.Int))
	return mapping.NewHugeInt(lower.Uint64(), upper.Int64())
}

// errMixed refuses a list whose values have no common type.
var errMixed = &duckdb.Error{
	Type: duckdb.ErrorTypeInvalidInput,
	Msg: "Invalid Input Error: a list's values must all be of one kind: " +
		"numbers, strings, booleans, binaries, dates or times, or nulls among them",
}

// listOf converts a list. Its type is that of its values; numbers of different types become DOUBLE.
func listOf(list []any) (mapping.Value, error) {
	typ, err := elementType(list)
	if err != nil {
		return mapping.Value{}, err
	}
	logical := mapping.CreateLogicalType(typ)
	defer mapping.DestroyLogicalType(&logical)
	values := make([]mapping.Value, len(list))
	for i, given := range list {
		if typ == duckdb.TYPE_DOUBLE {
			given = asDouble(given)
		}
		v, err := valueOf(given)
		if err != nil {
			return v, err
		}
		values[i] = v
		defer mapping.DestroyValue(&values[i])
	}
	return mapping.CreateListValue(logical, values), nil
}

// elementType returns the common type of the values of a list that are not null.
func elementType(list []any) (duckdb.Type, error) {
	typ := duckdb.TYPE_SQLNULL
	for _, v := range list {
		own := duckdb.TYPE_SQLNULL
		switch v := v.(type) {
		case nil:
			continue
		case []byte:
			own = duckdb.TYPE_BLOB
		case Moment:
			own = moments[v.Type].typ
		case bool:
			own = duckdb.TYPE_BOOLEAN
		case int64:
			own = duckdb.TYPE_BIGINT
		case float64, Decimal:
			own = duckdb.TYPE_DOUBLE
		case string:
			own = duckdb.TYPE_VARCHAR
		}
		number := own == duckdb.TYPE_BIGINT || own == duckdb.TYPE_DOUBLE
		switch {
		case typ == duckdb.TYPE_SQLNULL:
			typ = own
		case number && (typ == duckdb.TYPE_BIGINT || typ == duckdb.TYPE_DOUBLE):
			if own != typ {
				typ = duckdb.TYPE_DOUBLE
			}
		case own != typ:
			return typ, errMixed
		}
		if own == duckdb.TYPE_SQLNULL {
			return typ, errMixed
		}
	}
	return typ, nil
}

func asDouble(v any) any {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case Decimal:
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.Scale)), nil)
		f, _ := new(big.Rat).SetFrac(n.Digits, scale).Float64()
		return f
	}
	return v
}
