package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/server/certs"
)

// issue writes a certificate with a number, which its own key signs, and returns the paths.
func issue(t *testing.T, dir string, number int64, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		DNSNames: []string{"localhost"},
	}
	body, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: body}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return cert, key
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// number is that of the certificate that a client is shown now.
func number(t *testing.T, config *tls.Config) int64 {
	t.Helper()
	pair, err := config.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.Int64()
}

// A certificate that is replaced is used within a second. While what replaces it is incomplete, the one before is.
func TestARenewedCertificateIsUsed(t *testing.T) {
	now := time.Now()
	later := func() time.Time { now = now.Add(2 * time.Second); return now }
	dir, log := t.TempDir(), &bytes.Buffer{}
	end := now.Add(time.Hour)
	cert, key := issue(t, dir, 1, end)
	pair, err := certs.Load(cert, key, slog.New(slog.NewTextHandler(log, nil)), later)
	if err != nil {
		t.Fatal(err)
	}
	config := pair.Config()
	if n := number(t, config); n != 1 || pair.Expires().Unix() != end.Unix() {
		t.Errorf("the certificate is number %d, and ends %s", n, pair.Expires())
	}
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	issue(t, dir, 2, now.Add(time.Hour))
	renewed, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, old) // only the certificate has been replaced so far
	if n := number(t, config); n != 1 {
		t.Errorf("with another's key, the certificate is number %d", n)
	}
	if !strings.Contains(log.String(), "stays in use") {
		t.Errorf("the log says %s", log)
	}
	write(t, key, append(renewed, '\n'))
	if n := number(t, config); n != 2 {
		t.Errorf("the certificate is number %d", n)
	}
	os.Remove(cert)
	if n := number(t, config); n != 2 {
		t.Errorf("without a file, the certificate is number %d", n)
	}
}

func TestAnExpiredCertificateIsWarnedOf(t *testing.T) {
	log := &bytes.Buffer{}
	cert, key := issue(t, t.TempDir(), 1, time.Now().Add(-time.Minute))
	if _, err := certs.Load(cert, key, slog.New(slog.NewTextHandler(log, nil)), nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "has expired") {
		t.Errorf("the log says %s", log)
	}
}

func TestFilesThatAreNoPair(t *testing.T) {
	dir := t.TempDir()
	cert, key := issue(t, dir, 1, time.Now().Add(time.Hour))
	log := slog.New(slog.DiscardHandler)
	if _, err := certs.Load(cert, filepath.Join(dir, "none"), log, nil); err == nil {
		t.Error("a key that is not there was read")
	}
	if _, err := certs.Load(key, cert, log, nil); err == nil {
		t.Error("a key was taken for a certificate")
	}
}
