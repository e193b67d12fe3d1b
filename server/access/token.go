package access

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
)

// tokenPrefix begins every token that the server makes, so that one that leaked is recognized by scanners of secrets.
const tokenPrefix = "rbk_"

// A token is the prefix, 256 random bits and a checksum of both, in base 62: a mistyped or truncated token is known to
// be none without a look-up.
const (
	digits      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secretChars = 43 // 62^43 > 2^256
	checkChars  = 6  // 62^6 > 2^32
)

// NewToken returns a new token.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	secret := tokenPrefix + base62(new(big.Int).SetBytes(b), secretChars)
	return secret + checksum(secret)
}

// IsToken reports whether a text has the form of a token that the server made, and its checksum is right.
func IsToken(text string) bool {
	n := len(tokenPrefix) + secretChars
	return strings.HasPrefix(text, tokenPrefix) && len(text) == n+checkChars && checksum(text[:n]) == text[n:]
}

// checksum returns the last characters of a token.
func checksum(secret string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(secret)))), checkChars)
}

// base62 writes a number with a fixed number of digits.
func base62(n *big.Int, chars int) string {
	out, rest, base := make([]byte, chars), new(big.Int), big.NewInt(int64(len(digits)))
	for i := chars - 1; i >= 0; i-- {
		n.DivMod(n, base, rest)
		out[i] = digits[rest.Int64()]
	}
	return string(out)
}

// CheckUserName refuses names that users can't have: they are stored, shown, and sent in headers before a colon; a token
// in place of a name would be shown to others.
func CheckUserName(name string) error {
	switch {
	case !goodName(name) || strings.TrimSpace(name) != name || strings.Contains(name, ":"):
		return fmt.Errorf("a user's name has 1 to 255 bytes of UTF-8, no control characters, no colon, and no spaces around it")
	case strings.HasPrefix(name, tokenPrefix) || isSession(name):
		return fmt.Errorf("this looks like a token or a session, which are secret: a user's name is not")
	case name == Anonymous:
		return fmt.Errorf("%s is whoever sends no name", Anonymous)
	}
	return nil
}
