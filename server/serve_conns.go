package main

import (
	"fmt"
	"log/slog"
	"net"
	"time"

	"rowback/server/access"
	"rowback/server/conns"
	"rowback/server/host"
)

// connections are the flags about who may connect, and for how long without a word.
type connections struct {
	Host                     []string      `help:"A further name that the server is known by, as web browsers and proxies send it in Host; may be repeated." placeholder:"NAME"`
	MaxConnections           int           `help:"Connections at once, HTTP and Flight together. By default half of the file descriptors that the process may open, at most 1024." placeholder:"N"`
	MaxConnectionsPerAddress int           `help:"Connections at once from one address. By default three quarters of --max-connections." placeholder:"N"`
	HeaderTimeout            time.Duration `help:"Time that a client has to send the header of a request, or to shake hands." default:"10s"`
	BodyTimeout              time.Duration `help:"How long the body of a request may bring nothing." default:"2m"`
	IdleTimeout              time.Duration `help:"How long a connection is kept open between requests." default:"2m"`
}

func (c connections) timeouts() host.Timeouts {
	return host.Timeouts{Header: c.HeaderTimeout, Idle: c.IdleTimeout}
}

// pool is where the connections of every face are counted.
func (cmd *serveCmd) pool(log *slog.Logger) (*conns.Pool, error) {
	c := cmd.Connections
	descriptors := conns.Descriptors()
	if c.MaxConnections < 0 || c.MaxConnectionsPerAddress < 0 {
		return nil, fmt.Errorf("--max-connections and --max-connections-per-address must be 1 or more")
	}
	if descriptors > 0 && c.MaxConnections >= descriptors {
		return nil, fmt.Errorf("--max-connections %d: this process may open %d files only, and needs some for itself: raise that with ulimit -n", c.MaxConnections, descriptors)
	}
	limits := conns.Limits{Overall: c.MaxConnections, PerAddress: c.MaxConnectionsPerAddress, Body: c.BodyTimeout, Answer: cmd.QueryTimeout}
	if limits.Overall == 0 {
		limits.Overall = conns.DefaultOverall(descriptors)
	}
	if limits.PerAddress == 0 {
		limits.PerAddress = conns.DefaultPerAddress(limits.Overall)
	}
	return conns.NewPool(limits, log), nil
}

// listen opens the port of the HTTP faces.
func (cmd *serveCmd) listen(pool *conns.Pool) (net.Listener, error) {
	listener, err := net.Listen("tcp", cmd.Addr)
	if err != nil {
		return nil, err
	}
	return pool.Listen(listener, host.TooManyConnections()), nil
}

// web is which web pages are let in.
func (cmd *serveCmd) web() (*access.Web, error) {
	web, err := access.NewWeb(cmd.Addr, cmd.Connections.Host)
	return &web, err
}
