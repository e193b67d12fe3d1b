// Package clientsql handles SQL written by clients: statements (POST /api/v1/query, Flight SQL), conditions (where=…),
// derivations of variables, and types. It decides what they may contain before any of it runs, and opens the sandboxes
// in which they run. A text is parsed by DuckDB itself, in a sandbox, into a tree of nodes (tree.go). The checks run on
// that tree: no tables other than the given ones, no functions that do more than compute (functions.txt lists every
// function of DuckDB), no statement that is too large (size.go). As a second line of defence, the sandbox is another
// process that is locked to a list of files. The package knows schemas and DuckDB, but not stores. FuzzSQL in package
// query and the tests beside this file prove it.
package clientsql
