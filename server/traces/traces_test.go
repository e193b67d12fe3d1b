package traces_test

import (
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rowback/rowback/server/traces"
	"github.com/rowback/rowback/storage/trace"
)

// received is a collector that keeps what it is sent.
type received struct {
	mu      sync.Mutex
	spans   map[string]*v1.Span // by name
	service string
	paths   []string
}

func (r *received) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sent collector.ExportTraceServiceRequest
	body, err := io.ReadAll(req.Body)
	if err := errors.Join(err, proto.Unmarshal(body, &sent)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.paths = append(r.paths, req.URL.Path)
	for _, of := range sent.ResourceSpans {
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				r.service = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans[s.Name] = s
			}
		}
	}
}

// collect starts a collector, and closes it with the test.
func collect(t *testing.T) (*received, string) {
	t.Helper()
	r := &received{spans: map[string]*v1.Span{}}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s.URL
}

const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// What is done for a request reaches the collector as one trace, below the caller's span.
func TestSpansReachACollector(t *testing.T) {
	got, url := collect(t)
	traced, err := traces.Open(t.Context(), url, "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	request := traced.Request("POST", caller, "")
	ctx := trace.With(t.Context(), request)
	_, part := trace.Start(ctx, "commit.sync")
	part.Set("rowback.commit_mode", "append")
	part.End(errors.New("a value of a record"))
	request.Rename("POST /api/v1/datasets")
	request.Set("http.response.status_code", 503)
	request.End(nil)
	if err := traced.Close(); err != nil {
		t.Fatal(err)
	}
	whole, step := got.spans["POST /api/v1/datasets"], got.spans["commit.sync"]
	if whole == nil || step == nil || got.service != "rowback" || got.paths[0] != "/v1/traces" {
		t.Fatalf("got %v of %q at %v", got.spans, got.service, got.paths)
	}
	if hex.EncodeToString(whole.TraceId) != "4bf92f3577b34da6a3ce929d0e0e4736" ||
		hex.EncodeToString(whole.ParentSpanId) != "00f067aa0ba902b7" || whole.Kind != v1.Span_SPAN_KIND_SERVER {
		t.Errorf("the request's span is %v", whole)
	}
	if string(step.ParentSpanId) != string(whole.SpanId) || string(step.TraceId) != string(whole.TraceId) {
		t.Errorf("the step's span is %v", step)
	}
	if step.Status.Code != v1.Status_STATUS_CODE_ERROR || step.Status.Message != "" || len(step.Events) > 0 {
		t.Errorf("the span reports the error as %v, %v", step.Status, step.Events)
	}
}

// The caller decides whether its trace is kept.
func TestACallerThatIsNotSampledIsNotTraced(t *testing.T) {
	got, url := collect(t)
	traced, err := traces.Open(t.Context(), url, "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if s := traced.Request("GET", caller[:len(caller)-1]+"0", ""); s != nil {
		t.Errorf("it has the span %v", s)
	}
	traced.Request("GET", "nonsense", "more").End(nil)
	if err := traced.Close(); err != nil || len(got.spans) != 1 {
		t.Errorf("got %v, %v", got.spans, err)
	}
}

// Without a collector, or with one that is down, requests are answered as ever.
func TestWithoutACollector(t *testing.T) {
	traced, err := traces.Open(t.Context(), "", "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil || traced != nil || traced.Request("GET", caller, "") != nil || traced.Close() != nil {
		t.Errorf("%v, %v", traced, err)
	}
	if n := testing.AllocsPerRun(100, func() { traced.Request("GET", caller, "") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	for _, wrong := range []string{"localhost:4318", "ftp://x", "http://", ":"} {
		if _, err := traces.Open(t.Context(), wrong, "1", slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	for _, right := range []string{"otlp://localhost:4318", "https://x.example", "http://x.example/own/path"} {
		if traced, err := traces.Open(t.Context(), right, "1", slog.New(slog.DiscardHandler)); err != nil || traced == nil {
			t.Errorf("%s: %v", right, err)
		}
	}
}

// The standard settings of OpenTelemetry work without a flag.
func TestTheStandardSettings(t *testing.T) {
	got, url := collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_SERVICE_NAME", "rowback-two")
	traced, err := traces.Open(t.Context(), "", "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	traced.Request("GET", "", "").End(nil)
	if err := traced.Close(); err != nil || got.service != "rowback-two" || len(got.spans) != 1 {
		t.Errorf("got %v of %q, %v", got.spans, got.service, err)
	}
}
