package access

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Fixed are the tokens that the operator gives in options and files, by their hashes. They are not in the directory.
type Fixed map[Hash]FixedUser

// Where tokens of the operator come from. Tokens of the directory have other ids.
const (
	fromOption = "option"
	fromFile   = "file"
)

// FixedUser is the user of such a token, with a role in all projects.
type FixedUser struct {
	Name   string
	Role   Role
	Source string // fromOption or fromFile
}

// Role returns the greatest role of a user's tokens; None: the user has none.
func (f Fixed) Role(user string) Role {
	most := None
	for _, one := range f {
		if one.Name == user {
			most = max(most, one.Role)
		}
	}
	return most
}

// Tokens maps tokens, as they are given with --token, to users, who are admins.
type Tokens map[string]string

// Fixed returns the tokens by their hashes.
func (t Tokens) Fixed() Fixed {
	out := Fixed{}
	for token, user := range t {
		out[HashOf(token)] = FixedUser{user, Admin, fromOption}
	}
	return out
}

// CheckToken refuses a token that does not fit a header and a cookie.
func CheckToken(token string) error {
	if token == "" || strings.ContainsAny(token, " ,;\"\\") {
		return errors.New("a token can't be empty, or have spaces, commas, semicolons, quotes or backslashes, because " +
			"it is sent in headers and cookies")
	}
	return nil
}

// ReadFile reads a file of tokens: a line has user:token, or user:sha256:HEX with the SHA-256 of the token, and may
// have a role after a space; without one, the user is an admin. Empty lines and those that begin with # are left out.
// Errors name the line, and nothing that is in it.
func ReadFile(path string) (Fixed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := Fixed{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		hash, user, err := readLine(line)
		if _, twice := out[hash]; err == nil && twice {
			err = errors.New("this token is in the file twice")
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		out[hash] = user
	}
	return out, lines.Err()
}

// readLine reads a line of a file of tokens.
func readLine(line string) (hash Hash, user FixedUser, err error) {
	name, rest, ok := strings.Cut(line, ":")
	words := strings.Fields(rest)
	if !ok || !goodName(name) || len(words) == 0 || len(words) > 2 {
		return hash, user, errors.New("write it as user:token or user:sha256:HEX, and after a space a role, or none")
	}
	user = FixedUser{name, Admin, fromFile}
	if len(words) == 2 {
		if user.Role, err = ParseRole(words[1]); err != nil {
			return hash, user, err
		}
	}
	text, isHash := strings.CutPrefix(words[0], "sha256:")
	if !isHash {
		return HashOf(words[0]), user, CheckToken(words[0])
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != len(hash) {
		return hash, user, errors.New("a SHA-256 has 64 hexadecimal digits")
	}
	return Hash(sum), user, nil
}
