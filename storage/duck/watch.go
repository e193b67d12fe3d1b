//go:build duckdb_arrow

package duck

import (
	"slices"
	"time"
)

// watchEvery is how often memory is looked at while a process is lent.
const watchEvery = 20 * time.Millisecond

// Watch keeps this process and those of some pools within a limit, bytes, until stop is called: while they hold more
// together, it kills the largest process that is lent. Every process has a bound of its own too; those have room for what
// DuckDB does not count, so that they add up to more than the limit.
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

// endLargest kills the largest process that is lent, if all processes hold more than a limit.
func endLargest(limit int64, pools []*Pool) {
	var largest *process
	var most, children int64
	for _, p := range pools {
		p.mu.Lock()
		for one, lent := range p.running {
			held := own(one.cmd.Process.Pid)
			children += held
			if lent && held > most {
				largest, most = one, held
			}
		}
		p.mu.Unlock()
	}
	if largest != nil && resident()+children > limit {
		largest.kill()
	}
}
