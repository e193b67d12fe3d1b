package datafile

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	compact "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// encodeFooter returns the bytes of a footer in Thrift's compact protocol.
func encodeFooter(t *testing.T, footer *format.FileMetaData) []byte {
	t.Helper()
	text, err := compact.Marshal(new(compact.CompactProtocol), footer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever else is in a footer, the number of rows and the metadata are found in it.
func TestFootersOfAnyShape(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		footer := &format.FileMetaData{Version: 2, NumRows: random.Int64N(math.MaxInt64), CreatedBy: "x"}
		want := map[string]string{}
		for i := range random.IntN(20) {
			footer.KeyValueMetadata = append(footer.KeyValueMetadata, format.KeyValue{
				Key: fmt.Sprint("k", i), Value: strings.Repeat("ü", random.IntN(300)),
			})
			want[fmt.Sprint("k", i)] = footer.KeyValueMetadata[i].Value
		}
		for range random.IntN(20) {
			element := format.SchemaElement{Name: strings.Repeat("n", random.IntN(200))}
			element.NumChildren.V, element.NumChildren.Valid = int32(random.IntN(9)), random.IntN(2) == 0
			footer.Schema = append(footer.Schema, element)
			column := format.ColumnChunk{FileOffset: random.Int64()}
			column.MetaData.PathInSchema = []string{"a", "b"}
			column.MetaData.Statistics.MinValue = make([]byte, random.IntN(100))
			footer.RowGroups = append(footer.RowGroups, format.RowGroup{Columns: []format.ColumnChunk{column}})
		}
		rows, pairs, err := readMetadata(bytes.NewReader(encodeFooter(t, footer)))
		if err != nil || rows != footer.NumRows || !maps.Equal(pairs, want) {
			t.Fatalf("%d rows, not %d; %v, not %v (%v)", rows, footer.NumRows, pairs, want, err)
		}
	}
}

// A key or value that is too long for one of ours is passed over, not kept in memory.
func TestLongMetadataIsPassedOver(t *testing.T) {
	footer := &format.FileMetaData{NumRows: 7, KeyValueMetadata: []format.KeyValue{
		{Key: "arrow", Value: strings.Repeat("x", maxPair+1)}, {Key: "edge", Value: strings.Repeat("y", maxPair)},
		{Key: strings.Repeat("z", 1<<20), Value: "v"}, {Key: "last", Value: "w"},
	}}
	rows, pairs, err := readMetadata(bytes.NewReader(encodeFooter(t, footer)))
	want := map[string]string{"arrow": "", "edge": strings.Repeat("y", maxPair), "": "v", "last": "w"}
	if err != nil || rows != 7 || !maps.Equal(pairs, want) {
		t.Errorf("%d rows, %d pairs, %v", rows, len(pairs), err)
	}
}

// Claims of a malformed footer are neither believed nor followed without end.
func TestClaimsOfAFooter(t *testing.T) {
	list := func(typ byte, count ...byte) []byte {
		return append([]byte{pairsField<<4 | thriftList, 0xf0 | typ}, count...)
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}
	for name, text := range map[string][]byte{
		"nothing":                 nil,
		"a list of 2^64 pairs":    list(thriftStruct, huge...),
		"a list of numbers":       {pairsField<<4 | thriftList, 0x10 | thriftI64, 2, 0},
		"text of 2^64 bytes":      append([]byte{1<<4 | thriftBinary}, huge...),
		"text past the end":       {1<<4 | thriftBinary, 100, 'a'},
		"an unknown type":         {1<<4 | 13, 0},
		"a map":                   {1<<4 | 11, 0},
		"structs without end":     bytes.Repeat([]byte{1<<4 | thriftStruct}, 1000),
		"lists without end":       append([]byte{1<<4 | thriftList}, bytes.Repeat([]byte{0x10 | thriftList}, 1000)...),
		"a number without end":    append([]byte{rowsField<<4 | thriftI64}, bytes.Repeat([]byte{0xff}, 20)...),
		"fields without an end":   {1<<4 | thriftByte, 1},
		"a set cut in the middle": {1<<4 | thriftSet, 0x20 | thriftDouble, 1, 2, 3},
	} {
		if rows, pairs, err := readMetadata(bytes.NewReader(text)); err != errMetadata || rows != 0 || pairs != nil {
			t.Errorf("%s: %d, %v, %v", name, rows, pairs, err)
		}
	}
	// Every type that may be skipped is, and what follows is read.
	skipped := []byte{
		1<<4 | thriftTrue, 1<<4 | thriftSet, 0x20 | thriftTrue, 1, 2, // fields 1 and 2
		0 | thriftI64, 2 * rowsField, 2 * 5, // field 3, with its id written out
		1<<4 | thriftDouble, 1, 2, 3, 4, 5, 6, 7, 8, 2<<4 | thriftByte, 9, 1<<4 | thriftI16, 4, 1<<4 | thriftStruct, 0, 0,
	}
	if rows, _, err := readMetadata(bytes.NewReader(skipped)); err != nil || rows != 5 {
		t.Errorf("%d rows, %v", rows, err)
	}
}
