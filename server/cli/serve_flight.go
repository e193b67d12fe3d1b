package cli

import (
	"context"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/server/flight"
)

// flightServer is the Arrow Flight SQL face on its own port; nil if it is off.
type flightServer struct {
	face     *flight.Face
	listener net.Listener
}

// listenFlight opens the port of the Flight face, if one was given.
func (s *serving) listenFlight() (*flightServer, error) {
	cmd, with, pair, log := s.serveCmd, s.shared, s.pair, s.log
	if cmd.FlightAddr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", cmd.FlightAddr)
	if err != nil {
		return nil, fmt.Errorf("--flight-addr: %w", err)
	}
	o := flight.Options{
		Version: version, Log: log, Gate: with.gate, Audit: with.audit, Rates: with.rates, Traces: with.traces,
		HeaderTimeout: cmd.Connections.HeaderTimeout, BodyTimeout: cmd.Connections.BodyTimeout,
		IdleTimeout: cmd.Connections.IdleTimeout,
		Limits:      cmd.limits(),
		Projects:    s.accounts.ProjectID,
	}
	if pair != nil {
		o.TLS = pair.Config("h2")
	}
	face, err := flight.New(s.store, o)
	return &flightServer{face, with.pool.Listen(listener, nil)}, err
}

// addr is the address that it listens on; empty if Flight is off.
func (s *flightServer) addr() string {
	if s == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// collectors are its metrics; none if Flight is off.
func (s *flightServer) collectors() []prometheus.Collector {
	if s == nil {
		return nil
	}
	return s.face.Collectors()
}

// serve answers calls until the face is stopped; without a face, it waits for ctx.
func (s *flightServer) serve(ctx context.Context) error {
	if s == nil {
		<-ctx.Done()
		return nil
	}
	return s.face.Serve(s.listener)
}

// stop lets open calls finish until ctx ends, and then ends them.
func (s *flightServer) stop(ctx context.Context) {
	if s != nil {
		s.face.Stop(ctx)
	}
}
