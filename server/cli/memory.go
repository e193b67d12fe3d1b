package cli

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/duck"
)

// machineMemory returns how much memory this process may use, in bytes: the machine's, or its cgroup's limit;
// 0 if neither is known.
func machineMemory() int64 {
	total, err := memlimit.FromSystem()
	if err != nil {
		return 0
	}
	if own, err := memlimit.FromCgroup(); err == nil {
		total = min(total, own)
	}
	return int64(total)
}

// memoryBeside is how many bytes the server may reserve in addition to the limit: threads, and memory that is never
// touched.
const memoryBeside = 4 << 30

// boundMemory applies a memory limit, in bytes, to this process; storage decides how it is shared out. Go's heap is
// collected in time (keepHeap), and the system refuses what would exhaust the machine.
func boundMemory(limit int64) error {
	if limit > 0 {
		debug.SetMemoryLimit(storage.ServerMemory(limit))
	}
	return duck.BoundProcess(reserved(limit))
}

// reserved returns how many bytes the server may reserve under a limit.
func reserved(limit int64) int64 {
	bound := limit + limit/2 + memoryBeside
	if most := machineMemory() / 10 * 9; most > 0 {
		bound = min(bound, most)
	}
	return bound
}

// heap is what Go's memory holds, in bytes.
type heap struct {
	live   int64 // in use, when it was last collected
	beside int64 // what is not the heap: stacks, and what the runtime needs for itself
}

// limit returns the memory limit for Go where share is its part of the server's. What is in use may not leave room in
// that: a limit near to it has the runtime collect without end, to no avail. So there is always room for half as much
// garbage.
func (h heap) limit(share int64) int64 { return max(share, h.beside+h.live+h.live/2) }

// heapLooks is how often it is looked whether Go's memory limit leaves room.
const heapLooks = time.Second

// keepHeap has Go's memory limit be its share of a limit, or what is needed, until ctx ends.
func keepHeap(ctx context.Context, limit int64) {
	if limit <= 0 {
		return
	}
	look := time.NewTicker(heapLooks)
	defer look.Stop()
	for set := storage.ServerMemory(limit); ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if now := heapNow().limit(storage.ServerMemory(limit)); now != set {
			debug.SetMemoryLimit(now)
			set = now
		}
	}
}

// heapNow reads what Go's memory holds.
func heapNow() heap {
	read := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(read)
	h := heap{live: int64(read[0].Value.Uint64()), beside: int64(read[1].Value.Uint64())}
	for _, of := range read[2:] {
		h.beside -= int64(of.Value.Uint64())
	}
	return h
}
