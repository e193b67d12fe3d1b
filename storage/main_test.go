package storage_test

import (
	"flag"
	"os"
	"testing"

	"github.com/rowback/rowback/storage/intake"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	flag.Parse()
	// Those that run beside each other wait for the disk: more of them than there are cores.
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		if err := p.Value.Set("4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
