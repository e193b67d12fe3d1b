// Package flight is the Arrow Flight SQL face, on top of storage and query: statements whose results are streams of
// Arrow batches, and commits of records that arrive as such streams.
//
// A project is a catalog, named by its id; its schemas are datasets (the datasets, and each of their versions as
// name@1.0.0) and rowback (history). Names, refs, tokens and limits are those of HTTP. Errors are gRPC statuses; the
// mapping from their kinds is in one place, problem.go. The tests here use arrow-go's client; those with the ADBC
// driver are in fixtures/clients.
package flight

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/rates"
	"github.com/rowback/rowback/server/traces"
	"github.com/rowback/rowback/storage"
)

// Options configure the face.
type Options struct {
	Version string
	Log     *slog.Logger
	Gate    *access.Gate // nil: everyone is let in

	// Projects finds a project by its name; nil: they have numbers alone.
	Projects func(ctx context.Context, name string) (int64, error)

	Audit  *audit.Log       // nil: nothing is recorded
	Rates  *rates.Limiter   // nil: any number of calls
	Traces *traces.Traces   // nil: nothing is traced
	Limits calls.Limits     // of one statement, or of one commit once its records have arrived
	Memory memory.Allocator // nil: Go's
	Now    func() time.Time // nil: time.Now
	TLS    *tls.Config      // nil: connections are not encrypted

	HeaderTimeout time.Duration // until a connection's handshake is complete; 0: 10 s
	BodyTimeout   time.Duration // the longest pause in a stream of records; 0: forever
	IdleTimeout   time.Duration // how long a connection is kept without calls; 0: forever
}

// Face serves a store.
type Face struct {
	flightsql.BaseServer
	store      *storage.Store
	options    Options
	log        *slog.Logger
	metrics    *metrics
	statements *statements
	known      []uint32 // the numbers of the server's facts
	server     *grpc.Server
	methods    map[string]bool // the full names of all methods
	base       context.Context // ends when the server has to stop at once
	stop       context.CancelFunc
	work       sync.WaitGroup // work outside the handlers
}

// New returns the face of a store.
func New(store *storage.Store, o Options) (*Face, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.Filled()
	if o.Memory == nil {
		o.Memory = memory.DefaultAllocator
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Gate == nil {
		o.Gate = access.NewGate(nil, o.Now)
	}
	f := &Face{store: store, options: o, log: o.Log, metrics: newMetrics(), statements: newStatements(o.Now)}
	f.Alloc = o.Memory
	f.base, f.stop = context.WithCancel(context.Background())
	f.server = grpc.NewServer(append(f.limits(),
		grpc.InTapHandle(f.tap), grpc.ChainUnaryInterceptor(f.observeUnary), grpc.ChainStreamInterceptor(f.observeStream),
		grpc.UnknownServiceHandler(f.unknown), grpc.WaitForHandlers(true),
	)...)
	flight.RegisterFlightServiceServer(f.server,
		&service{FlightServer: flightsql.NewFlightServerWithAllocator(f, o.Memory), face: f})
	f.methods = methodsOf(f.server)
	return f, f.describeServer()
}

// Serve answers calls until the face is stopped.
func (f *Face) Serve(l net.Listener) error { return f.server.Serve(l) }

// Stop lets open calls finish until ctx ends, and then ends them.
func (f *Face) Stop(ctx context.Context) {
	defer f.stop()
	drained := make(chan struct{})
	go func() { f.server.GracefulStop(); close(drained) }()
	select {
	case <-drained:
	case <-ctx.Done():
		f.stop()
		f.server.Stop()
		<-drained
	}
	f.work.Wait()
}

// Collectors returns the metrics of this face.
func (f *Face) Collectors() []prometheus.Collector {
	return []prometheus.Collector{f.metrics.calls, f.metrics.seconds}
}

// metrics count the calls.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// newMetrics returns the metrics, which the caller registers.
func newMetrics() *metrics {
	return &metrics{
		calls: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "rowback_flight_calls_total", Help: "Flight calls answered."},
			[]string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{
				Name: "rowback_flight_call_seconds", Help: "Time to the answer's end.",
				Buckets: prometheus.ExponentialBuckets(0.001, 3, 11),
			},
			[]string{"method"}),
	}
}

// service is the face as gRPC calls it: what arrow-go routes, and what it does not route.
type service struct {
	flight.FlightServer
	face *Face
}
