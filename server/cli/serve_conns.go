package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/certs"
	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/rates"
)

// connections are the flags about who may connect, and how long a connection may be silent.
type connections struct {
	Host                     []string      `help:"${host}" placeholder:"NAME"`
	MaxConnections           int           `help:"${max_connections}" placeholder:"N"`
	MaxConnectionsPerAddress int           `help:"${max_connections_per_address}" placeholder:"N"`
	HeaderTimeout            time.Duration `help:"${header_timeout}" default:"10s"`
	BodyTimeout              time.Duration `help:"Longest pause in the body of a request." default:"2m"`
	IdleTimeout              time.Duration `help:"How long an idle connection is kept open between requests." default:"2m"`
}

// timeouts are those of requests; bodies have theirs in the pool of connections.
func (c connections) timeouts() host.Timeouts {
	return host.Timeouts{Header: c.HeaderTimeout, Idle: c.IdleTimeout}
}

// pool returns the pool that counts the connections of every face.
func (cmd *serveCmd) pool(log *slog.Logger) (*conns.Pool, error) {
	c := cmd.Connections
	descriptors := conns.Descriptors()
	if c.MaxConnections < 0 || c.MaxConnectionsPerAddress < 0 {
		return nil, fmt.Errorf("--max-connections and --max-connections-per-address must be 1 or more")
	}
	if descriptors > 0 && c.MaxConnections >= descriptors {
		return nil, fmt.Errorf(
			"--max-connections %d: this process may open only %d files, and needs some for itself: "+
				"raise the limit with ulimit -n",
			c.MaxConnections, descriptors)
	}
	limits := conns.Limits{
		Overall: c.MaxConnections, PerAddress: c.MaxConnectionsPerAddress, Body: c.BodyTimeout, Answer: cmd.QueryTimeout,
	}
	if limits.Overall == 0 {
		limits.Overall = conns.DefaultOverall(descriptors)
	}
	if limits.PerAddress == 0 {
		limits.PerAddress = conns.DefaultPerAddress(limits.Overall)
	}
	return conns.NewPool(limits, log), nil
}

// rates returns the limiter of requests; nil without a limit.
func (cmd *serveCmd) rates() (*rates.Limiter, error) {
	switch {
	case cmd.RateLimit < 0 || cmd.TokenRate < 0:
		return nil, errors.New("--rate-limit and --token-rate-limit must be 0, for no limit, or more")
	case cmd.TokenRate > 0 && cmd.RateLimit == 0:
		return nil, errors.New("--token-rate-limit needs --rate-limit, the limit of a user over all tokens: without it, " +
			"more tokens would allow more requests")
	}
	return rates.New(rates.Limits{PerSecond: cmd.RateLimit, PerToken: cmd.TokenRate}, nil), nil
}

// shareRates has the limits of requests hold for all servers that share the settings.
func (s *serving) shareRates(ctx context.Context) {
	if s.shared.rates == nil {
		return
	}
	counts := rates.InSettings(s.settings)
	s.closeAtEnd("the counts of requests", counts.Close)
	s.shared.rates.Share(counts, func(ctx context.Context) (int, error) {
		all, err := s.store.Servers(ctx)
		return len(all), err
	}, s.log)
	s.atEnd(inBackground(ctx, s.shared.rates.Keep))
}

// isEncrypted reports whether connections are encrypted.
func (cmd *serveCmd) isEncrypted() bool { return cmd.TLSCert != "" || len(cmd.AcmeDomain) > 0 }

// acmeDir is where certificates are kept that an authority has issued, in the data directory.
const acmeDir = "acme"

// certificate returns where the certificate comes from; nil: there is none, and connections are not encrypted.
func (cmd *serveCmd) certificate(dir string, log *slog.Logger) (certs.Source, error) {
	err := certs.CheckFlags(cmd.TLSCert, cmd.TLSKey, cmd.AcmeDomain, cmd.AcmeEmail, cmd.AcmeDirectory)
	switch {
	case err != nil:
		return nil, err
	case cmd.TLSCert != "":
		return certs.Load(cmd.TLSCert, cmd.TLSKey, log, nil)
	case len(cmd.AcmeDomain) == 0:
		return nil, nil
	}
	made, err := certs.NewAcme(certs.Authority{
		Domains: cmd.AcmeDomain, Email: cmd.AcmeEmail, Directory: cmd.AcmeDirectory, Dir: filepath.Join(dir, acmeDir),
		Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("--acme-domain: %w", err)
	}
	return made, nil
}

// listen opens the port of the HTTP faces, encrypted if there is a certificate.
func (cmd *serveCmd) listen(pool *conns.Pool, pair certs.Source) (net.Listener, error) {
	listener, err := net.Listen("tcp", cmd.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is in use. Choose another one, such as --addr 127.0.0.1:8001", cmd.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("--addr: %w", err)
	}
	if pair == nil {
		return pool.Listen(listener, host.TooManyConnections()), nil
	}
	// Nothing that could be read is said to a connection too many: the handshake would be work.
	return tls.NewListener(pool.Listen(listener, nil), pair.Config("http/1.1")), nil
}

// web returns the rules for web pages.
func (cmd *serveCmd) web() (*access.Web, error) {
	web, err := access.NewWeb(cmd.Addr, slices.Concat(cmd.Connections.Host, cmd.AcmeDomain))
	return &web, err
}
