package conns

// Shares of the file descriptors of the process: connections get half of them, and one address three quarters of
// that, so that no one fills the server alone. The other half is for the files of the store, DuckDB and its processes.
const (
	mostOverall  = 1024 // more would cost memory to no benefit: each takes 64 KiB
	defaultShare = 2
)

// DefaultOverall returns how many connections a process with that many descriptors accepts; 0: unknown.
func DefaultOverall(descriptors int) int {
	if descriptors <= 0 {
		return mostOverall
	}
	return max(min(descriptors/defaultShare, mostOverall), 1)
}

// DefaultPerAddress returns how many of the connections one address may have.
func DefaultPerAddress(overall int) int { return max(overall*3/4, 1) }
