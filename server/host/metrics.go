package host

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the request metrics of /metrics.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// newMetrics registers them in a registry of their own, so that two hosts in one process do not clash.
func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rowback_http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rowback_http_request_seconds", Help: "Time to the answer's first byte.",
			// From 1 ms to about a minute.
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 11),
		}, []string{"method", "route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds)
	return m
}

// observe counts an answered request. route is the pattern and not the path: ids would make a series each.
func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}
