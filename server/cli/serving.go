package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/rowback/rowback/fixtures"
	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/accounts"
	"github.com/rowback/rowback/server/api"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/certs"
	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/server/crunch"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/iceberg"
	"github.com/rowback/rowback/server/quartzbio"
	"github.com/rowback/rowback/server/quotas"
	"github.com/rowback/rowback/server/rates"
	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/signon"
	"github.com/rowback/rowback/server/traces"
	"github.com/rowback/rowback/server/web"
	"github.com/rowback/rowback/server/webhooks"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/datafile"
)

// serving is what a server consists of, opened step by step.
type serving struct {
	*serveCmd
	console  console
	log      *slog.Logger
	dir      string
	fixed    access.Fixed
	pair     certs.Source
	foreign  *access.Web
	changes  *webhooks.Signal
	store    *storage.Store
	settings *settings.DB
	accounts *accounts.Accounts
	provider *signon.Provider
	quotas   *quotas.Quotas
	hooks    *webhooks.Hooks
	shared   shared
	listener net.Listener
	sql      *flightServer
	engine   *query.Engine // nil: there is none
	ends     []func()      // what is closed at the end, the last first
}

// shared is what the faces share, so that they count and record alike.
type shared struct {
	gate   *access.Gate
	audit  *audit.Log
	rates  *rates.Limiter
	traces *traces.Traces
	pool   *conns.Pool
}

// atEnd has something closed when the server ends.
func (s *serving) atEnd(end func()) { s.ends = append(s.ends, end) }

// closeAtEnd has something closed when the server ends, and logs what goes wrong with it.
func (s *serving) closeAtEnd(what string, end func() error) {
	s.atEnd(func() {
		if err := end(); err != nil {
			s.log.Error("closing "+what, "error", err)
		}
	})
}

// close closes what was opened, in the reverse order.
func (s *serving) close() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}

// prepare reads the flags: nothing is opened where one of them is wrong.
func (s *serving) prepare(context.Context) (err error) {
	if s.fixed, err = s.serveCmd.fixed(); err != nil {
		return err
	}
	if err := s.checkAddresses(); err != nil {
		return err
	}
	if err := s.SignOn.check(); err != nil {
		return err
	}
	var remove func()
	if s.dir, remove, err = s.directory(); err != nil {
		return err
	}
	s.atEnd(remove)
	s.log = s.logger(s.console)
	if s.shared.pool, err = s.serveCmd.pool(s.log); err != nil {
		return err
	}
	if s.shared.rates, err = s.serveCmd.rates(); err != nil {
		return err
	}
	if err := s.openEngine(); err != nil {
		return err
	}
	if s.pair, err = s.certificate(s.dir, s.log); err != nil {
		return err
	}
	if s.foreign, err = s.serveCmd.web(); err != nil {
		return err
	}
	if err := s.place().check(s.serveCmd.Settings); err != nil {
		return err
	}
	ownFilesOnly()
	if err := s.Backups.check(s.dir); err != nil {
		return err
	}
	if err := boundMemory(s.memory()); err != nil {
		return fmt.Errorf("bounding the memory: %w", err)
	}
	return nil
}

// openEngine reads the address of the engine. It need not be there yet.
func (s *serving) openEngine() (err error) {
	if s.Engine == "" {
		return nil
	}
	if s.engine, err = query.OpenEngine(s.Engine); err != nil {
		return fmt.Errorf("--engine: %w", err)
	}
	s.closeAtEnd("the engine", s.engine.Close)
	s.engine.Connect()
	return nil
}

// openStore opens the data directory.
func (s *serving) openStore(ctx context.Context) (err error) {
	s.changes = webhooks.NewSignal()
	s.store, err = storage.Open(ctx, s.dir, storage.Options{
		Memory: s.memory(), Threads: s.Threads, Cache: int64(s.CacheSize), MinFree: s.minFree(s.dir), Log: s.log,
		Pages: datafile.Pages(s.Pages), Deleted: time.Duration(s.KeepDeleted), Gates: s.GateTimeout,
		Changed: s.changes.Changed, Program: version, Backups: string(s.Backups.BackupTo), BackupBucket: s.Bucket.at(""),
		Catalog: s.Catalog, Server: s.name(), Waiting: s.waiting(),
		Objects: s.Bucket.store(int64(s.CacheSize)),
	})
	if err != nil {
		return err
	}
	s.closeAtEnd("the store", s.store.Close)
	if err := s.store.Copies.CheckPlace(); err != nil {
		return fmt.Errorf("--backup-to %s: %w", s.Backups.BackupTo, err)
	}
	return nil
}

// name is this server, for people: the process, the machine, the address and the build.
func (s *serving) name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return fmt.Sprintf("process %d on %s, at %s, version %s", os.Getpid(), host, s.Addr, version)
}

