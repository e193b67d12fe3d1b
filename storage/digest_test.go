package storage_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
)

// checkDigest compares the digest of a state with that of the model's records, which is computed the slow way.
func (m *model) checkDigest(c *change) {
	m.Helper()
	got, err := m.Digests.Of(context.Background(), m.dataset, strconv.FormatInt(c.id, 10))
	m.must(err)
	var records []map[string]any
	for k, r := range c.state {
		values := maps.Clone(r.values)
		if m.keyed {
			values["id"] = float64(k)
		}
		records = append(records, values)
	}
	if want := digestOf(records); got.Digest != want || got.Commit != c.id || got.Total != int64(len(records)) {
		m.Fatalf("the digest at %d (%s) is %+v; the model has %s of %d", c.id, c.mode, got, want, len(records))
	}
}

// digestOf is the digest of records, as the manual has it.
func digestOf(records []map[string]any) string {
	sum := new(big.Int)
	for _, r := range records {
		hash := sha256.Sum256(encodedFields(nil, r))
		sum.Add(sum, new(big.Int).SetBytes(hash[:]))
	}
	return fmt.Sprintf("v1:%064x", sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256)))
}

// encodedFields encodes the fields of a record or of a struct.
func encodedFields(to []byte, fields map[string]any) []byte {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		to = append(binary.AppendUvarint(to, uint64(len(name))), name...)
		switch v := fields[name].(type) {
		case string:
			to = append(binary.AppendUvarint(append(to, 's'), uint64(len(v))), v...)
		case float64:
			to = encodedNumber(to, new(big.Rat).SetFloat64(v))
		case map[string]any:
			to = encodedFields(binary.AppendUvarint(append(to, '{'), uint64(len(v))), v)
		default:
			panic(fmt.Sprintf("no encoding of a %T", v))
		}
	}
	return to
}

// encodedNumber encodes a number that is finite as a decimal.
func encodedNumber(to []byte, x *big.Rat) []byte {
	if x.Sign() == 0 {
		return append(to, '0')
	}
	mark := byte('+')
	if x.Sign() < 0 {
		mark = '-'
	}
	n, powers := new(big.Int).Abs(x.Num()), map[int64]int64{}
	for _, prime := range []int64{2, 5} {
		for _, part := range []struct {
			of    *big.Int
			count int64
		}{{n, 1}, {new(big.Int).Set(x.Denom()), -1}} {
			for {
				quotient, rest := new(big.Int).QuoRem(part.of, big.NewInt(prime), new(big.Int))
				if rest.Sign() != 0 {
					break
				}
				part.of.Set(quotient)
				powers[prime] += part.count
			}
		}
	}
	to = append(to, mark)
	for ; n.BitLen() > 7; n.Rsh(n, 7) {
		to = append(to, byte(n.Uint64())|0x80)
	}
	to = append(to, byte(n.Uint64()))
	return binary.AppendVarint(binary.AppendVarint(to, powers[2]), powers[5])
}

// digestAt returns the digest of a state.
func (b *bench) digestAt(dataset, ref string) string {
	b.Helper()
	d, err := b.Digests.Of(context.Background(), dataset, ref)
	if err != nil {
		b.Fatal(err)
	}
	return d.Digest
}
