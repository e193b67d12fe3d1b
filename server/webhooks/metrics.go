package webhooks

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector is the metrics of the webhooks.
type collector struct {
	*Hooks
	enabled, queued, oldest, outcomes, attempts *prometheus.Desc
}

// Collectors returns the metrics: how many webhooks there are, how much is queued and since when, and what became of
// messages since the start.
func (h *Hooks) Collectors() []prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return []prometheus.Collector{&collector{
		h,
		desc("rowback_webhooks", "Webhooks, by whether they are enabled.", "enabled"),
		desc("rowback_webhook_queued_deliveries", "Messages that are to be sent, of webhooks that are enabled."),
		desc("rowback_webhook_oldest_queued_seconds", "Age of the oldest of them; 0: there is none."),
		desc("rowback_webhook_deliveries_total",
			"Messages since the start: delivered, failed (given up), or dropped unsent.", "outcome"),
		desc("rowback_webhook_attempts_total", "Attempts to send a message since the start."),
	}}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.enabled, c.queued, c.oldest, c.outcomes, c.attempts} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(c.outcomes, c.counts.delivered.Load(), "delivered")
	counter(c.outcomes, c.counts.failed.Load(), "failed")
	counter(c.outcomes, c.counts.dropped.Load(), "dropped")
	counter(c.attempts, c.counts.attempts.Load())
	var enabled, all, queued, oldest int64
	err := c.DB.QueryRow(`SELECT count(*) FILTER (WHERE is_enabled), count(*) FROM webhooks`).Scan(&enabled, &all)
	if err == nil {
		err = c.DB.QueryRow(`SELECT count(*), COALESCE(MIN(d.created_at), 0) FROM webhooks h
			JOIN webhook_deliveries d ON d.webhook_id = h.id AND d.state = 'queued'
			WHERE h.is_enabled`).Scan(&queued, &oldest)
	}
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.queued, err)
		return
	}
	gauge(c.enabled, float64(enabled), "true")
	gauge(c.enabled, float64(all-enabled), "false")
	gauge(c.queued, float64(queued))
	age := 0.0
	if oldest > 0 {
		age = c.now().Sub(moment(oldest)).Seconds()
	}
	gauge(c.oldest, max(age, 0))
}
