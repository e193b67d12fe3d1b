package storage

import (
	"context"
	"time"
)

// CompactFrom has engines given compacted files from a number of data files on.
func (p *Published) CompactFrom(files int) { p.manyFiles = files }

// Tidy removes from the shelf what has erased records, and nothing for its age.
func (p *Published) Tidy(ctx context.Context) error { return p.tidy(ctx, time.Time{}) }
