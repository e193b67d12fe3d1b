package quartzbio

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
)

// The client fetches and sends files without its token, by URLs that are signed and expire.
const (
	uploadsPath   = root + "/uploads"
	downloadsPath = root + "/downloads"
	validFor      = time.Hour
)

// signer signs URLs, with a key that all servers of the settings share.
type signer struct {
	entries entries
	now     func() time.Time
}

// keyID is the id of the entry with the key.
const keyID = "signing key"

// key returns the key, which is made when it is needed first.
func (s signer) key(ctx context.Context) ([]byte, error) {
	e, ok, err := s.entries.get(ctx, keyKind, keyID)
	if err != nil {
		return nil, err
	}
	if !ok {
		made := make([]byte, sha256.Size)
		rand.Read(made)
		text, err := json.Marshal(made)
		if err != nil {
			return nil, err
		}
		if e, err = s.entries.add(ctx, entry{ID: keyID, Kind: keyKind, At: s.now(), Document: text}); err != nil {
			return nil, err
		}
	}
	var key []byte
	return key, json.Unmarshal(e.Document, &key)
}

// signature returns what proves that a URL is of this server.
func (s signer) signature(ctx context.Context, method, path, name, expires string) (string, error) {
	key, err := s.key(ctx)
	if err != nil {
		return "", err
	}
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(strings.Join([]string{method, path, name, expires}, "\n")))
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// The parameters of a signed URL.
const (
	dispositionParam = "response-content-disposition"
	expiresParam     = "Expires"
	signatureParam   = "Signature"
)

// dispositionOf is how the client finds a file's name in a URL: once escaped, as %3B%20filename%3D before it.
func dispositionOf(name string) string { return "attachment; filename=" + name }

// sign returns a path with parameters that allow one method on it for a while. A name is that of the file.
func (s signer) sign(ctx context.Context, method, path, name string) (string, error) {
	expires := strconv.FormatInt(s.now().Add(validFor).Unix(), 10)
	signature, err := s.signature(ctx, method, path, name, expires)
	if err != nil {
		return "", err
	}
	query := expiresParam + "=" + expires + "&" + signatureParam + "=" + signature
	if name != "" {
		escaped := strings.ReplaceAll(url.QueryEscape(dispositionOf(name)), "+", "%20")
		query = dispositionParam + "=" + escaped + "&" + query
	}
	return path + "?" + query, nil
}

// verify refuses a request whose URL was not signed, or has expired. It returns the name of the file.
func (s signer) verify(c *fiber.Ctx) (name string, err error) {
	name = strings.TrimPrefix(c.Query(dispositionParam), dispositionOf(""))
	method := c.Method()
	if method == http.MethodHead {
		method = http.MethodGet
	}
	want, err := s.signature(c.UserContext(), method, c.Path(), name, c.Query(expiresParam))
	if err != nil {
		return "", err
	}
	if !hmac.Equal([]byte(want), []byte(c.Query(signatureParam))) {
		return "", &host.Refusal{Status: http.StatusForbidden, Code: "signature_wrong",
			Detail: "The signature of this URL is wrong. Ask for the URL again, and use it as it is."}
	}
	until, err := strconv.ParseInt(c.Query(expiresParam), 10, 64)
	if err != nil || s.now().Unix() > until {
		return "", &host.Refusal{Status: http.StatusForbidden, Code: "url_expired",
			Detail: "This URL has expired. Ask for it again."}
	}
	return strings.Clone(name), nil
}
