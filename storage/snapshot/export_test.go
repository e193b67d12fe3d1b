package snapshot

// ListIn is List with slices of at most a number of columns.
func (d *Difference) ListIn(most int, changes ...string) (Listing, error) {
	return d.list(most, changes)
}

// KeysIn is Keys with slices of at most a number of columns.
func (d *Difference) KeysIn(most int) Listing { return d.keys(most) }
