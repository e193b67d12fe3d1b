package webhooks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secretPrefix marks a symmetric secret of the Standard Webhooks specification.
const secretPrefix = "whsec_"

// newSecret returns a secret of 256 random bits.
func newSecret() string {
	key := make([]byte, 32)
	rand.Read(key)
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// sign sets the three headers that authenticate a message: its id, the time of the attempt, and the HMAC-SHA256 of both
// and the body. A receiver that checks the time and remembers ids can't be sent the same message again by a third
// party.
func sign(h http.Header, secret, id string, at time.Time, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return fmt.Errorf("the secret can't be read: %w", err)
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + seconds + "."))
	mac.Write(body)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", seconds)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// newID returns a random id with a prefix that says what it is of.
func newID(prefix string) string {
	b := make([]byte, 16)
	rand.Read(b)
	return prefix + hex.EncodeToString(b)
}

// eventID returns the id of an event that is derived from what is recorded. It is the same whenever it is derived, so
// an event that is found twice is one message.
func eventID(kind Kind, about ...any) string {
	sum := sha256.Sum256(fmt.Append([]byte(kind+" "), about...))
	return "msg_" + hex.EncodeToString(sum[:16])
}
