package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
)

// engineCheck looks whether the engine can be reached. Commits do without it.
func engineCheck(e *query.Engine) storage.ReadyCheck {
	if e.Reachable() {
		return storage.ReadyCheck{Name: "engine", Status: storage.CheckOK}
	}
	return storage.ReadyCheck{
		Name: "engine", Status: storage.CheckWarning,
		Detail: "The engine (--engine) can't be reached: statements with engine=spark are answered with 503. Start it, or " +
			"restart the server without it.",
	}
}

// EngineCollectors are the metrics of the engine; nil: there is none.
func EngineCollectors(e *query.Engine) []prometheus.Collector {
	if e == nil {
		return nil
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rowback_engine_reachable", Help: "0 while the engine (--engine) can't be reached.",
		}, func() float64 {
			if e.Reachable() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "rowback_engine_statements_total", Help: "Statements sent to the engine.",
		}, func() float64 { sent, _ := e.Statements(); return float64(sent) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "rowback_engine_statements_ended_total", Help: "Statements on the engine that failed, or were ended early.",
		}, func() float64 { _, failed := e.Statements(); return float64(failed) }),
	}
}
