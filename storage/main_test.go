package storage_test

import (
	"testing"

	"github.com/rowback/rowback/storage/storagetest"
)

func TestMain(m *testing.M) { storagetest.Main(m) }
