package storage

import (
	"github.com/rowback/rowback/storage/clientsql"
	"github.com/rowback/rowback/storage/duck"
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
	filterShare  = 1 // of the server's: key filters that are kept in memory, at most
	filesShare   = 1 // of the server's: what is known of files, at most
)

// ServerMemory is the part of a memory limit that is for Go's heap in the server's own process, bytes.
func ServerMemory(limit int64) int64 { return limit / allShares * serverShare }

// budget divides the memory and the threads that a store may use.
type budget struct {
	memory  int64 // bytes in all
	threads int
	spill   func() string // a directory for what does not fit
}

// share is a part of the memory limit, bytes.
func (b budget) share(parts int64) int64 { return b.memory / allShares * parts }

// limits are those of one instance of DuckDB with that much memory.
func (b budget) limits(memory int64) duck.Limits {
	return duck.Limits{Memory: memory, Threads: b.threads, TempDir: b.spill()}
}

// engine is the limits of DuckDB for statements of ours.
func (b budget) engine() duck.Limits { return b.limits(b.share(engineShare)) }

// sandbox is those of one sandbox. There may be MaxSandboxes of them at once, each with its share.
func (b budget) sandbox() duck.Limits {
	return b.limits(b.share(queriesShare) / clientsql.MaxSandboxes)
}

// What a reader process needs, bytes: to be of use; for each thread that writes Parquet; and for the program, which is
// there once for all processes.
const (
	leastReader = 512 << 20
	threadBytes = 64 << 20
	program     = 96 << 20
)

// mostUploads is how many uploads are read at once, at most; leastUploads, where memory allows, so that a long one does
// not keep all others waiting.
const (
	mostUploads  = 4
	leastUploads = 2
)

// readers is how many reader processes there may be: no more than threads, as each divides the memory of all, and a
// Parquet file of ordinary row groups, a million records each, needs some 600 MB.
func (b budget) readers() int {
	useful := min(max(b.threads, leastUploads), mostUploads)
	return int(min(max(b.share(readersShare)/leastReader, 1), int64(useful)))
}

// reader is the limits of one reader process. DuckDB gets six tenths: it counts most, and not all, of what it takes,
// and the records that it reads come out of Go's heap.
func (b budget) reader() duck.Limits {
	part := b.share(readersShare) / int64(b.readers())
	l := b.limits(part / 10 * 6)
	l.Threads = int(min(int64(l.Threads), max(l.Memory/threadBytes, 1)))
	l.Resident = part + program
	return l
}
