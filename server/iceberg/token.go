package iceberg

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// The grants of OAuth2 that engines ask for.
const (
	clientCredentials = "client_credentials"
	tokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessToken       = "urn:ietf:params:oauth:token-type:access_token"
)

// tokenError is an error of OAuth2 (RFC 6749, section 5.2).
type tokenError struct {
	status      int
	code        string
	description string
}

// Error implements error.
func (e *tokenError) Error() string { return e.description }

func (e *tokenError) send(c *fiber.Ctx) error {
	text, err := json.Marshal(map[string]string{"error": e.code, "error_description": e.description})
	if err != nil {
		return err
	}
	c.Status(e.status).Set("Content-Type", "application/json")
	return c.Send(text)
}

// maxForm is the largest body of a request for a token, in bytes.
const maxForm = 64 << 10

// token grants a Bearer token for an API token, which comes as a client's secret: itself. So it is revoked, and expires,
// as that one does.
func (f *Face) token(c *fiber.Ctx) error {
	if err := f.host.MayLogin(c); err != nil {
		return err
	}
	body, err := f.host.ReadBody(c, maxForm)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return &tokenError{http.StatusBadRequest, "invalid_request", "The body is not application/x-www-form-urlencoded."}
	}
	client, secret := form.Get("client_id"), form.Get("client_secret")
	switch form.Get("grant_type") {
	case clientCredentials:
		if user, password, ok := basic(c.Get("Authorization")); ok && secret == "" {
			client, secret = user, password
		}
	case tokenExchange:
		secret = form.Get("subject_token")
	default:
		return &tokenError{http.StatusBadRequest, "unsupported_grant_type", "Send grant_type=client_credentials."}
	}
	var refused *fiber.Error
	if err := f.host.Vouch(c, client, secret); errors.As(err, &refused) {
		return &tokenError{refused.Code, "invalid_client", refused.Message}
	} else if err != nil {
		return err
	}
	return show(c, map[string]string{
		"access_token": secret, "token_type": "bearer", "issued_token_type": accessToken,
	})
}

// basic reads a header of the scheme Basic.
func basic(header string) (user, password string, ok bool) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	pair, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(pair), ":")
}
