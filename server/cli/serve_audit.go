package cli

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/rates"
)

// limited returns the metric of the limit on requests.
func limited(l *rates.Limiter) []prometheus.Collector {
	return []prometheus.Collector{prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: "rowback_rate_limited_total", Help: "Requests and calls refused by --rate-limit and --token-rate-limit."},
		func() float64 { return float64(l.Refused()) },
	)}
}

// audited returns the metrics of the audit log.
func audited(l *audit.Log) []prometheus.Collector {
	gauge := func(name, help string, value func(audit.State) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(l.State()) })
	}
	counter := func(name, help string, value func(audit.State) float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return value(l.State()) })
	}
	return []prometheus.Collector{
		gauge("rowback_audit_failed", "1 while the audit log can't be written and writes are refused.",
			func(s audit.State) float64 {
				if s.Failed {
					return 1
				}
				return 0
			}),
		gauge("rowback_audit_waiting", "Entries of the audit log that could not be written yet.",
			func(s audit.State) float64 { return float64(s.Waiting) }),
		gauge("rowback_audit_last_number", "The number of the last entry of the audit log.",
			func(s audit.State) float64 { return float64(s.Number) }),
		counter("rowback_audit_counted_total", "Refusals that were counted in an entry instead of having one each.",
			func(s audit.State) float64 { return float64(s.Counted) }),
	}
}
