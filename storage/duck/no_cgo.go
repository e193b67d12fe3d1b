//go:build !cgo

package duck

import _ "embed"

// Go switches cgo off where it finds no C compiler, and then only reports files of DuckDB's that it leaves out. A file
// that is missing is reported with them, and its name says what to do.
//
//go:embed "Rowback needs cgo: install a C compiler such as gcc or clang, and build with CGO_ENABLED=1"
var _ string
