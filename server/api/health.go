package api

import (
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
)

// statusView is the answer of a running server. It says nothing of the data: the two paths are open to everyone.
type statusView struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

// readyView is the answer of a server that can take a commit.
type readyView struct {
	statusView
	Checks       []storage.ReadyCheck `json:"checks" description:"What was looked at. A 503 has the same list."`
	DamagedFiles int                  `json:"damaged_files" description:"${damaged_files}"`
	Damaged      []storage.Damage     `json:"damaged,omitempty" description:"Those files, for admins."`
}

// healthz answers as long as the process runs: for a supervisor that restarts it.
func (a *API) healthz(c *fiber.Ctx) error { return ok(c, statusView{"ok", a.options.Version}) }

// readyz reports whether the server can take a commit. A damaged file does not prevent that.
func (a *API) readyz(c *fiber.Ctx) error {
	checks, err := a.store.Readiness(c.UserContext())
	audited := storage.ReadyCheck{Name: "audit", Status: storage.CheckOK}
	if failed := a.options.Audit.Ready(); failed != nil { // then writes are refused
		audited.Status, audited.Detail = storage.CheckFailed, storage.Explain(failed).Detail
		if err == nil {
			err = failed
		}
	}
	checks = append(checks, audited)
	if a.options.Engine != nil {
		checks = append(checks, engineCheck(a.options.Engine))
	}
	if err != nil {
		return storage.Explain(err).With("checks", checks)
	}
	// Still 200: a supervisor that took the server out of service for one damaged file would take all other files with
	// it.
	damaged := a.store.Damaged()
	out := readyView{
		statusView: statusView{"ready", a.options.Version}, Checks: checks, DamagedFiles: len(damaged),
	}
	if len(damaged) > 0 {
		out.Status = "degraded"
	}
	// Names of datasets are data; only their number is shown to those who may not see all.
	if host.Caller(c).IsAdmin() {
		out.Damaged = damaged
	}
	return ok(c, out)
}

// Collectors are the metrics of the stored files and their disk.
func Collectors(s *storage.Store) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		newVersionGauges(s), newQueueMetrics(s), usage{s},
		gauge("rowback_damaged_files", "Stored files that don't match their checksum and are refused.", func() float64 {
			return float64(len(s.Damaged()))
		}),
		gauge("rowback_disk_free_bytes", "Bytes that an unprivileged process can still write to the data directory's disk.",
			func() float64 {
				return float64(s.Disk.Free())
			}),
		gauge("rowback_scrub_running", "1 while a scrub reads every stored file.", func() float64 {
			if s.Scrubs.State().Running {
				return 1
			}
			return 0
		}),
		gauge("rowback_scrub_files", "Files read by the current scrub, or else by the last.", func() float64 {
			return float64(s.Scrubs.State().Files)
		}),
		gauge("rowback_scrub_bytes", "Bytes read by the current scrub, or else by the last.", func() float64 {
			return float64(s.Scrubs.State().Bytes)
		}),
		gauge("rowback_scrub_completed_timestamp_seconds", "When the last scrub was completed; 0: none since the start.",
			func() float64 {
				if at := s.Scrubs.State().Completed; !at.IsZero() {
					return float64(at.UnixMilli()) / 1000
				}
				return 0
			}),
		gauge("rowback_upkeep_running", "1 while upkeep compacts a dataset.", func() float64 {
			if s.Upkeep.State().Running {
				return 1
			}
			return 0
		}),
		gauge("rowback_upkeep_pending_datasets", "Datasets with commits that upkeep has yet to look at.", func() float64 {
			return float64(s.Upkeep.State().Pending)
		}),
		upkeepCounter("rowback_compacted_files_total", "Compacted files made since the start.", s,
			func(u storage.UpkeepState) float64 { return float64(u.Done.Made) }),
		upkeepCounter("rowback_compacted_rows_total", "Rows written to compacted files since the start.", s,
			func(u storage.UpkeepState) float64 { return float64(u.Done.Rows) }),
		upkeepCounter("rowback_compacted_bytes_total", "Bytes of the compacted files made since the start.", s,
			func(u storage.UpkeepState) float64 { return float64(u.Done.Bytes) }),
		upkeepCounter("rowback_upkeep_failures_total", "Compacted files that could not be made; the log says why.", s,
			func(u storage.UpkeepState) float64 { return float64(u.Failed) }),
		gauge("rowback_vacuum_pending_families", "Families that vacuum is removing something of.", func() float64 {
			return float64(s.Vacuums.State().Pending)
		}),
		vacuumCounter("rowback_vacuums_total", "Vacuums that removed something since the start.", s,
			func(v storage.VacuumState) float64 { return float64(v.Runs) }),
		vacuumCounter("rowback_vacuumed_rows_total", "Rows that vacuum removed since the start.", s,
			func(v storage.VacuumState) float64 { return float64(v.Rows) }),
		vacuumCounter("rowback_vacuumed_files_total", "Files that vacuum removed since the start.", s,
			func(v storage.VacuumState) float64 { return float64(v.Files) }),
		vacuumCounter("rowback_vacuumed_bytes_total", "Bytes that vacuum removed since the start, about.", s,
			func(v storage.VacuumState) float64 { return float64(v.Bytes) }),
		vacuumCounter("rowback_vacuum_failures_total", "Vacuums that failed; the log says why.", s,
			func(v storage.VacuumState) float64 { return float64(v.Failed) }),
		upkeepCounter("rowback_key_filters_total", "Key filters made since the start.", s,
			func(u storage.UpkeepState) float64 { return float64(u.Filters) }),
		gauge("rowback_key_filter_bytes", "Bytes of key filters that are in memory.", func() float64 {
			return float64(s.Lookups().FilterBytes)
		}),
		lookupCounter("rowback_lookup_row_groups_total", "Row groups whose keys look-ups of few keys have read.", s,
			func(l storage.LookupCost) float64 { return float64(l.Groups) }),
		lookupCounter("rowback_lookup_bytes_total", "Bytes that look-ups of few keys have read.", s,
			func(l storage.LookupCost) float64 { return float64(l.Bytes) }),
		lookupCounter("rowback_lookups_by_scan_total", "Look-ups of few keys that had to scan the key column.", s,
			func(l storage.LookupCost) float64 { return float64(l.Passed) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "rowback_scrubs_total", Help: "Completed scrubs."},
			func() float64 {
				return float64(s.Scrubs.State().Done)
			}),
	}
}

// vacuumCounter is a metric of what vacuum has removed.
func vacuumCounter(name, help string, s *storage.Store, value func(storage.VacuumState) float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return value(s.Vacuums.State()) })
}

// lookupCounter is a metric of what look-ups of keys have cost.
func lookupCounter(name, help string, s *storage.Store, value func(storage.LookupCost) float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return value(s.Lookups()) })
}

// upkeepCounter is a metric of what upkeep has done.
func upkeepCounter(name, help string, s *storage.Store, value func(storage.UpkeepState) float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return value(s.Upkeep.State()) })
}
