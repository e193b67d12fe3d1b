package lookup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/FastFilter/xorfilter"
	"github.com/parquet-go/parquet-go"
)

// A key filter says which row groups of a file may have a key: one binary fuse filter of 16 bits for each row group,
// of the hashes of its keys. Of 65,536 groups that do not have a key, it names one; it never leaves out one that does.
//
// As an object, all integers little-endian:
//
//	mark      8 bytes, "RBKEYS02"
//	file      32 bytes, the SHA-256 of the file whose keys it has
//	columns   4 bytes, how many the key has; then the field id of each, 4 bytes
//	groups    4 bytes, how many; then of each
//	            rows, segment length, segment count, segment count × length, fingerprints: 4 bytes each
//	            seed: 8 bytes; then the fingerprints, 2 bytes each
//	checksum  32 bytes, the SHA-256 of all before it
const mark = "RBKEYS02" // 01 had fingerprints of 8 bits: of many row groups, it named some in vain

// Filter is the key filter of a file.
type Filter struct {
	File    string // the file's SHA-256, hexadecimal
	Columns []int  // field ids of the key
	groups  []filteredGroup
}

type filteredGroup struct {
	rows int64
	keys xorfilter.BinaryFuse[uint16]
}

// Size returns about how many bytes the filter has in memory.
func (f *Filter) Size() (bytes int64) {
	for _, g := range f.groups {
		bytes += 2*int64(len(g.keys.Fingerprints)) + 64
	}
	return bytes
}

// Rows returns how many rows the file has.
func (f *Filter) Rows() (rows int64) {
	for _, g := range f.groups {
		rows += g.rows
	}
	return rows
}

// Groups returns the row groups that may have one of the keys.
func (f *Filter) Groups(keys []Key) (groups []int) {
	hashes := make([]uint64, len(keys))
	for i, k := range keys {
		hashes[i] = k.Hash()
	}
	for g := range f.groups {
		for _, h := range hashes {
			if f.groups[g].keys.Contains(h) {
				groups = append(groups, g)
				break
			}
		}
	}
	return groups
}

// Build makes the filter of a file's keys. sum is the file's SHA-256, and the columns have the field ids given. stop is
// asked before each row group: an error ends the work.
func (f *File) Build(sum string, columns []Column, ids []int, stop func() error) (*Filter, error) {
	out := &Filter{File: sum, Columns: ids}
	var builder xorfilter.BinaryFuseBuilder
	for g, group := range f.RowGroups() {
		if err := stop(); err != nil {
			return nil, err
		}
		hashes, err := f.hashes(g, columns)
		if err != nil {
			return nil, err
		}
		filter, err := xorfilter.BuildBinaryFuse[uint16](&builder, hashes)
		if err != nil {
			return nil, err
		}
		filter.Fingerprints = slices.Clone(filter.Fingerprints) // the builder uses them again
		for _, h := range hashes {
			if !filter.Contains(h) {
				return nil, errMissing
			}
		}
		out.groups = append(out.groups, filteredGroup{group.NumRows(), filter})
	}
	return out, nil
}

var (
	errKeys    = fmt.Errorf("%w: a key is null", ErrUnfit)
	errMissing = fmt.Errorf("%w: its filter would leave out a key", ErrUnfit)
)

// hashes returns the hashes of the keys of a row group.
func (f *File) hashes(group int, columns []Column) (hashes []uint64, err error) {
	keys := make([][]byte, f.RowGroups()[group].NumRows())
	err = guarded(func() error {
		for _, c := range columns {
			seen := 0
			err := f.pages(group, c, func(first int, p parquet.Page) error {
				return eachValue(p, c.Type, func(row int, v Value) {
					keys[first+row] = Key{v}.appendTo(keys[first+row])
					seen++
				})
			})
			if err == nil && seen != len(keys) {
				err = errKeys
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	hashes = make([]uint64, len(keys))
	for i, k := range keys {
		hashes[i] = hashOf(k)
	}
	return hashes, err
}

// Encode returns the filter as an object.
func (f *Filter) Encode() ([]byte, error) {
	sum, err := hex.DecodeString(f.File)
	if err != nil || len(sum) != sha256.Size {
		return nil, errFilter
	}
	b := append([]byte(mark), sum...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.Columns)))
	for _, id := range f.Columns {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.groups)))
	for _, g := range f.groups {
		for _, n := range []int{
			int(g.rows), int(g.keys.SegmentLength), int(g.keys.SegmentCount), int(g.keys.SegmentCountLength),
			len(g.keys.Fingerprints),
		} {
			b = binary.LittleEndian.AppendUint32(b, uint32(n))
		}
		b = binary.LittleEndian.AppendUint64(b, g.keys.Seed)
		for _, p := range g.keys.Fingerprints {
			b = binary.LittleEndian.AppendUint16(b, p)
		}
	}
	check := sha256.Sum256(b)
	return append(b, check[:]...), nil
}

var errFilter = errors.New("lookup: it is not a key filter as it was written")

// Decode reads a filter. Whatever the bytes are, only those that Encode returned are one.
func Decode(data []byte) (*Filter, error) {
	body, check := data[:max(len(data)-sha256.Size, 0)], data[max(len(data)-sha256.Size, 0):]
	if sum := sha256.Sum256(body); len(body) < len(mark)+sha256.Size || !bytes.Equal(sum[:], check) ||
		string(body[:len(mark)]) != mark {
		return nil, errFilter
	}
	d := decoder{rest: body[len(mark)+sha256.Size:]}
	f := &Filter{File: hex.EncodeToString(body[len(mark) : len(mark)+sha256.Size])}
	for range d.number() {
		f.Columns = append(f.Columns, int(d.number()))
	}
	for range d.number() {
		f.groups = append(f.groups, d.group())
	}
	if d.short || len(d.rest) > 0 {
		return nil, errFilter
	}
	return f, nil
}

// decoder takes bytes from the front of a filter. What passed the checksum is as it was written; a mistake of ours must
// not become a panic even so.
type decoder struct {
	rest  []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if d.short = d.short || n > len(d.rest); d.short {
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) number() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) group() (g filteredGroup) {
	g.rows = int64(d.number())
	g.keys.SegmentLength = d.number()
	g.keys.SegmentLengthMask = g.keys.SegmentLength - 1
	g.keys.SegmentCount, g.keys.SegmentCountLength = d.number(), d.number()
	n := int(d.number())
	if b := d.take(8); b != nil {
		g.keys.Seed = binary.LittleEndian.Uint64(b)
	}
	prints := d.take(2 * n)
	d.short = d.short || n != int(g.keys.SegmentCountLength)+2*int(g.keys.SegmentLength)
	g.keys.Fingerprints = make([]uint16, len(prints)/2)
	for i := range g.keys.Fingerprints {
		g.keys.Fingerprints[i] = binary.LittleEndian.Uint16(prints[2*i:])
	}
	return g
}
