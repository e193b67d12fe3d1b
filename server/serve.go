package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"rowback/fixtures"
	"rowback/server/api"
	"rowback/server/calls"
	"rowback/server/crunch"
	"rowback/server/host"
	"rowback/server/settings"
	"rowback/server/web"
	"rowback/storage"
	"rowback/storage/datafile"
)

// serveCmd runs the server until it is told to stop. Every setting has an environment variable as well.
type serveCmd struct {
	Addr         string        `help:"Address to listen on." default:"127.0.0.1:8000"`
	FlightAddr   string        `help:"${flight_addr}" placeholder:"HOST:PORT"`
	Data         string        `help:"${data}" type:"path" placeholder:"DIR"`
	Demo         bool          `help:"Start with sample datasets that have a history."`
	MemoryLimit  size          `help:"${memory_limit}" placeholder:"SIZE"`
	Threads      int           `help:"Threads that DuckDB may use. By default one per core." placeholder:"N"`
	QueryTimeout time.Duration `help:"Time limit of one request's work." default:"5m"`
	SyncTimeout  time.Duration `help:"How long a Shoji request waits for its work before the answer is 202." default:"5s"`
	CacheSize    size          `help:"Total size of the cached files for readers of data.parquet." default:"10GB"`
	MaxUpload    size          `help:"Largest body of records, uncompressed." default:"64GB"`
	MaxResult    size          `help:"Largest result of a query; it is cut there." default:"64GB"`
	TLSCert      string        `help:"${tls_cert}" type:"path" placeholder:"FILE"`
	TLSKey       string        `help:"The key of --tls-cert, as PEM." type:"path" placeholder:"FILE"`
	LogFormat    string        `help:"Log as text or json." enum:"text,json" default:"text"`
	MinFree      *size         `help:"${min_free}" placeholder:"SIZE"`
	ScrubEvery   time.Duration `help:"${scrub_every}" default:"24h"`
	ScrubRate    size          `help:"How much that may read per second." default:"50MB"`
	Upkeep       bool          `help:"${upkeep}" default:"true" negatable:""`
	KeepDeleted  duration      `help:"${keep_deleted}" default:"30d"`
	Pages        int           `name:"parquet-version" help:"${stored_pages}" enum:"1,2" default:"2"`
	DrainTimeout time.Duration `help:"Time for open requests to finish when the server is told to stop." default:"30s"`
	Backups      backupFlags   `embed:""`
	Connections  connections   `embed:""`
	credentials  `embed:""`
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
	fixed, err := cmd.fixed()
	if err == nil {
		err = cmd.checkAddresses()
	}
	if err != nil {
		return err
	}
	dir, remove, err := cmd.directory()
	if err != nil {
		return err
	}
	defer remove()
	log := cmd.logger(c)
	pool, err := cmd.pool(log)
	if err != nil {
		return err
	}
	pair, err := cmd.certificate(log)
	if err != nil {
		return err
	}
	foreign, err := cmd.web()
	if err != nil {
		return err
	}
	ownFilesOnly()
	if err := cmd.Backups.check(dir); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := boundMemory(cmd.memory()); err != nil {
		return fmt.Errorf("bounding the memory: %w", err)
	}
	store, err := storage.Open(ctx, dir, storage.Options{
		Memory: cmd.memory(), Threads: cmd.Threads, Cache: int64(cmd.CacheSize), MinFree: cmd.minFree(dir), Log: log,
		Pages: datafile.Pages(cmd.Pages), Deleted: time.Duration(cmd.KeepDeleted), Program: version,
		Backups: cmd.Backups.BackupTo,
	})
	if err != nil {
		return err
	}
	defer store.Close()
	set, err := settings.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer set.Close()
	defer cmd.scrub(ctx, store)()
	defer cmd.upkeep(ctx, store)()
	defer cmd.Backups.keep(ctx, store)()
	if cmd.Demo {
		if err := fixtures.Demo(ctx, store); err != nil {
			return fmt.Errorf("loading the samples: %w", err)
		}
	}
	listener, err := cmd.listen(pool, pair)
	if err != nil {
		return err
	}
	gate, known, err := cmd.gate(ctx, c, set, fixed, log)
	if err != nil {
		return err
	}
	defer known.Close()
	sql, err := cmd.listenFlight(store, gate, pool, pair, log)
	if err != nil {
		return err
	}
	pages, err := web.New()
	if err != nil {
		return err
	}
	h := host.New(host.Options{
		Log: log, Gate: gate, Web: foreign, Timeouts: cmd.Connections.timeouts(), Limits: cmd.limits(),
		Collectors: slices.Concat(api.Collectors(store), api.BackupCollectors(store), sql.collectors()),
		Fact:       api.ViewFact,
	})
	native, err := api.New(store, h, api.Options{Version: version, Log: log, Accounts: known})
	if err != nil {
		return err
	}
	shoji := crunch.New(store, h, crunch.Options{SyncTimeout: cmd.SyncTimeout, Log: log})
	cmd.greet(c, listener.Addr().String(), sql.addr(), dir)
	store.Readers.Expect()
	return running{cmd, h, h.App(shoji, pages, native), sql, pool, log}.serve(ctx, listener)
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
	if cmd.TLSCert != "" {
		url, flightURL = "https://"+addr, "grpc+tls://"+sql
	}
	fmt.Fprintf(c.out, "Rowback %s listens on %s; data in %s; manual at %s/manual/, API at %s/docs/\n", version, url, dir,
		url, url)
	if sql != "" {
		fmt.Fprintf(c.out, "Arrow Flight SQL at %s\n", flightURL)
	}
	if !cmd.Demo {
		return
	}
	fmt.Fprintf(c.out, `
Three commands to try:

  curl '%[1]s/api/v1/datasets/employees/commits?limit=4'
  curl '%[1]s/api/v1/datasets/employees/commits/3/rollback'
  curl -X POST %[1]s/api/v1/datasets/versions/compare -H 'Content-Type: application/json' \
       -d '{"project_id": 1, "dataset_name": "my_dataset", "version1": "1.0.0", "version2": "1.0.1"}'

`, url)
}
