package api

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rowback/rowback/storage"
)

// usage are the metrics of what was committed, and of the data directory and its disk.
type usage struct{ store *storage.Store }

// The metrics of usage.
var (
	commitsMetric = newDesc("rowback_commits_total", "Commits since the start, those that merges played included.", "mode")
	recordsMetric = newDesc("rowback_commit_records_total", "Records that commits added or removed since the start.",
		"change")
	catalogMetric    = newDesc("rowback_catalog_bytes", "Size of the catalog.")
	catalogLogMetric = newDesc("rowback_catalog_log_bytes", "Size of the catalog's write-ahead log.")
	stagedFiles      = newDesc("rowback_staging_files", "Files under staging: uploads on their way and scratch files.")
	stagedBytes      = newDesc("rowback_staging_bytes", "Bytes of the files under staging.")
	quarantined      = newDesc("rowback_quarantined_objects", "Objects in quarantine.")
	diskSize         = newDesc("rowback_disk_size_bytes", "Size of the data directory's disk.")
	diskReserved     = newDesc("rowback_disk_reserved_bytes", "Bytes of the disk that stay free (--min-free).")
	readyMetric      = newDesc("rowback_ready", "1 if the server can take a commit, as /readyz says.")
)

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe says which metrics there are.
func (u usage) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		commitsMetric, recordsMetric, catalogMetric, catalogLogMetric, stagedFiles, stagedBytes, quarantined, diskSize,
		diskReserved, readyMetric,
	} {
		to <- d
	}
}

// Collect looks at the store and its directory.
func (u usage) Collect(to chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge := func(d *prometheus.Desc, value int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
	}
	for mode, n := range u.store.Counts.Commits() {
		counter(commitsMetric, n, string(mode))
	}
	added, removed := u.store.Counts.Records()
	counter(recordsMetric, added, "added")
	counter(recordsMetric, removed, "removed")
	now := u.store.Usage()
	gauge(catalogMetric, now.CatalogBytes)
	gauge(catalogLogMetric, now.LogBytes)
	gauge(stagedFiles, now.StagedFiles)
	gauge(stagedBytes, now.StagedBytes)
	gauge(quarantined, now.Quarantined)
	gauge(diskSize, u.store.Disk.Size())
	gauge(diskReserved, u.store.Disk.Least())
	gauge(readyMetric, u.isReady())
}

// isReady returns 1 if the store can take a commit. Whoever collects metrics is not kept waiting for a catalog that
// does not answer.
func (u usage) isReady() int64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if u.store.Ready(ctx) != nil {
		return 0
	}
	return 1
}
