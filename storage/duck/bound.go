package duck

// Cut is why a result ends early.
type Cut string

// The reasons.
const (
	Whole   Cut = ""      // it does not end early
	AtLimit Cut = "limit" // it has more rows than were requested
	AtBytes Cut = "bytes" // it is larger than a response may be
)

// Bound is how much of a result may still be written. The writer subtracts the bytes, Take the rows.
type Bound struct {
	Rows, Bytes int64
	Cut         Cut // set when the bound is reached
}

// Take returns how many of the next rows may be written. Having more rows than that makes the result a cut one.
func (b *Bound) Take(rows int64) int64 {
	if b.Bytes <= 0 {
		b.Cut = AtBytes
		return 0
	}
	if rows > b.Rows {
		b.Cut = AtLimit
	}
	keep := min(rows, b.Rows)
	b.Rows -= keep
	return keep
}

// cutIf marks a result as cut by its size.
func (b *Bound) cutIf(cut bool) {
	if cut {
		b.Cut = AtBytes
	}
}
