// Package host is the Fiber application that serves every face: who is asking, which web pages are let in,
// bodies as they arrive, request deadlines, streamed results, files and their byte ranges, and
// errors as problem+json (RFC 9457). The faces decide what is served at which path.
//
// A request's work runs under its UserContext, which ends at the request's deadline, counted from when the body was
// read, or when the server stops.
package host

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/rates"
	"github.com/rowback/rowback/server/traces"
)

// Options configure a host. The zero value works: no tokens, no limits on pages, the default limits on requests.
type Options struct {
	Log        *slog.Logger
	Gate       *access.Gate           // nil: everyone is let in
	Audit      *audit.Log             // nil: nothing is recorded
	Rates      *rates.Limiter         // nil: any number of requests
	Traces     *traces.Traces         // nil: nothing is traced
	Web        *access.Web            // which web pages are let in; nil: all
	Linked     func(path string) bool // paths of pages that any page may link to; nil: none
	Timeouts   Timeouts
	Limits     calls.Limits
	Collectors []prometheus.Collector // further metrics for /metrics
	Fact       func(any) any          // a field of an error as clients see it; nil: as it is
}

// Timeouts are how long a connection may be silent; 0: forever. A body has a limit of its own (conns), and so has a
// result (calls.Limits).
type Timeouts struct {
	Header time.Duration // from the start of a request, or of a connection, until its header is complete
	Idle   time.Duration // between requests
}

// Face answers the requests to some paths. Mount is called once, before the server listens.
type Face interface {
	Mount(app *fiber.App)
}

// ErrorSender is a face whose errors have their own format. The first face that owns a path sends its errors; without
// one they are problem+json.
type ErrorSender interface {
	Name() string // in the audit log
	Owns(path string) bool
	SendError(c *fiber.Ctx, err error) error
}

// Host answers requests through its faces.
type Host struct {
	options  Options
	log      *slog.Logger
	metrics  *metrics
	base     context.Context // ends when the server has to stop at once
	stop     context.CancelFunc
	jobs     sync.WaitGroup
	open     atomic.Int64 // requests that are being answered
	held     atomic.Int64 // bytes of bodies that were read whole
	senders  []ErrorSender
	encoders *encoders
}

// New makes a host without faces.
func New(o Options) *Host {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.Filled()
	if o.Gate == nil {
		o.Gate = access.NewGate(nil, nil)
	}
	if o.Fact == nil {
		o.Fact = func(fact any) any { return fact }
	}
	h := &Host{options: o, log: o.Log, metrics: newMetrics(), encoders: newEncoders()}
	h.metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rowback_http_requests_in_flight", Help: "Requests that are being answered.",
	}, func() float64 { return float64(h.open.Load()) }))
	h.metrics.registry.MustRegister(o.Collectors...)
	// Not a request's context: jobs and streams outlive their handlers.
	h.base, h.stop = context.WithCancel(context.Background())
	return h
}

// App returns the application with its faces. They are tried in order, so the last one answers what no other does.
func (h *Host) App(faces ...Face) *fiber.App {
	app := fiber.New(fiber.Config{
		// Immutable copies what handlers keep of a request; bodies are streamed, so their limits are ours and not
		// Fiber's.
		AppName: "rowback", DisableStartupMessage: true, Immutable: true, StreamRequestBody: true,
		BodyLimit: 1 << 62, ErrorHandler: h.sendProblem, ReadBufferSize: 64 << 10, DisablePreParseMultipartForm: true,
		CaseSensitive: true, ReadTimeout: h.options.Timeouts.Header, IdleTimeout: h.options.Timeouts.Idle,
	})
	h.guard(app.Server())
	app.Use(h.observe)
	app.Get("/metrics", adaptor.HTTPHandler(promhttp.HandlerFor(h.metrics.registry, promhttp.HandlerOpts{
		// One collector that fails must not hide what the others know.
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelError),
	})))
	for _, face := range faces {
		if sender, ok := face.(ErrorSender); ok {
			h.senders = append(h.senders, sender)
		}
		face.Mount(app)
	}
	return app
}

// Limits are what one request may take.
func (h *Host) Limits() calls.Limits { return h.options.Limits }

// Wait waits until every request is answered and all background work is done. When ctx ends, it stops that work and
// allows it a moment more: done is false if even that was not enough.
func (h *Host) Wait(ctx context.Context) (done bool) {
	ended := make(chan struct{})
	go func() {
		// A request that is still being answered may start another job.
		for h.jobs.Wait(); h.open.Load() > 0; h.jobs.Wait() {
			time.Sleep(10 * time.Millisecond)
		}
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		h.stop()
	}
	select {
	case <-ended:
		return true
	case <-time.After(5 * time.Second):
		return false
	}
}

// Background runs work that no request waits for. Its context ends when the server has to stop. A panic in it
// becomes the error of that work.
func (h *Host) Background(work func(ctx context.Context) error, ended func(error)) {
	h.jobs.Go(func() {
		err := recovered(func() error { return work(h.base) })
		// ended has to run to its end whatever happens: it frees what the work holds.
		if p := recovered(func() error { ended(err); return nil }); p != nil {
			h.log.Error("internal error", "error", p)
		}
	})
}

// recovered turns a panic into an error. The stack is part of it, for the log: clients see "internal".
func recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}
