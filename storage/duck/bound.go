package duck

// Cut is why a result ends before all of it was written.
type Cut string

// The reasons.
const (
	Whole   Cut = ""      // it does not
	AtLimit Cut = "limit" // it has more rows than were asked for
	AtBytes Cut = "bytes" // it is larger than an answer may be
)

// Bound is how much of a result may still be written. Whoever writes counts the bytes.
type Bound struct {
	Rows, Bytes int64
	Cut         Cut // where it was reached
}

// Take tells how many of the next rows may be written. Rows that come when no more may be are a cut.
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

// cutIf marks a result as cut.
func (b *Bound) cutIf(cut bool) {
	if cut {
		b.Cut = AtBytes
	}
}
