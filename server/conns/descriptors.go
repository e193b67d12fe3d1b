package conns

// Shares of the descriptors that a process may open: connections get half of them, and one address three quarters of
// that, so that no one fills the server alone. The other half is for the files of the store, DuckDB and its processes.
const (
	mostOverall  = 1024 // more would cost much memory and serve no one: 64 KiB are held for each
	defaultShare = 2
)

// DefaultOverall is how many connections a process that may open so many descriptors takes; 0: not known.
func DefaultOverall(descriptors int) int {
	if descriptors <= 0 {
		return mostOverall
	}
	return max(min(descriptors/defaultShare, mostOverall), 1)
}

// DefaultPerAddress is how many of the connections one address may have.
func DefaultPerAddress(overall int) int { return max(overall*3/4, 1) }
