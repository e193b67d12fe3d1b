//go:build duckdb_arrow

package duck

import (
	"slices"
	"strconv"
	"time"
)

// watchEvery is how often memory is checked while a process is lent.
const watchEvery = 20 * time.Millisecond

// Watch keeps this process and those of the pools within a limit, in bytes, until stop is called: if together they hold
// more, it ends a confined process that waits, or, if there is none, the largest lent one. Every process has a limit of
// its own too, but those leave room for what DuckDB does not count and add up to more than this one.
func Watch(limit int64, pools ...*Pool) (stop func()) {
	return every(watchEvery, func() {
		if slices.ContainsFunc(pools, (*Pool).lends) {
			endLargest(limit, pools)
		}
	})
}

// lends reports whether a process is lent.
func (p *Pool) lends() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, lent := range p.running {
		if lent {
			return true
		}
	}
	return false
}

// endLargest ends a process, the largest lent one if none waits, if all of them together hold more than the limit.
func endLargest(limit int64, pools []*Pool) {
	var largest *process
	var most, children int64
	for _, p := range pools {
		p.mu.Lock()
		for one, lent := range p.running {
			held := own(strconv.Itoa(one.cmd.Process.Pid))
			children += held
			if lent && held > most {
				largest, most = one, held
			}
		}
		p.mu.Unlock()
	}
	if largest == nil || resident()+children <= limit {
		return
	}
	for _, p := range pools {
		if p.drop(isConfined) {
			return // it only waited: perhaps that is enough
		}
	}
	largest.kill()
}
