package storage

import (
	"rowback/storage/duck"
)

// The memory limit is for the server and all of its processes together. It is divided here, in parts of twenty:
//
//	engine   9  DuckDB for our own statements
//	readers  4  the processes that read uploads
//	queries  4  the sandboxes of clients' statements
//	server   3  Go's heap: requests, answers, batches on their way
//
// The engine and the heap are bounded by DuckDB and by the Go runtime; a process by the system (duck.BoundProcess), which
// refuses it memory beyond its own bound. What a statement can spill to the disk, it spills.
const (
	allShares    = 20
	engineShare  = 9
	readersShare = 4
	queriesShare = 4
	serverShare  = 3
)

// leastReader is the least that a reader process is given, bytes: it writes Parquet, a row group for each thread.
const leastReader = 256 << 20

// mostReaders is how many uploads are read at once, at most.
const mostReaders = 4

// share is a part of the memory limit, bytes.
func (o Options) share(parts int64) int64 { return o.Memory / allShares * parts }

// readerPlaces is how many reader processes there may be.
func (o Options) readerPlaces() int {
	return int(min(max(o.share(readersShare)/leastReader, 1), mostReaders))
}

func (s *Store) limits(memory int64) duck.Limits {
	return duck.Limits{Memory: memory, Threads: s.options.Threads, TempDir: s.blobs.Scratch("spill")}
}

// sandboxLimits are those of one sandbox.
func (s *Store) sandboxLimits() duck.Limits {
	return s.limits(s.options.share(queriesShare) / (maxReaders + maxWriters))
}

// readerLimits are those of one reader process.
func (s *Store) readerLimits() duck.Limits {
	return s.limits(s.options.share(readersShare) / int64(s.options.readerPlaces()))
}
