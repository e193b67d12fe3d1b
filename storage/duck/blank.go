//go:build duckdb_arrow

package duck

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
)

// DuckDB leaves what its memory had before in the places of nulls: addresses, and in a process that served another
// client, values of that client. Readers of Arrow ignore these places, but they are sent.

// blank clears the places of nulls in a batch that was just made.
func blank(batch arrow.RecordBatch) {
	for _, c := range batch.Columns() {
		blankArray(c.Data())
	}
}

func blankArray(a arrow.ArrayData) {
	for _, child := range a.Children() {
		blankArray(child)
	}
	buffers := a.Buffers()
	if len(buffers) < 2 || buffers[0] == nil || buffers[1] == nil {
		return
	}
	t := a.DataType()
	if e, ok := t.(arrow.ExtensionType); ok {
		t = e.StorageType()
	}
	fixed, ok := t.(arrow.FixedWidthDataType)
	if !ok {
		return // texts and lists: nulls have no length
	}
	blankValues(buffers[0].Bytes(), buffers[1].Bytes(), fixed.BitWidth())
}

// blankValues clears the values, of so many bits each, that are not valid.
func blankValues(valid, values []byte, width int) {
	for at, eight := range valid {
		if width == 1 && at < len(values) {
			values[at] &= eight
		}
		for nulls := ^eight; nulls != 0 && width >= 8; nulls &= nulls - 1 {
			i := (at*8 + bits.TrailingZeros8(nulls)) * width / 8
			if i >= len(values) {
				return // the bits after the last value
			}
			clear(values[i:min(i+width/8, len(values))])
		}
	}
}
