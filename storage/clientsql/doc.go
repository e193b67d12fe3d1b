// Package clientsql is about SQL that clients write: statements (POST /api/v1/query, Flight SQL), conditions (where=…),
// derivations of variables, and types. It decides what they may say before any of it runs, and opens the sandboxes that
// they run in.
//
// A text is parsed by DuckDB itself, in a sandbox, into a tree of nodes (tree.go). What none may touch is refused on
// that tree: tables other than those that are given, and functions that do more than compute (functions.txt lists each
// function of DuckDB). How large a statement may be is bounded on it, too (size.go). The sandbox, another process that
// is locked to a list of files, refuses the rest a second time.
//
// The package knows schemas and DuckDB, and nothing of stores. FuzzSQL in package query, and the tests beside this
// file, prove it.
package clientsql
