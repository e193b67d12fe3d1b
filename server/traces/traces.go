// Package traces sends spans to a collector by the protocol of OpenTelemetry, OTLP over HTTP. It is the only place that
// knows that protocol: what a span is to the rest of the program is in storage/trace.
package traces

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/rowback/rowback/storage/trace"
)

// Traces are the traces of a server. A nil one traces nothing.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   api.Tracer
}

// Open begins to trace; nil: no collector is named, neither by endpoint nor by OTEL_EXPORTER_OTLP_ENDPOINT. A collector
// that does not answer costs spans and nothing else.
func Open(ctx context.Context, endpoint, version string, log *slog.Logger) (*Traces, error) {
	options, err := exporterOptions(endpoint)
	if options == nil || err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("--traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "rowback"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("the OTEL_… settings: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces could not be sent", "error", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Traces{provider, provider.Tracer("rowback")}, nil
}

// exporterOptions are where spans are sent; nil: nowhere.
func exporterOptions(endpoint string) ([]otlptracehttp.Option, error) {
	if endpoint == "" {
		// The exporter reads these itself.
		if cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) == "" {
			return nil, nil
		}
		return []otlptracehttp.Option{}, nil
	}
	u, err := url.Parse(strings.Replace(endpoint, "otlp://", "http://", 1))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("--traces: write the collector as http://host:4318")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u.String())}, nil
}

// Close sends what is left.
func (t *Traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Request begins the span of a request, below the caller's if it names one in traceparent (W3C Trace Context); nil: it
// is not traced.
func (t *Traces) Request(name, traceparent, tracestate string) trace.Span {
	if t == nil {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(),
		propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
	ctx, span := t.tracer.Start(ctx, name, api.WithSpanKind(api.SpanKindServer))
	if !span.IsRecording() {
		return nil
	}
	return &step{ctx, span, t.tracer}
}

// step is a span with the context of its parts.
type step struct {
	ctx    context.Context
	span   api.Span
	tracer api.Tracer
}

// Start begins a part of it.
func (s *step) Start(name string) trace.Span {
	ctx, span := s.tracer.Start(s.ctx, name)
	return &step{ctx, span, s.tracer}
}

// Rename gives it another name.
func (s *step) Rename(name string) { s.span.SetName(name) }

// Set says something of it.
func (s *step) Set(key string, value any) {
	switch v := value.(type) {
	case int:
		s.span.SetAttributes(attribute.Int(key, v))
	case int64:
		s.span.SetAttributes(attribute.Int64(key, v))
	default:
		s.span.SetAttributes(attribute.String(key, fmt.Sprint(v)))
	}
}

// End ends it. Why it failed is in the log, under the request's id: an error's text may have values of records.
func (s *step) End(err error) {
	if err != nil {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}
