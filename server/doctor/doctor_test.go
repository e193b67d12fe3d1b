package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowback/rowback/server/doctor"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datadir"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// healthy is a store without faults, on a machine without any.
func healthy(t *testing.T) doctor.Subject {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	hook := func(string, string) error { return nil }
	_, isNew, held, err := datadir.Claim(dir, hook)
	if err != nil || !isNew {
		t.Fatal(isNew, err)
	}
	c, errOpen := catalog.Open(t.Context(), filepath.Join(dir, datadir.CatalogFile), func(string) error { return nil })
	if errOpen != nil {
		t.Fatal(errOpen)
	}
	m := datadir.Marker{ID: "a", CreatedAt: now.Add(-time.Hour)}
	if err := errors.Join(datadir.Write(dir, m, hook), c.Close(), held.Release()); err != nil {
		t.Fatal(err)
	}
	return doctor.Subject{
		Dir: dir, Version: "1.0.0", Memory: 8e9, MemoryLimit: 4e9, Connections: 1024, Descriptors: 4096, Now: now,
	}
}

// of returns the worst finding of a check.
func of(t *testing.T, s doctor.Subject, check string) doctor.Finding {
	t.Helper()
	var found doctor.Finding
	for _, f := range doctor.Examine(context.Background(), s) {
		if f.Check == check && (found.Check == "" || f.Status != doctor.OK) {
			found = f
		}
		if f.Status != doctor.OK && f.Remedy == "" {
			t.Errorf("%+v has no remedy", f)
		}
	}
	if found.Check == "" {
		t.Fatalf("nothing was found about %s", check)
	}
	return found
}

// certificate writes a certificate and its key.
func certificate(t *testing.T, until time.Time) (cert, key string) {
	t.Helper()
	private, errKey := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: until}
	der, errCert := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	raw, errRaw := x509.MarshalPKCS8PrivateKey(private)
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	err := errors.Join(errKey, errCert, errRaw,
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// Each fault is found, as what it is, with a remedy; without it, the same check is fine.
func TestFaultsAreFound(t *testing.T) {
	write := func(name, text string) func(*testing.T, *doctor.Subject) {
		return func(t *testing.T, s *doctor.Subject) {
			path := filepath.Join(s.Dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		check  string
		status doctor.Status
		says   string
		harm   func(*testing.T, *doctor.Subject)
	}{
		"newer format":                     {"store", doctor.Failed, "newer version", write("store.json", `{"id":"a","format_version":99}`)},
		"a catalog that is not a database": {"catalog", doctor.Warning, "damaged", write("catalog.db", "no database")},
		"settings that are not a database": {"settings", doctor.Failed, "damaged", write("settings.db", "no database")},
		"settings that are lost": {"settings", doctor.Failed, "missing",
			write("audit/2026-01-000000000000001.ndjson", "{}\n")},
		"in quarantine": {"quarantine", doctor.Warning, "1 objects", write("quarantine/x-1-incomplete", "")},
		"no catalog": {"catalog", doctor.Warning, "missing", func(t *testing.T, s *doctor.Subject) {
			if err := os.Remove(filepath.Join(s.Dir, "catalog.db")); err != nil {
				t.Fatal(err)
			}
		}},
		"open to others": {"permissions", doctor.Warning, "0755", func(t *testing.T, s *doctor.Subject) {
			if err := os.Chmod(s.Dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}},
		"a clock before the store": {"dates", doctor.Failed, "was made at", func(_ *testing.T, s *doctor.Subject) {
			s.Now = now.Add(-48 * time.Hour)
		}},
		"too little room":     {"disk", doctor.Failed, "must stay free", func(_ *testing.T, s *doctor.Subject) { s.MinFree = 1e18 }},
		"too high a limit":    {"memory", doctor.Failed, "the limit is", func(_ *testing.T, s *doctor.Subject) { s.MemoryLimit = 9e9 }},
		"too few descriptors": {"descriptors", doctor.Warning, "256", func(_ *testing.T, s *doctor.Subject) { s.Descriptors = 256 }},
		"an expired certificate": {"certificate", doctor.Failed, "expired on 2026-11-28", func(t *testing.T, s *doctor.Subject) {
			s.Cert, s.Key = certificate(t, now.Add(-24*time.Hour))
		}},
		"a certificate that expires soon": {"certificate", doctor.Warning, "expires on", func(t *testing.T, s *doctor.Subject) {
			s.Cert, s.Key = certificate(t, now.Add(24*time.Hour))
		}},
		"the key of another": {"certificate", doctor.Failed, "private key", func(t *testing.T, s *doctor.Subject) {
			s.Cert, _ = certificate(t, now.Add(9000*time.Hour))
			_, s.Key = certificate(t, now.Add(9000*time.Hour))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy(t)
			if c.check == "certificate" {
				s.Cert, s.Key = certificate(t, now.Add(9000*time.Hour))
			}
			if f := of(t, s, c.check); f.Status != doctor.OK {
				t.Fatalf("without it: %+v", f)
			}
			c.harm(t, &s)
			if f := of(t, s, c.check); f.Status != c.status || !strings.Contains(f.Detail, c.says) {
				t.Errorf("got %+v", f)
			}
		})
	}
}

// Examining a store leaves all its files as they were, and tells of a server that has it open.
func TestExaminingChangesNothing(t *testing.T) {
	s := healthy(t)
	list := func() (names []string) {
		entries, err := os.ReadDir(s.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, e.Name()+" "+info.ModTime().String())
		}
		return names
	}
	before := list()
	findings := doctor.Examine(context.Background(), s)
	if after := list(); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	if text, err := json.Marshal(findings); err != nil || !strings.Contains(string(text), `"check":"latency"`) {
		t.Errorf("%s, %v", text, err)
	}
	held, err := datadir.Lock(s.Dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	if f := of(t, s, "server"); !strings.Contains(f.Detail, "has the directory open") {
		t.Errorf("while it is open: %+v", f)
	}
}
