package query_test

import (
	"context"
	"testing"
	"time"

	"github.com/rowback/rowback/query"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/intake"
)

// late is a writer that is slow to accept the first bytes.
type late struct{ bytes int64 }

func (l *late) Write(p []byte) (int, error) {
	if l.bytes == 0 {
		time.Sleep(time.Second)
	}
	l.bytes += int64(len(p))
	return len(p), nil
}

// Reading ahead is bounded in bytes, not only in rows.
func TestLongValuesAreNotReadFarAhead(t *testing.T) {
	w := empty(t, storage.Options{Memory: 12 << 30})
	for _, format := range []intake.Format{intake.Arrow, intake.CSV} {
		to := &late{}
		s := query.Statement{SQL: "SELECT range AS i, repeat('x', 10000) || range AS x FROM range(100000)", Project: 1}
		if _, err := query.Write(context.Background(), w.Store, s, format, to, w.Scratch("late")); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if to.bytes < 100_000*10_000 {
			t.Errorf("%s: got %d bytes", format, to.bytes)
		}
	}
}
