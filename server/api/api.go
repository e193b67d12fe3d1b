// Package api is the native REST face and the dataset-version routes of seed 000, over storage and compare.
//
// Each route is one entry of a table, with the structs of what it takes and gives: the router and the OpenAPI document
// are both made of it. Errors are problem+json; the mapping from their kinds is in one place, problem.go.
package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rowback/server/access"
	"rowback/storage"
)

// Options are what the face needs to know.
type Options struct {
	Version      string
	Log          *slog.Logger
	Gate         *access.Gate // nil: everyone is let in
	Web          *access.Web  // which web pages are let in; nil: all
	Timeouts     Timeouts
	QueryTimeout time.Duration          // of one request's reading; 0: five minutes
	MaxUpload    int64                  // bytes of one body of records, uncompressed; 0: 64 GiB
	MaxResult    int64                  // bytes of one query's answer; 0: 64 GiB
	Collectors   []prometheus.Collector // what else /metrics tells
	Pages        func(*fiber.App)       // adds pages that need no token; nil: none
}

// Timeouts are how long a connection may be silent; 0: for ever.
type Timeouts struct {
	Header time.Duration // from the start of a request, or of a connection, until its header is complete
	Idle   time.Duration // between requests
}

// Face is another face of the same server, under paths of its own. Its errors have a form of its own too.
type Face interface {
	Mount(app *fiber.App)
	Owns(path string) bool
	SendError(c *fiber.Ctx, err error) error
}

// API serves a store.
type API struct {
	store   *storage.Store
	options Options
	log     *slog.Logger
	metrics *metrics
	base    context.Context // ends when the server has to stop at once
	stop    context.CancelFunc
	jobs    sync.WaitGroup
	open    atomic.Int64 // requests that are being answered
	held    atomic.Int64 // bytes of bodies that were read whole
	faces   []Face       // the others
	doc     []byte
}

// New makes the face of a store.
func New(store *storage.Store, o Options) (*API, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.QueryTimeout == 0 {
		o.QueryTimeout = 5 * time.Minute
	}
	if o.MaxUpload == 0 {
		o.MaxUpload = 64 << 30
	}
	if o.MaxResult == 0 {
		o.MaxResult = 64 << 30
	}
	if o.Gate == nil {
		o.Gate = access.NewGate(nil, nil)
	}
	a := &API{store: store, options: o, log: o.Log, metrics: newMetrics()}
	a.metrics.registry.MustRegister(o.Collectors...)
	a.metrics.registry.MustRegister(storeCollectors(store)...)
	a.base, a.stop = context.WithCancel(context.Background())
	var err error
	a.doc, err = a.document()
	return a, err
}

// Wait waits until every request is answered and work in the background is done. When ctx ends, it stops that, and gives it a moment more: done is
// false where even that was not enough.
func (a *API) Wait(ctx context.Context) (done bool) {
	ended := make(chan struct{})
	go func() {
		for a.jobs.Wait(); a.open.Load() > 0; a.jobs.Wait() {
			time.Sleep(10 * time.Millisecond)
		}
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		a.stop()
	}
	select {
	case <-ended:
		return true
	case <-time.After(5 * time.Second):
		return false
	}
}

// background does work that a request does not wait for. A bug in it ends as the error of that work.
func (a *API) background(work func() error, ended func(error)) {
	a.jobs.Go(func() {
		err := recovered(work)
		if p := recovered(func() error { ended(err); return nil }); p != nil {
			a.log.Error("internal error", "error", p)
		}
	})
}

// recovered turns a panic into an error.
func recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}

