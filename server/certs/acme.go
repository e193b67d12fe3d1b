package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// Source has the certificate under which connections are encrypted. protocols are offered by ALPN.
type Source interface {
	Config(protocols ...string) *tls.Config
}

// Authority is where certificates come from by themselves (ACME, RFC 8555).
type Authority struct {
	Domains   []string // that certificates are for; the first one, where a client names none
	Email     string   // that the authority may write to; empty: none
	Directory string   // the authority's URL; empty: Let's Encrypt
	Dir       string   // where the account's key and the certificates are kept
	Log       *slog.Logger
}

// Acme are certificates of an authority, which are renewed before they expire. The authority verifies that the domains
// lead here by a connection to port 443 of them (TLS-ALPN-01, RFC 8737), which the server answers as any other.
type Acme struct {
	Authority
	manager *autocert.Manager

	mu     sync.Mutex
	warned time.Time
}

// NewAcme returns the certificates of an authority, whose terms the operator accepts by asking for them. None is asked
// for yet.
func NewAcme(a Authority) (*Acme, error) {
	for i, domain := range a.Domains {
		plain, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
		if err != nil || net.ParseIP(domain) != nil || !strings.Contains(plain, ".") || strings.ContainsAny(plain, "*:/") {
			return nil, fmt.Errorf("%s is not the name of a host, such as data.example.com", domain)
		}
		a.Domains[i] = plain
	}
	if a.Directory == "" {
		a.Directory = acme.LetsEncryptURL
	}
	if !strings.HasPrefix(a.Directory, "https://") {
		return nil, fmt.Errorf("the authority's URL %s must begin with https://", a.Directory)
	}
	return &Acme{Authority: a, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.Dir), HostPolicy: autocert.HostWhitelist(a.Domains...),
		Email: a.Email, Client: &acme.Client{DirectoryURL: a.Directory, UserAgent: "rowback"},
	}}, nil
}

// Config returns how connections are encrypted, with TLS 1.2 or later.
func (a *Acme) Config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: append(protocols, acme.ALPNProto), GetCertificate: a.certificate,
	}
}

// certificate returns the certificate for a connection. The first one for a domain is asked for here, and the client
// waits.
func (a *Acme) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "" { // as of clients that know only the address: they may still trust the name
		hello.ServerName = a.Domains[0]
	}
	found, err := a.manager.GetCertificate(hello)
	if err != nil && a.allows(hello.ServerName) {
		a.warn(hello.ServerName, err)
	}
	return found, err
}

// allows reports whether certificates are wanted for a name: clients may ask for any.
func (a *Acme) allows(name string) bool {
	return a.manager.HostPolicy(context.Background(), strings.TrimSuffix(name, ".")) == nil
}

// warn logs, at most once a minute, that a domain has no certificate: every connection to it fails.
func (a *Acme) warn(domain string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.warned) >= time.Minute {
		a.warned = now
		a.Log.Error("no certificate: connections are refused. The domain must lead to this server's port 443",
			"domain", domain, "authority", a.Directory, "error", err)
	}
}

// Obtain asks for the certificates that are not there yet, before a client needs them. The server must listen already.
func (a *Acme) Obtain(ctx context.Context) {
	for _, domain := range a.Domains {
		hello := &tls.ClientHelloInfo{
			ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		}
		got, err := a.manager.GetCertificate(hello)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.warn(domain, err)
		case got.Leaf != nil:
			a.Log.Info("there is a certificate", "domain", domain, "valid_until", got.Leaf.NotAfter)
		}
	}
}

// CheckFlags refuses flags of both kinds of certificates at once, or one without the other.
func CheckFlags(cert, key string, domains []string, email, directory string) error {
	switch {
	case (cert == "") != (key == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both")
	case cert != "" && len(domains) > 0:
		return errors.New("--acme-domain has certificates made, and --tls-cert has one: give either")
	case len(domains) == 0 && (email != "" || directory != ""):
		return errors.New("--acme-email and --acme-directory need --acme-domain")
	}
	return nil
}
