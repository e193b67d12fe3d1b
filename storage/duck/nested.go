//go:build duckdb_arrow

package duck

import (
	"maps"
	"math/big"
	"slices"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Nested is a value made of []any, map[string]any and the types of a Param's value. The elements of a list get one
// type: integers among decimals become decimals, numbers among doubles become doubles, and objects have the fields of
// all of them.
type Nested struct{ Value any }

// shape is the type of a nested value.
type shape struct {
	typ          duckdb.Type
	width, scale int               // of a decimal
	elem         *shape            // of a list
	fields       map[string]*shape // of a struct
}

func (n Nested) value() (v mapping.Value, err error) {
	s, err := shapeOf(n.Value)
	if err != nil {
		return v, err
	}
	return s.valueOf(n.Value)
}

// bigintWidth is the number of decimal digits of the largest BIGINT.
const bigintWidth = 19

func shapeOf(given any) (*shape, error) {
	switch v := given.(type) {
	case bool:
		return &shape{typ: duckdb.TYPE_BOOLEAN}, nil
	case int64:
		return &shape{typ: duckdb.TYPE_BIGINT, width: bigintWidth}, nil
	case float64:
		return &shape{typ: duckdb.TYPE_DOUBLE}, nil
	case string:
		return &shape{typ: duckdb.TYPE_VARCHAR}, nil
	case Decimal:
		return &shape{typ: duckdb.TYPE_DECIMAL, width: v.width(), scale: v.Scale}, nil
	case []any:
		return listShape(v)
	case map[string]any:
		return structShape(v)
	}
	return &shape{typ: duckdb.TYPE_SQLNULL}, nil
}

func listShape(list []any) (*shape, error) {
	elem := &shape{typ: duckdb.TYPE_SQLNULL}
	for _, part := range list {
		own, err := shapeOf(part)
		if err == nil {
			elem, err = elem.with(own)
		}
		if err != nil {
			return nil, err
		}
	}
	return &shape{typ: duckdb.TYPE_LIST, elem: elem}, nil
}

func structShape(object map[string]any) (*shape, error) {
	s := &shape{typ: duckdb.TYPE_STRUCT, fields: map[string]*shape{}}
	for name, part := range object {
		own, err := shapeOf(part)
		if err != nil {
			return nil, err
		}
		s.fields[name] = own
	}
	return s, nil
}

// with returns the common type of values of both types in one list.
func (s *shape) with(o *shape) (*shape, error) {
	switch {
	case s.typ == duckdb.TYPE_SQLNULL:
		return o, nil
	case o.typ == duckdb.TYPE_SQLNULL:
		return s, nil
	case s.number() && o.number():
		return s.numberWith(o), nil
	case s.typ != o.typ:
		return nil, errMixed
	case s.typ == duckdb.TYPE_LIST:
		elem, err := s.elem.with(o.elem)
		return &shape{typ: s.typ, elem: elem}, err
	case s.typ == duckdb.TYPE_STRUCT:
		return s.structWith(o)
	}
	return s, nil
}

func (s *shape) number() bool {
	return s.typ == duckdb.TYPE_BIGINT || s.typ == duckdb.TYPE_DOUBLE || s.typ == duckdb.TYPE_DECIMAL
}

// maxWidth is the maximum number of digits of a DECIMAL.
const maxWidth = 38

func (s *shape) numberWith(o *shape) *shape {
	if s.typ == duckdb.TYPE_BIGINT && o.typ == duckdb.TYPE_BIGINT {
		return s
	}
	scale := max(s.scale, o.scale)
	width := max(s.width-s.scale, o.width-o.scale) + scale
	if s.typ == duckdb.TYPE_DOUBLE || o.typ == duckdb.TYPE_DOUBLE || width > maxWidth {
		return &shape{typ: duckdb.TYPE_DOUBLE}
	}
	return &shape{typ: duckdb.TYPE_DECIMAL, width: width, scale: scale}
}

func (s *shape) structWith(o *shape) (*shape, error) {
	fields := maps.Clone(s.fields)
	for name, own := range o.fields {
		if before, ok := fields[name]; ok {
			both, err := before.with(own)
			if err != nil {
				return nil, err
			}
			own = both
		}
		fields[name] = own
	}
	return &shape{typ: s.typ, fields: fields}, nil
}

// logical returns the type as one of DuckDB's, which the caller destroys.
func (s *shape) logical() mapping.LogicalType {
	switch s.typ {
	case duckdb.TYPE_DECIMAL:
		return mapping.CreateDecimalType(uint8(s.width), uint8(s.scale))
	case duckdb.TYPE_LIST:
		elem := s.elem.logical()
		defer mapping.DestroyLogicalType(&elem)
		return mapping.CreateListType(elem)
	case duckdb.TYPE_STRUCT:
		names := slices.Sorted(maps.Keys(s.fields))
		types := make([]mapping.LogicalType, len(names))
		for i, name := range names {
			types[i] = s.fields[name].logical()
			defer mapping.DestroyLogicalType(&types[i])
		}
		return mapping.CreateStructType(types, names)
	}
	return mapping.CreateLogicalType(s.typ)
}

// valueOf returns the given value in the type, which the caller destroys.
func (s *shape) valueOf(given any) (mapping.Value, error) {
	if given == nil {
		return mapping.CreateNullValue(), nil
	}
	switch s.typ {
	case duckdb.TYPE_DOUBLE:
		return valueOf(asDouble(given))
	case duckdb.TYPE_DECIMAL:
		return s.decimal(given), nil
	case duckdb.TYPE_LIST:
		list, _ := given.([]any)
		elem := s.elem.logical()
		defer mapping.DestroyLogicalType(&elem)
		values, destroy, err := s.values(len(list), func(i int) (*shape, any) { return s.elem, list[i] })
		defer destroy()
		if err != nil {
			return mapping.Value{}, err
		}
		return mapping.CreateListValue(elem, values), nil
	case duckdb.TYPE_STRUCT:
		object, _ := given.(map[string]any)
		names := slices.Sorted(maps.Keys(s.fields))
		own := s.logical()
		defer mapping.DestroyLogicalType(&own)
		values, destroy, err := s.values(len(names), func(i int) (*shape, any) {
			return s.fields[names[i]], object[names[i]]
		})
		defer destroy()
		if err != nil {
			return mapping.Value{}, err
		}
		return mapping.CreateStructValue(own, values), nil
	}
	return valueOf(given)
}

// decimal converts an integer or a decimal to the type.
func (s *shape) decimal(given any) mapping.Value {
	d, ok := given.(Decimal)
	if n, whole := given.(int64); !ok && whole {
		d = Decimal{Digits: big.NewInt(n)}
	}
	shift := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(s.scale-d.Scale)), nil)
	digits := hugeint(shift.Mul(shift, d.Digits))
	return mapping.CreateDecimal(mapping.NewDecimal(uint8(s.width), uint8(s.scale), digits))
}

// values converts n values, each with its own type. The caller calls destroy, after an error too.
func (s *shape) values(n int, part func(i int) (*shape, any)) (values []mapping.Value, destroy func(), err error) {
	destroy = func() {
		for i := range values {
			mapping.DestroyValue(&values[i])
		}
	}
	for i := range n {
		of, given := part(i)
		v, err := of.valueOf(given)
		if err != nil {
			return nil, destroy, err
		}
		values = append(values, v)
	}
	return values, destroy, nil
}
