// Package certs gives a server its certificate: the one that lies in two files, and the new one once they are replaced
// (certs.go), or one that an authority issues and renews by itself (acme.go). Neither renewal needs a restart.
package certs

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Pair is a certificate with its key, as PEM in two files.
type Pair struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string    // of the files, when they were last read
	looked  time.Time // when the files were last looked at
}

// Load reads a certificate and its key. now may be nil: time.Now.
func Load(certFile, keyFile string, log *slog.Logger, now func() time.Time) (*Pair, error) {
	if now == nil {
		now = time.Now
	}
	p := &Pair{certFile: certFile, keyFile: keyFile, log: log, now: now, looked: now()}
	stamp, err := p.stampOf()
	if err != nil {
		return nil, err
	}
	p.stamp = stamp
	p.current, err = p.read()
	return p, err
}

// Config returns how connections are encrypted, with TLS 1.2 or later. protocols are offered by ALPN.
func (p *Pair) Config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate(), nil },
	}
}

// Expires returns when the certificate ends.
func (p *Pair) Expires() time.Time { return p.certificate().Leaf.NotAfter }

// certificate returns the certificate as it is in the files now. While they can't be read, such as between the
// replacement of the one and of the other, that is the one before.
func (p *Pair) certificate() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Sub(p.looked) < time.Second {
		return p.current
	}
	p.looked = p.now()
	stamp, err := p.stampOf()
	if err == nil && stamp == p.stamp {
		return p.current
	}
	var renewed *tls.Certificate
	if err == nil {
		renewed, err = p.read()
	}
	if err != nil {
		p.log.Warn("the new certificate can't be read: the one before stays in use", "error", err)
		return p.current
	}
	p.current, p.stamp = renewed, stamp
	p.log.Info("the certificate was replaced", "valid_until", renewed.Leaf.NotAfter)
	return p.current
}

// read reads the files. The key must be the certificate's.
func (p *Pair) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate %s with the key %s: %w", p.certFile, p.keyFile, err)
	}
	if p.now().After(pair.Leaf.NotAfter) {
		p.log.Warn("the certificate has expired: clients will refuse it", "valid_until", pair.Leaf.NotAfter)
	}
	return &pair, nil
}

// stampOf returns what changes when the files are replaced.
func (p *Pair) stampOf() (stamp string, err error) {
	for _, path := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		stamp += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), " ")
	}
	return stamp, nil
}
