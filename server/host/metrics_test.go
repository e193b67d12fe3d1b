package host_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/server/host"
)

// failing is a collector that has no figure.
type failing struct{ about *prometheus.Desc }

func (f failing) Describe(out chan<- *prometheus.Desc) { out <- f.about }

func (f failing) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.NewInvalidMetric(f.about, errors.New("no figure today"))
}

func TestAMetricThatFailsLeavesTheOthers(t *testing.T) {
	broken := failing{prometheus.NewDesc("broken", "Has no figure.", nil, nil)}
	url, log := serve(t, host.Options{Collectors: []prometheus.Collector{broken}})
	get(t, url+"/healthz")
	res, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.Contains(string(text), "rowback_http_requests_total") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if !strings.Contains(log.String(), "no figure today") {
		t.Errorf("the log does not say what failed: %s", log)
	}
}
