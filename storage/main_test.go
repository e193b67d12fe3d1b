package storage_test

import (
	"flag"
	"os"
	"testing"

	"rowback/storage/intake"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	flag.Parse()
	// Most of them wait for the disk: more run beside each other than there are cores.
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		if err := p.Value.Set("6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
