package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A certificate whose renewal is late is warned of, with why only if the authority refused.
func TestWhatIsSaidOfALateRenewal(t *testing.T) {
	for _, why := range []error{nil, errors.New("it is busy")} {
		var log bytes.Buffer
		a := &Acme{ends: map[string]time.Time{}, asked: &asked{failed: why}}
		a.Log = slog.New(slog.NewTextHandler(&log, nil))
		now := time.Now()
		a.look("data.example.com", &x509.Certificate{NotBefore: now.Add(-80 * time.Hour), NotAfter: now.Add(8 * time.Hour)})
		if text := log.String(); !strings.Contains(text, "could not be renewed yet") ||
			strings.Contains(text, "error=") != (why != nil) || strings.Contains(text, "nil") {
			t.Errorf("%v: %s", why, text)
		}
	}
}
