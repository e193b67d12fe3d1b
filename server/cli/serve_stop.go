package cli

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/host"
)

// application is the HTTP application.
type application interface {
	Listener(net.Listener) error
	ShutdownWithContext(context.Context) error
}

// running is a server that answers requests.
type running struct {
	cmd  *serveCmd
	host *host.Host
	app  application
	sql  *flightServer
	pool *conns.Pool
	log  *slog.Logger
}

// grace is how long work may take to end once it is asked to, on each face.
const grace = 5 * time.Second

// serve answers requests until ctx ends, then lets open ones finish until the drain timeout, and then cuts them off.
func (r running) serve(ctx context.Context, listener net.Listener) error {
	failed := make(chan error, 2)
	go func() { failed <- r.app.Listener(listener) }()
	go func() { failed <- r.sql.serve(ctx) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	r.log.Info("stopping", "drain_timeout", r.cmd.DrainTimeout)
	stopped := make(chan bool, 1)
	go func() { stopped <- r.stop() }()
	done := false
	select {
	case done = <-stopped:
	case <-time.After(r.cmd.DrainTimeout + 2*grace):
	}
	if !done {
		r.log.Warn("some work did not stop: leaving it", "drain_timeout", r.cmd.DrainTimeout)
		os.Exit(0) // commits are durable, and the next start removes everything else
	}
	return nil
}

// stop ends the server: gracefully until the drain timeout, and then at once. It reports whether all work ended.
func (r running) stop() (done bool) {
	drain, cancel := context.WithTimeout(context.Background(), r.cmd.DrainTimeout)
	defer cancel()
	sql := make(chan struct{})
	go func() { r.sql.stop(drain); close(sql) }()
	if err := r.app.ShutdownWithContext(drain); err != nil {
		r.log.Warn("some requests were cut off", "drain_timeout", r.cmd.DrainTimeout, "error", err)
	}
	if drain.Err() != nil {
		r.pool.Close() // which ends everything that waits for a client
	}
	<-sql
	return r.host.Wait(drain)
}
