package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/rowback/rowback/server/certs"
	"github.com/rowback/rowback/server/conns"
)

// processCollectors are the metrics of the process, of Go, and of the program's version.
func processCollectors() []prometheus.Collector {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rowback_build_info", Help: "1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version(), "revision": revision()},
	})
	build.Set(1)
	return []prometheus.Collector{
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
}

// revision is the commit that the program was built from; empty if that is not known.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// certificateCollectors are the metrics of the certificate; nil: there is none.
func certificateCollectors(pair certs.Source) []prometheus.Collector {
	return []prometheus.Collector{prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rowback_certificate_expires_timestamp_seconds",
		Help: "When the certificate ends that is in use; of several, the first. 0: there is none.",
	}, func() float64 {
		if pair == nil {
			return 0
		}
		if end := pair.Expires(); !end.IsZero() {
			return float64(end.Unix())
		}
		return 0
	})}
}

// connectionCollectors are the metrics of the connections, HTTP and Flight together.
func connectionCollectors(pool *conns.Pool) []prometheus.Collector {
	gauge := func(name, help string, value func(conns.Use) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(pool.Use()) })
	}
	counter := func(name, help string, value func(conns.Use) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return value(pool.Use()) })
	}
	return []prometheus.Collector{
		gauge("rowback_connections", "Open connections.", func(u conns.Use) float64 { return float64(u.Open) }),
		gauge("rowback_connections_limit", "Connections that there may be at once (--max-connections).",
			func(u conns.Use) float64 { return float64(u.Overall) }),
		counter("rowback_connections_refused_total", "Connections refused because a limit was reached.",
			func(u conns.Use) float64 { return float64(u.Refused) }),
		counter("rowback_received_bytes_total", "Bytes received, HTTP and Flight together.",
			func(u conns.Use) float64 { return float64(u.Received) }),
		counter("rowback_sent_bytes_total", "Bytes sent, HTTP and Flight together.",
			func(u conns.Use) float64 { return float64(u.Sent) }),
	}
}
