package signon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/rowback/rowback/server/access"
)

// discovery is what the provider has said of itself.
type discovery struct {
	mu     sync.Mutex
	found  *found
	failed time.Time // when it could not be read last
	why    error
}

// found is a provider that has been read, with its keys, which are read when they are needed.
type found struct {
	*oidc.Provider
	verifier *oidc.IDTokenVerifier
}

// Bounds of what is read from a provider.
const (
	timeout   = 10 * time.Second
	maxAnswer = 1 << 20
	askAgain  = 5 * time.Second // after it could not be read, and before its keys are read anew
)

// find reads what the provider says of itself, once. A provider that can't be read is asked again after a while only:
// requests must not wait for it one after the other.
func (p *Provider) find(ctx context.Context) (*found, error) {
	d := &p.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found != nil {
		return d.found, nil
	}
	if now := p.Now(); d.why != nil && now.Sub(d.failed) < askAgain && !now.Before(d.failed) {
		return nil, p.unavailable(d.why)
	}
	// What is read later, such as keys, must not depend on the request that happens to be first.
	base := oidc.ClientContext(context.WithoutCancel(ctx), p.HTTP)
	bounded, cancel := context.WithTimeout(base, timeout)
	defer cancel()
	read, err := oidc.NewProvider(bounded, p.Issuer)
	if err != nil {
		d.failed, d.why = p.Now(), err
		p.Log.Warn("the identity provider can't be used: logins by it are refused", "issuer", p.Issuer, "error", err)
		return nil, p.unavailable(err)
	}
	verifier := read.VerifierContext(base, &oidc.Config{
		SkipClientIDCheck: true, // there may be further audiences: see audience
		Now:               func() time.Time { return p.Now().Add(-leeway) },
	})
	d.found, d.why = &found{read, verifier}, nil
	p.Log.Info("the identity provider was read", "issuer", p.Issuer)
	return d.found, nil
}

// unavailable is the refusal of what needs the provider, which can't be asked. Why is for the log, except that it is
// another one than it should be.
func (p *Provider) unavailable(err error) error {
	why := "The identity provider " + p.Name() + " can't be reached. Try again in a moment, or log in with a token."
	if strings.Contains(err.Error(), "did not match the issuer") {
		why = "The identity provider " + p.Name() + " says that it is another issuer than --oidc-issuer names. " +
			"Have the operator give the issuer exactly as the provider does."
	}
	return &access.RefusedError{Why: why, Unavailable: true}
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// newClient returns a client for requests to a provider.
func newClient(now func() time.Time) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: &bounded{next: http.DefaultTransport.(*http.Transport).Clone(), now: now, seen: map[string]answer{}},
	}
}

// bounded reads no more than it must: answers have a greatest size, and what was read by GET without a token, such as
// keys, is not read again at once, however many tokens with unknown keys are shown.
type bounded struct {
	next http.RoundTripper
	now  func() time.Time
	mu   sync.Mutex
	seen map[string]answer
}

// answer is what was read from a URL.
type answer struct {
	at     time.Time
	header http.Header
	body   []byte
}

// RoundTrip sends a request, unless its answer was read a moment ago.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	url, isKept := r.URL.String(), r.Method == http.MethodGet && r.Header.Get("Authorization") == ""
	b.mu.Lock()
	kept, ok := b.seen[url]
	b.mu.Unlock()
	if now := b.now(); isKept && ok && now.Sub(kept.at) < askAgain && !now.Before(kept.at) {
		return kept.response(r), nil
	}
	got, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer+1))
	got.Body.Close()
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s is larger than %d bytes", r.URL.Host, maxAnswer)
	}
	if isKept && got.StatusCode == http.StatusOK {
		b.mu.Lock()
		b.seen[url] = answer{b.now(), got.Header, body}
		b.mu.Unlock()
	}
	got.Body = io.NopCloser(bytes.NewReader(body))
	return got, nil
}

// response returns what was read as an answer.
func (a answer) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
