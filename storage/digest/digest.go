// Package digest computes a digest of a table from the values of its rows: the sum, modulo 2^256, of the SHA-256 of
// every row's encoding (encode.go). So the order of rows does not matter, and neither does what holds them: files,
// pages, the version of DuckDB. If rows are added to a table and others taken from it, its digest becomes the sum plus
// theirs and minus theirs, which costs what changed. Nulls are left out and numbers are encoded by value, so that a
// column that is added or widened leaves the digest as it is.
//
// Two tables with different rows have the same digest only by an accident that never happens. Somebody who may choose
// tens of thousands of records can construct such tables, since sums are not as strong as the hash under them: a digest
// proves that nothing was lost or changed by mistake, and is not a signature.
//
// The package knows Arrow, and nothing of datasets. server/web/manual/digests.md has the encoding for other programs,
// and fixtures/clients/digests.py is one of them: test_digests.py compares the two.
package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
)

// Sum is a sum of rows' digests, modulo 2^256. The first word is the lowest.
type Sum [4]uint64

// of returns the digest of one encoded row.
func of(row []byte) (s Sum) {
	hash := sha256.Sum256(row)
	for i := range s {
		s[i] = binary.BigEndian.Uint64(hash[len(hash)-8*(i+1):])
	}
	return s
}

// Plus returns the sum of two sums.
func (s Sum) Plus(o Sum) Sum {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
	return s
}

// Minus returns the sum without another, which Plus returns to what it was.
func (s Sum) Minus(o Sum) Sum {
	var borrow uint64
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], o[i], borrow)
	}
	return s
}

// encoding precedes the digits of a sum, and names the encoding of rows.
const encoding = "v1:"

// String returns the sum as it is shown and stored: v1: and 64 hexadecimal digits.
func (s Sum) String() string {
	var number [32]byte
	for i, word := range s {
		binary.BigEndian.PutUint64(number[len(number)-8*(i+1):], word)
	}
	return encoding + hex.EncodeToString(number[:])
}

// Parse reads what String returns.
func Parse(text string) (s Sum, err error) {
	digits, ok := strings.CutPrefix(text, encoding)
	number, err := hex.DecodeString(digits)
	if !ok || err != nil || len(number) != 8*len(s) {
		return s, fmt.Errorf("%q is not a digest", text)
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint64(number[len(number)-8*(i+1):])
	}
	return s, nil
}
