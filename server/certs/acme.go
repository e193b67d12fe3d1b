package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	Expires() time.Time // when the certificate that is in use ends; of several, the first; zero: there is none
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
	asked   *asked

	mu     sync.Mutex
	warned time.Time
	ends   map[string]time.Time // of the certificates that were used last, by domain
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
	requests := &asked{next: http.DefaultTransport.(*http.Transport).Clone()}
	return &Acme{Authority: a, asked: requests, ends: map[string]time.Time{}, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.Dir), HostPolicy: autocert.HostWhitelist(a.Domains...),
		Email: a.Email, Client: &acme.Client{
			DirectoryURL: a.Directory, UserAgent: "rowback", HTTPClient: &http.Client{Transport: requests},
		},
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
		a.warn("no certificate: connections are refused. The domain must lead to this server's port 443",
			"domain", hello.ServerName, "error", err)
	}
	if err == nil && found.Leaf != nil && a.allows(hello.ServerName) { // and not one that answers the authority's question
		a.look(strings.TrimSuffix(hello.ServerName, "."), found.Leaf)
	}
	return found, err
}

// look warns of a certificate that is not renewed in time, and remembers when it ends. Renewal begins when a third of
// its life is left, and is tried again each half hour or so.
func (a *Acme) look(domain string, leaf *x509.Certificate) {
	a.mu.Lock()
	a.ends[domain] = leaf.NotAfter
	a.mu.Unlock()
	switch left := time.Until(leaf.NotAfter); {
	case left <= 0:
		a.warn("the certificate has expired and could not be renewed: clients refuse it", a.renewal(domain, leaf)...)
	case left < leaf.NotAfter.Sub(leaf.NotBefore)/4:
		a.warn("the certificate could not be renewed yet: the one before stays in use", a.renewal(domain, leaf)...)
	}
}

// renewal is what is said of a renewal that is late, with why if the authority was asked and refused.
func (a *Acme) renewal(domain string, leaf *x509.Certificate) []any {
	about := []any{"domain", domain, "valid_until", leaf.NotAfter}
	if err := a.asked.last(); err != nil {
		about = append(about, "error", err)
	}
	return about
}

// Expires returns when the first of the certificates ends that are in use.
func (a *Acme) Expires() (first time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, end := range a.ends {
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}

// allows reports whether certificates are wanted for a name: clients may ask for any.
func (a *Acme) allows(name string) bool {
	return a.manager.HostPolicy(context.Background(), strings.TrimSuffix(name, ".")) == nil
}

// warn logs what is wrong with certificates, at most once a minute: each connection finds out.
func (a *Acme) warn(what string, about ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.warned) >= time.Minute {
		a.warned = now
		a.Log.Error(what, append(about, "authority", a.Directory)...)
	}
}

// Keep asks for the certificates that are not there, before a client needs them, and looks at those that are, until ctx
// ends. The server must listen already. An authority that can't be asked now is asked again.
func (a *Acme) Keep(ctx context.Context) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	known := map[string]time.Time{}
	for {
		for _, domain := range a.Domains {
			got, err := a.certificate(&tls.ClientHelloInfo{
				ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			})
			if err == nil && got.Leaf != nil && !got.Leaf.NotAfter.Equal(known[domain]) {
				known[domain] = got.Leaf.NotAfter
				a.Log.Info("there is a certificate", "domain", domain, "valid_until", got.Leaf.NotAfter)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// asked are the requests to an authority. Renewals fail silently in autocert, so that why is remembered here.
type asked struct {
	next   http.RoundTripper
	mu     sync.Mutex
	failed error
}

// RoundTrip sends a request.
func (r *asked) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.next.RoundTrip(request)
	switch {
	case err != nil:
		r.note(err)
	case answer.StatusCode >= 400:
		r.note(fmt.Errorf("%s answered %s", request.URL.Host, answer.Status))
	case request.Method == http.MethodPost:
		r.note(nil)
	}
	return answer, err
}

func (r *asked) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
}

// last returns why the last request failed; nil: it did not.
func (r *asked) last() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
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
