package compare_test

import (
	"os"
	"testing"

	"github.com/rowback/rowback/storage/intake"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	os.Exit(m.Run())
}
