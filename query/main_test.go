package query_test

import (
	"os"
	"testing"

	"rowback/storage/intake"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	os.Exit(m.Run())
}
