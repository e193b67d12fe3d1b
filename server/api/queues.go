package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fair"
)

// queueMetrics are the places that users share: of statements and conditions, of conditions of commits, and of
// processes that read uploads.
type queueMetrics struct {
	queues map[string]*fair.Queue
	all    []queueMetric
}

// queueMetric is one number of a queue.
type queueMetric struct {
	about *prometheus.Desc
	kind  prometheus.ValueType
	of    func(fair.State) float64
}

func newQueueMetrics(s *storage.Store) *queueMetrics {
	metric := func(name, help string, kind prometheus.ValueType, of func(fair.State) float64) queueMetric {
		return queueMetric{prometheus.NewDesc(name, help, []string{"queue"}, nil), kind, of}
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	return &queueMetrics{
		queues: map[string]*fair.Queue{
			"statements": s.Sandboxes.Reads, "commit_conditions": s.Sandboxes.Writes, "uploads": s.Readers.Places,
		},
		all: []queueMetric{
			metric("rowback_queue_places", "Statements, conditions or uploads that can run at once.", gauge,
				func(s fair.State) float64 { return float64(s.Places) }),
			metric("rowback_queue_held", "Those that run.", gauge,
				func(s fair.State) float64 { return float64(s.Held) }),
			metric("rowback_queue_waiting", "Requests that wait for a place.", gauge,
				func(s fair.State) float64 { return float64(s.Waiting) }),
			metric("rowback_queue_waiting_users", "Different users whose requests wait.", gauge,
				func(s fair.State) float64 { return float64(s.Users) }),
			metric("rowback_queue_taken_total", "Places given since the start.", counter,
				func(s fair.State) float64 { return float64(s.Taken) }),
			metric("rowback_queue_wait_seconds_total", "Time that requests have waited, together.", counter,
				func(s fair.State) float64 { return s.Waited.Seconds() }),
			metric("rowback_queue_refused_total", "Requests refused because they waited too long.", counter,
				func(s fair.State) float64 { return float64(s.Refused) }),
			metric("rowback_queue_stalled_total", "Statements ended because their clients did not read while others waited.",
				counter, func(s fair.State) float64 { return float64(s.Stalled) }),
		},
	}
}

// Describe says which metrics there are.
func (m *queueMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, one := range m.all {
		to <- one.about
	}
}

// Collect reads each queue once.
func (m *queueMetrics) Collect(to chan<- prometheus.Metric) {
	for name, queue := range m.queues {
		state := queue.State()
		for _, one := range m.all {
			to <- prometheus.MustNewConstMetric(one.about, one.kind, one.of(state), name)
		}
	}
}
