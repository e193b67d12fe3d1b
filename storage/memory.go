package storage

import (
	"rowback/storage/clientsql"
	"rowback/storage/duck"
)

// The memory limit is for the server and all of its processes together. It is divided here, in parts of twenty:
//
//	engine   7  DuckDB for our own statements
//	readers  4  the processes that read uploads
//	queries  7  the sandboxes of clients' statements
//	server   2  Go's heap: requests, answers, batches on their way
//
// DuckDB bounds the engine and spills the rest to the disk; the Go runtime collects earlier as its heap nears its part.
// A reader process ends where it holds more than its part, and a sandbox where the system refuses it more. Should all
// of them hold more than the limit together, the largest is killed (duck.Watch).
const (
	allShares    = 20
	engineShare  = 7
	readersShare = 4
	queriesShare = 7
	serverShare  = 2
)

// ServerMemory is the part of a memory limit that is for Go's heap in the server's own process, bytes.
func ServerMemory(limit int64) int64 { return limit / allShares * serverShare }

// share is a part of the memory limit, bytes.
func (o Options) share(parts int64) int64 { return o.Memory / allShares * parts }

func (s *Store) limits(memory int64) duck.Limits {
	return duck.Limits{Memory: memory, Threads: s.options.Threads, TempDir: s.blobs.Scratch("spill")}
}

// sandboxLimits are those of one sandbox.
func (s *Store) sandboxLimits() duck.Limits {
	return s.limits(s.options.share(queriesShare) / clientsql.MaxSandboxes)
}

// What a reader process needs, bytes: to be of use; for each thread that writes Parquet; and for the program, which is
// there once for all processes.
const (
	leastReader = 512 << 20
	threadBytes = 64 << 20
	program     = 96 << 20
)

// mostUploads is how many uploads are read at once, at most.
const mostUploads = 4

// readerPlaces is how many reader processes there may be.
func (o Options) readerPlaces() int {
	return int(min(max(o.share(readersShare)/leastReader, 1), mostUploads))
}

// readerLimits are those of one reader process. DuckDB gets six tenths: it counts most, and not all, of what it takes,
// and the records that it reads come out of Go's heap.
func (s *Store) readerLimits() duck.Limits {
	part := s.options.share(readersShare) / int64(s.options.readerPlaces())
	l := s.limits(part / 10 * 6)
	l.Threads = int(min(int64(l.Threads), max(l.Memory/threadBytes, 1)))
	l.Resident = part + program
	return l
}
