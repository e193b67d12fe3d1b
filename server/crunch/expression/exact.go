package expression

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strings"

	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/schema"
)

// exactly writes a value that a column of a type is to hold, and refuses one that would have to become another: the
// client would not be told. Numbers with a fraction are told apart by listing.
func exactly(v json.RawMessage, typ schema.Type) (string, error) {
	sql, err := literal(v, typ)
	if err != nil || sql == "NULL" {
		return sql, err
	}
	v = bytes.TrimSpace(v)
	isText, isBool := v[0] == '"', sql == "TRUE" || sql == "FALSE"
	ok := isText
	switch {
	case typ.Name == schema.Decimal:
		ok = !isText && !isBool && decimalHolds(string(v), typ)
		sql = duck.Text(string(v)) // as a number, DuckDB might read a DOUBLE
	case typ.IsNumber():
		ok = !isText && !isBool
	case typ.Name == schema.Boolean:
		ok = isBool || sql == "'true'" || sql == "'false'" // text, as clients read them
	case typ.Name == schema.Date:
		ok = isText && day.MatchString(sql)
	case strings.HasPrefix(typ.Name, "TIMESTAMP"):
		ok = isText && timeHolds(sql, typ)
	}
	if !ok && typ.IsNumber() && (isText || isBool) {
		return "", refuse("%s is not a number", fault.Clip(string(v)))
	}
	if !ok {
		return "", refuse("%s is not exactly a value of %s", fault.Clip(string(v)), typ)
	}
	return sql, nil
}

// day matches a date in SQL, which may be written as its midnight.
var day = regexp.MustCompile(`^'[+-]?\d{4,6}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?'$`)

// timeOfDay matches a time in SQL that has a fraction of a second or a zone.
var timeOfDay = regexp.MustCompile(`[T ]\d\d?:\d\d(?::\d\d(?:\.(\d+))?)?\s*([A-Za-z+-].*)?'$`)

// timeHolds reports whether a type holds a time as it is written, with its fraction of a second and its zone.
func timeHolds(sql string, typ schema.Type) bool {
	parts := timeOfDay.FindStringSubmatch(sql)
	if parts == nil {
		return true // a date, or nothing that DuckDB takes
	}
	digits := 6
	switch typ.Name {
	case "TIMESTAMP_S":
		digits = 0
	case "TIMESTAMP_MS":
		digits = 3
	case schema.TimestampNS:
		digits = 9
	}
	zoned := parts[2] != ""
	return len(strings.TrimRight(parts[1], "0")) <= digits && (!zoned || typ.Name == schema.TimestampTZ)
}

// decimalHolds reports whether a DECIMAL holds a JSON number with all of its digits.
func decimalHolds(number string, typ schema.Type) bool {
	f, _, err := big.ParseFloat(number, 10, 64, big.ToZero)
	if err != nil || f.Sign() != 0 && (f.MantExp(nil) > 128 || f.MantExp(nil) < -128) {
		return false // Rat would take the memory of all digits of 1e-999999999
	}
	exact, ok := new(big.Rat).SetString(number)
	if !ok {
		return false
	}
	scaled := exact.Mul(exact, new(big.Rat).SetInt(power(typ.Scale)))
	return scaled.IsInt() && scaled.Num().CmpAbs(power(typ.Width)) < 0
}

// power returns a power of ten.
func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// isDouble reports whether a DOUBLE holds an integer in SQL.
func isDouble(sql string) bool {
	n, ok := new(big.Int).SetString(sql, 10)
	if !ok {
		return true
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	back, _ := big.NewFloat(f).Int(nil)
	return !math.IsInf(f, 0) && back.Cmp(n) == 0
}

// exact writes what an expression gives as a value of a column's type, and an error where it is another. Numbers that
// are not decimals may widen their column.
func exact(sql string, c schema.Column) string {
	if c.Type.IsNumber() && c.Type.Name != schema.Decimal {
		return sql
	}
	parts := duck.Parts{
		"sql": sql, "type": c.Type.SQL(), "name": duck.Text(c.Type.String()),
		"says": duck.Text("what variable " + c.Name + " would become is not exactly a value of " + c.Type.String()),
	}
	if c.Type.Name == schema.Decimal || c.Type.IsMoment() || c.Type.Name == schema.TimestampTZ {
		return duck.Fill(`CASE WHEN ({sql}) IS NULL OR coalesce(TRY_CAST(({sql}) AS {type}) = ({sql}), false)
			THEN TRY_CAST(({sql}) AS {type}) ELSE error({says}) END`, parts)
	}
	return duck.Fill(`CASE WHEN ({sql}) IS NULL OR typeof({sql}) IN ({name}, '"NULL"')
		THEN TRY_CAST(({sql}) AS {type}) ELSE error({says}) END`, parts)
}
