package storage

// CompactFrom has engines given compacted files from a number of data files on.
func (p *Published) CompactFrom(files int) { p.manyFiles = files }
