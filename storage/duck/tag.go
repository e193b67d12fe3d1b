//go:build !duckdb_arrow

package duck

/*
#error "Rowback needs the build tag duckdb_arrow, as in: go run -tags duckdb_arrow ./server serve --demo"
*/
import "C"
