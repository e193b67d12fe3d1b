package clientsql

import (
	"testing"

	"github.com/rowback/rowback/storage/duck"
)

// Tables with many columns are read by as many threads as there is memory for, and by at least one.
func TestThreadsForManyColumns(t *testing.T) {
	for _, c := range []struct {
		memory  int64
		columns int
		want    string
	}{
		{1 << 30, 0, "SET threads = 8"},
		{1 << 30, 5, "SET threads = 8"},
		{1 << 30, 1024, "SET threads = 8"},
		{1 << 30, 4000, "SET threads = 2"},
		{1 << 30, 9000, "SET threads = 1"},
		{0, 9000, "SET threads = 8"},
	} {
		boxes := NewSandboxes(func() duck.Limits { return duck.Limits{Memory: c.memory, Threads: 8} }, nil)
		if got := boxes.Threads(c.columns); got != c.want {
			t.Errorf("%d bytes, %d columns: %s, not %s", c.memory, c.columns, got, c.want)
		}
		boxes.Close()
	}
}
