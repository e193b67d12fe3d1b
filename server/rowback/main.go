// Rowback is a versioning server for tabular datasets on Parquet, and the command line that talks to one. It is the
// program of the folder above under the name that "go install" gives it.
package main

import "github.com/rowback/rowback/server/cli"

func main() {
	cli.Main()
}
