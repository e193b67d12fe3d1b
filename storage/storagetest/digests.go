package storagetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
)

// DataFiles returns the paths of the files of a dataset's newest commit.
func (b *Bench) DataFiles(d string) []string {
	b.Helper()
	paths, err := filepath.Glob(filepath.Join(b.Dir, "objects", d, b.Head(d), "*.parquet"))
	b.Must(err)
	return paths
}

// Head is HeadID as text.
func (b *Bench) Head(d string) string { return fmt.Sprint(b.HeadID(d)) }

// DigestOf is the digest of records, as the manual has it.
func DigestOf(records []map[string]any) string {
	sum := new(big.Int)
	for _, r := range records {
		hash := sha256.Sum256(EncodedFields(nil, r))
		sum.Add(sum, new(big.Int).SetBytes(hash[:]))
	}
	return fmt.Sprintf("v1:%064x", sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256)))
}

// EncodedFields encodes the fields of a record or of a struct.
func EncodedFields(to []byte, fields map[string]any) []byte {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		to = append(binary.AppendUvarint(to, uint64(len(name))), name...)
		switch v := fields[name].(type) {
		case string:
			to = append(binary.AppendUvarint(append(to, 's'), uint64(len(v))), v...)
		case float64:
			to = EncodedNumber(to, new(big.Rat).SetFloat64(v))
		case map[string]any:
			to = EncodedFields(binary.AppendUvarint(append(to, '{'), uint64(len(v))), v)
		default:
			panic(fmt.Sprintf("no encoding of a %T", v))
		}
	}
	return to
}

// EncodedNumber encodes a number that is finite as a decimal.
func EncodedNumber(to []byte, x *big.Rat) []byte {
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

// DigestAt returns the digest of a state.
func (b *Bench) DigestAt(dataset, ref string) string {
	b.Helper()
	d, err := b.Digests.Of(context.Background(), dataset, ref)
	if err != nil {
		b.Fatal(err)
	}
	return d.Digest
}
