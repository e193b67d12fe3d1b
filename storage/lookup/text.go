package lookup

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/rowback/rowback/storage/schema"
)

// Text returns the text of a value, which is not null, of a column of type t, that DuckDB casts to exactly that value;
// ok is false if it has none.
func Text(v parquet.Value, t schema.Type) (text string, ok bool) {
	switch t.Name {
	case schema.Boolean:
		return strconv.FormatBool(v.Boolean()), true
	case schema.Float, schema.Double:
		return floatText(v)
	case schema.Decimal:
		return decimalText(v, t.Scale), true
	case schema.Date:
		return dateText(time.Unix(int64(v.Int32())*86400, 0), time.DateOnly)
	case schema.Timestamp:
		return dateText(time.UnixMicro(v.Int64()), moment6)
	case schema.TimestampNS:
		return dateText(time.Unix(0, v.Int64()), moment9)
	case schema.TimestampTZ:
		text, ok = dateText(time.UnixMicro(v.Int64()), moment6)
		return text + "+00", ok
	case schema.Time:
		return time.UnixMicro(v.Int64()).UTC().Format("15:04:05.000000"), v.Int64() < int64(24*time.Hour/time.Microsecond)
	case schema.UUID:
		id, err := uuid.FromBytes(v.ByteArray())
		return id.String(), err == nil
	case schema.Varchar, schema.JSON:
		text = string(v.ByteArray())
		return text, utf8.ValidString(text) && !strings.ContainsRune(text, 0)
	}
	if t.IsInteger() {
		n := storedNumber(v, t)
		return n.plain(), true
	}
	return "", false
}

const (
	moment6 = "2006-01-02 15:04:05.000000"
	moment9 = "2006-01-02 15:04:05.000000000"
)

// dateText writes years of four digits: others, and what stands for infinity, are written otherwise.
func dateText(t time.Time, layout string) (string, bool) {
	t = t.UTC()
	return t.Format(layout), t.Year() > 0 && t.Year() < 10000
}

func floatText(v parquet.Value) (string, bool) {
	x, bits := v.Double(), 64
	if v.Kind() == parquet.Float {
		x, bits = float64(v.Float()), 32
	}
	return strconv.FormatFloat(x, 'g', -1, bits), !math.IsNaN(x) && !math.IsInf(x, 0)
}

// plain writes an integer.
func (v Value) plain() string {
	if v.text != "" {
		return v.text
	}
	return strconv.FormatInt(v.number, 10)
}

func decimalText(v parquet.Value, scale int) string {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	default:
		n = signedBytes(v.ByteArray())
	}
	digits, sign := new(big.Int).Abs(n).String(), ""
	if n.Sign() < 0 {
		sign = "-"
	}
	if scale == 0 {
		return sign + digits
	}
	digits = strings.Repeat("0", max(scale+1-len(digits), 0)) + digits
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}
