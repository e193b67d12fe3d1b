// Package access is who may use the server, and as whom: one rule for every face.
//
// A client shows a token; the token tells the user. A server without tokens lets everyone in, as "anonymous" or under the
// name that they log in with, and so listens to its own machine only, unless it is told otherwise.
package access

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"unicode"
)

// Anonymous is the user who has no name.
const Anonymous = "anonymous"

// Tokens are the users by token; none: everyone is let in.
type Tokens map[string]string

// loginPrefix begins what Login gives where the server has no tokens: the name that someone logged in with follows.
const loginPrefix = "login."

// Identify finds out who asks, by the headers Authorization (Bearer) and Cookie (token). user is empty where a token is
// wanted and there is none that is right. Where the server has no tokens, everyone is someone: known tells whether the
// request said so in any way.
func (t Tokens) Identify(authorization, cookie string) (user string, known bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = cookie
	}
	token = strings.TrimSpace(token)
	if len(t) > 0 {
		user, known = t[token]
		return user, known
	}
	for _, said := range []string{cookie, token} {
		if name, ok := loginName(said); ok {
			return name, true
		}
	}
	return Anonymous, cookie != "" || authorization != ""
}

// Login returns the token of whoever logs in: where the server has tokens, the password must be one.
func (t Tokens) Login(name, password string) (token string, ok bool) {
	if len(t) == 0 {
		return loginPrefix + base64.RawURLEncoding.EncodeToString([]byte(name)), goodName(name)
	}
	_, ok = t[password]
	return password, ok
}

// Basic finds out who asks, by an Authorization header of the scheme Basic: the user's name, and as the password the
// user's own token. ok is false where the header is of another scheme.
func (t Tokens) Basic(authorization string) (user, token string, ok bool) {
	scheme, text, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		pair, err = base64.RawStdEncoding.DecodeString(strings.TrimSpace(text))
	}
	name, password, found := strings.Cut(string(pair), ":")
	if err != nil || !found {
		return "", "", true
	}
	token, ok = t.Login(name, password)
	if !ok || len(t) > 0 && t[token] != name {
		return "", "", true
	}
	return name, token, true
}

// loginName is the name in what Login gave where the server has no tokens.
func loginName(token string) (name string, ok bool) {
	text, ok := strings.CutPrefix(token, loginPrefix)
	if !ok {
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	return string(b), err == nil && goodName(string(b))
}

func goodName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, unicode.IsControl)
}

// CheckAddress refuses to listen beyond this machine without tokens, unless that is asked for. flag names where the
// address was given.
func (t Tokens) CheckAddress(flag, addr string, open bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s %s: write it as host:port", flag, addr)
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if len(t) == 0 && !local && !open {
		return fmt.Errorf("%s %s can be reached from other machines: give --token user:token, or --open to let anyone in", flag, addr)
	}
	return nil
}