// waiting is what is said when another server has the store; nil: this one does not wait.
func (s *serving) waiting() func(error) {
	if !s.Standby {
		return nil
	}
	return func(err error) {
		s.log.Info("another server has the store: this one waits to take over", "reason", err)
	}
}

// place is where the settings may be.
func (s *serving) place() place { return place{dir: s.dir, catalog: s.Catalog} }

// openSettings opens what the server knows besides the data: the audit log, webhooks, and quotas.
func (s *serving) openSettings(ctx context.Context) (err error) {
	if s.settings, err = s.settle(ctx); err != nil {
		return err
	}
	s.closeAtEnd("the settings", s.settings.Close)
	if s.settings.IsShared() {
		s.store.Copies.Settings = s.settings.CopyFile
		s.shareRates(ctx)
	}
	keeper, err := auditKeeper(s.settings, s.dir)
	if err != nil {
		return err
	}
	if s.shared.audit, err = audit.Open(ctx, audit.Options{Dir: s.dir, Keeper: keeper, Log: s.log}); err != nil {
		return err
	}
	s.closeAtEnd("the audit log", s.shared.audit.Close)
	if s.hooks, err = s.webhooks(s.store, s.settings, s.changes, s.log); err != nil {
		return err
	}
	s.quotas, err = quotas.Open(ctx, s.settings, s.store.Quotas)
	return err
}

// startWork starts what goes on in the background, and loads the samples of a demo.
func (s *serving) startWork(ctx context.Context) error {
	s.atEnd(s.scrub(ctx, s.store))
	s.atEnd(s.upkeep(ctx, s.store))
	tellOfBackups(s.store, s.hooks, s.log)
	s.atEnd(s.Backups.keep(ctx, s.store))
	s.atEnd(inBackground(ctx, func(ctx context.Context) { keepHeap(ctx, s.memory()) }))
	s.atEnd(inBackground(ctx, s.store.KeepNoted))
	s.atEnd(inBackground(ctx, s.store.KeepTold))
	s.atEnd(inBackground(ctx, s.store.KeepClean))
	s.atEnd(inBackground(ctx, s.store.Published.Keep))
	if s.Demo {
		if err := fixtures.Demo(ctx, s.store); err != nil {
			return fmt.Errorf("loading the samples: %w", err)
		}
	}
	return nil
}

// open opens the ports, and decides who is let in.
func (s *serving) open(ctx context.Context) (err error) {
	if s.listener, err = s.listen(s.shared.pool, s.pair); err != nil {
		return err
	}
	if err = s.letIn(ctx); err != nil {
		return err
	}
	s.atEnd(func() { s.accounts.Close() })
	if err := s.reviewWebhooks(ctx); err != nil {
		return fmt.Errorf("looking at whose the webhooks are: %w", err)
	}
	s.atEnd(inBackground(ctx, s.hooks.Run))
	if s.shared.traces, err = traces.Open(ctx, s.Traces, version, s.log); err != nil {
		return err
	}
	s.closeAtEnd("the traces", s.shared.traces.Close)
	s.sql, err = s.listenFlight()
	return err
}

// faces returns the host and the application with its faces.
func (s *serving) faces() (*host.Host, application, error) {
	pages, err := web.New()
	if err != nil {
		return nil, nil, err
	}
	with := s.shared
	h := host.New(host.Options{
		Log: s.log, Gate: with.gate, Audit: with.audit, Rates: with.rates, Traces: with.traces, Web: s.foreign,
		Linked:   web.MayBeLinked,
		Timeouts: s.Connections.timeouts(), Limits: s.limits(), Fact: api.ViewFact,
		Collectors: slices.Concat(
			api.Collectors(s.store), api.BackupCollectors(s.store), audited(with.audit), limited(with.rates),
			s.sql.collectors(), s.hooks.Collectors(), processCollectors(), connectionCollectors(with.pool),
			certificateCollectors(s.pair), api.EngineCollectors(s.engine),
		),
	})
	native, err := api.New(s.store, h, api.Options{
		Version: version, Log: s.log, Audit: with.audit, Accounts: s.accounts, Quotas: s.quotas, Webhooks: s.hooks,
		Provider: s.provider, Engine: s.engine,
	})
	if err != nil {
		return nil, nil, err
	}
	shoji := crunch.New(s.store, h, crunch.Options{SyncTimeout: s.SyncTimeout, Log: s.log})
	lake := iceberg.New(s.store, h, iceberg.Options{Projects: s.accounts})
	edp := quartzbio.New(s.store, h, quartzbio.Options{
		Projects: s.accounts, Settings: s.settings, SyncTimeout: s.SyncTimeout, Log: s.log,
	})
	return h, h.App(shoji, lake, edp, pages, native), nil
}
