package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/certs"
)

// serveCmd runs the server until it is told to stop. Every setting has an environment variable as well.
type serveCmd struct {
	Addr          string        `help:"Address to listen on." default:"127.0.0.1:8000"`
	FlightAddr    string        `help:"${flight_addr}" placeholder:"HOST:PORT"`
	Data          string        `help:"${data}" type:"path" placeholder:"DIR"`
	Catalog       string        `help:"${catalog}" placeholder:"URL"`
	Settings      string        `help:"${settings}" enum:",catalog,directory" default:"" placeholder:"catalog|directory"`
	Engine        string        `help:"${engine}" placeholder:"sc://HOST:PORT"`
	Standby       bool          `help:"${standby}"`
	Demo          bool          `help:"Start with sample datasets that have a history."`
	MemoryLimit   size          `help:"${memory_limit}" placeholder:"SIZE"`
	Threads       int           `help:"Threads that DuckDB may use. By default one per core." placeholder:"N"`
	QueryTimeout  time.Duration `help:"Time limit of one request's work." default:"5m"`
	GateTimeout   time.Duration `help:"Time limit of the gates of one write." default:"10s"`
	SyncTimeout   time.Duration `help:"How long a Shoji request waits for its work before the answer is 202." default:"5s"`
	CacheSize     size          `help:"${cache_size}" default:"10GB"`
	MaxUpload     size          `help:"Largest body of records, uncompressed." default:"64GB"`
	MaxResult     size          `help:"Largest result of a query; it is cut there." default:"64GB"`
	TLSCert       string        `help:"${tls_cert}" type:"path" placeholder:"FILE"`
	TLSKey        string        `help:"The key of --tls-cert, as PEM." type:"path" placeholder:"FILE"`
	AcmeDomain    []string      `help:"${acme_domain}" placeholder:"NAME"`
	AcmeEmail     string        `help:"An address that the authority of --acme-domain may write to." placeholder:"EMAIL"`
	AcmeDirectory string        `help:"The authority of --acme-domain; by default Let's Encrypt." placeholder:"URL"`
	Traces        string        `help:"${traces}" placeholder:"URL"`
	LogFormat     string        `help:"Log as text or json." enum:"text,json" default:"text"`
	MinFree       *size         `help:"${min_free}" placeholder:"SIZE"`
	ScrubEvery    time.Duration `help:"${scrub_every}" default:"24h"`
	ScrubRate     size          `help:"How much that may read per second." default:"50MB"`
	RateLimit     int           `help:"${rate_limit}" default:"0" placeholder:"N"`
	TokenRate     int           `name:"token-rate-limit" help:"${token_rate_limit}" default:"0" placeholder:"N"`
	Upkeep        bool          `help:"${upkeep}" default:"true" negatable:""`
	KeepDeleted   duration      `help:"${keep_deleted}" default:"30d"`
	Pages         int           `name:"parquet-version" help:"${stored_pages}" enum:"1,2" default:"2"`
	UntilEOF      bool          `name:"until-eof" help:"${until_eof}"`
	DrainTimeout  time.Duration `help:"Time for open requests to finish when the server is told to stop." default:"30s"`
	WebhookAllow  []string      `help:"${webhook_allow}" placeholder:"CIDR|HOST"`
	Bucket        objectFlags   `embed:""`
	Backups       backupFlags   `embed:""`
	Connections   connections   `embed:""`
	SignOn        oidcFlags     `embed:""`
	credentials   `embed:""`
}

// size is a number of bytes, written as 1GB or 512MiB.
type size int64

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is not a size; write it as 500MB, 2GB or 1GiB", text)
	}
	*s = size(n)
	return nil
}

// Run runs the server until it is told to stop.
func (cmd *serveCmd) Run(c console) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cmd.UntilEOF {
		go endWith(c.in, stop)
	}
	s := &serving{serveCmd: cmd, console: c}
	defer s.close()
	for _, step := range []func(context.Context) error{
		s.prepare, s.openStore, s.openSettings, s.startWork, s.open,
	} {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil && (cmd.Standby || errors.Is(err, context.Canceled)) { // told to stop while it started
				return nil
			}
			return err
		}
	}
	h, app, err := s.faces()
	if err != nil {
		return err
	}
	cmd.greet(c, s.listener.Addr().String(), s.sql.addr(), s.dir)
	s.store.Readers.Expect()
	if acme, ok := s.pair.(*certs.Acme); ok {
		go acme.Keep(ctx) // once the port is open: the authority connects to it
	}
	return running{cmd, h, app, s.sql, s.shared.pool, s.log}.serve(ctx, s.listener)
}

// endWith calls stop once in has ended: whoever held its other end has closed it, or is gone, however that ended.
func endWith(in io.Reader, stop func()) {
	_, _ = io.Copy(io.Discard, in)
	stop()
}

// limits are what one call may take.
func (cmd *serveCmd) limits() calls.Limits {
	return calls.Limits{
		QueryTimeout: cmd.QueryTimeout, MaxUpload: int64(cmd.MaxUpload), MaxResult: int64(cmd.MaxResult),
	}
}

// directory returns the data directory: a temporary one for a demo without --data.
func (cmd *serveCmd) directory() (dir string, remove func(), err error) {
	switch {
	case cmd.Data != "":
		return cmd.Data, func() {}, nil
	case !cmd.Demo:
		return "rowback-data", func() {}, nil
	}
	dir, err = os.MkdirTemp("", "rowback-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// memory returns the limit: by default half of the machine's memory, if that is known.
func (cmd *serveCmd) memory() int64 {
	if cmd.MemoryLimit > 0 {
		return int64(cmd.MemoryLimit)
	}
	return machineMemory() / 2
}

// logger returns the log, which goes to standard error: standard output is for people.
func (cmd *serveCmd) logger(c console) *slog.Logger {
	if cmd.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.err, nil))
	}
	return slog.New(slog.NewTextHandler(c.err, nil))
}

// greet says where the server is, and what to try first.
func (cmd *serveCmd) greet(c console, addr, sql, dir string) {
	url, flightURL := "http://"+addr, "grpc://"+sql
	if cmd.isEncrypted() {
		url, flightURL = "https://"+addr, "grpc+tls://"+sql
	}
	c.printf("Rowback %s listens on %s; data in %s; manual at %s/manual/, API at %s/docs/\n", version, url, dir,
		url, url)
	if sql != "" {
		c.printf("Arrow Flight SQL at %s\n", flightURL)
	}
	if !cmd.Demo {
		return
	}
	c.printf(`
A tour in three minutes, in a browser: %[1]s/tour

Three commands to try:

  curl '%[1]s/api/v1/datasets/employees/commits?limit=4'
  curl '%[1]s/api/v1/datasets/employees/commits/3/rollback'
  curl -X POST %[1]s/api/v1/datasets/versions/compare -H 'Content-Type: application/json' \
       -d '{"project_id": 1, "dataset_name": "my_dataset", "version1": "1.0.0", "version2": "1.0.1"}'

`, url)
}