// App returns the Fiber application. Other faces add their routes to it: they are asked before this one, which answers
// what no one else has.
func (a *API) App(faces ...Face) *fiber.App {
	a.faces = faces
	app := fiber.New(fiber.Config{
		AppName: "rowback", DisableStartupMessage: true, Immutable: true, StreamRequestBody: true,
		BodyLimit: 1 << 62, ErrorHandler: a.sendProblem, ReadBufferSize: 64 << 10, DisablePreParseMultipartForm: true,
		CaseSensitive: true, ReadTimeout: a.options.Timeouts.Header, IdleTimeout: a.options.Timeouts.Idle,
	})
	a.guard(app.Server())
	app.Use(a.observe)
	for _, face := range faces {
		face.Mount(app)
	}
	if a.options.Pages != nil {
		a.options.Pages(app)
	}
	app.Use(a.authenticate)
	app.Get("/openapi.json", func(c *fiber.Ctx) error { c.Set("Content-Type", "application/json"); return c.Send(a.doc) })
	app.Use("/docs", a.docsPage())
	app.Get("/metrics", adaptor.HTTPHandler(promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{})))
	for _, r := range a.routes() {
		app.Add(r.method, fiberPath(r.path), r.handler)
		if r.method == http.MethodGet {
			app.Head(fiberPath(r.path), r.handler)
		}
	}
	app.Use(a.nothingThere)
	return app
}

// nothingThere answers what no route has taken.
func (a *API) nothingThere(c *fiber.Ctx) error {
	methods := a.methodsAt(c.Path())
	if len(methods) == 0 {
		return fiber.NewError(http.StatusNotFound, fmt.Sprintf("There is nothing at %s %s. See /manual/ and /openapi.json for what there is.", c.Method(), c.Path()))
	}
	c.Set("Allow", strings.Join(methods, ", "))
	return fiber.NewError(http.StatusMethodNotAllowed, fmt.Sprintf("%s does not take %s. It takes %s.", c.Path(), c.Method(), strings.Join(methods, ", ")))
}

// methodsAt lists the methods of a path, by its most literal routes.
func (a *API) methodsAt(path string) (methods []string) {
	variables := math.MaxInt
	for _, r := range a.routes() {
		if n := strings.Count(r.path, "{"); matches(r.path, path) && n <= variables {
			if n < variables {
				variables, methods = n, nil
			}
			methods = append(methods, r.method)
			if r.method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	return methods
}

// matches tells whether a path is one of a route's.
func matches(route, path string) bool {
	want, have := strings.Split(route, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	return slices.EqualFunc(want, have, func(w, h string) bool { return w == h || strings.HasPrefix(w, "{") && h != "" })
}

// fiberPath writes a path of the OpenAPI document as Fiber wants it.
func fiberPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// observe gives the request an id, and logs and counts it when it is answered.
func (a *API) observe(c *fiber.Ctx) error {
	start := time.Now()
	id := c.Get("X-Request-Id")
	if id == "" || len(id) > 100 {
		b := make([]byte, 8)
		rand.Read(b)
		id = hex.EncodeToString(b)
	}
	c.Locals(requestIDKey, id)
	c.Set("X-Request-Id", id)
	mine := &held{all: &a.held}
	c.Locals(heldKey, mine)
	defer mine.release()
	err := recovered(func() error { return a.admitPage(c) })
	if err != nil {
		err = a.tell(c, err)
	}
	if c.Locals(streamKey) != nil || c.Request().IsBodyStream() {
		if !bodyOf(c).drain(a.patience(c)) {
			c.Set("Connection", "close")
		}
	}
	took := time.Since(start)
	status := c.Response().StatusCode()
	a.metrics.observe(c.Method(), c.Route().Path, status, took)
	user, _ := c.Locals(userKey).(string)
	a.log.Info("request", "request_id", id, "method", c.Method(), "path", c.Path(), "status", status, "ms", float64(took.Microseconds())/1000, "user", user)
	return err
}

// patience is how much of a body is read that no one wants, bytes, so that its sender gets to see the answer. A stranger
// gets little.
func (a *API) patience(c *fiber.Ctx) int64 {
	if userOf(c) == "" {
		return 1 << 20
	}
	return a.options.MaxUpload
}

// openPaths are the paths that need no token: they tell nothing of the data.
var openPaths = []string{"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"}

func isOpen(path string) bool {
	return slices.ContainsFunc(openPaths, func(o string) bool { return path == o || strings.HasPrefix(path, o+"/") })
}

func userOf(c *fiber.Ctx) string {
	user, _ := c.Locals(userKey).(string)
	return user
}

// metrics are what /metrics tells.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rowback_http_requests_total", Help: "Requests answered."}, []string{"method", "route", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rowback_http_request_seconds", Help: "Time to the answer's first byte.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 11)}, []string{"method", "route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds)
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, fmt.Sprint(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}
