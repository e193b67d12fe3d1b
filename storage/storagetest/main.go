// Package storagetest is what the tests of stores share: a store in a temporary directory, with short words for what is
// done to it, what it shows, and ways to stop it anywhere.
package storagetest

import (
	"flag"
	"os"
	"testing"

	"github.com/rowback/rowback/storage/intake"
)

// Main runs the tests of a package that opens stores: their upload readers are this program again.
func Main(m *testing.M) {
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
