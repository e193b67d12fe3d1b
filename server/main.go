// Rowback is a versioning server for tabular datasets on Parquet, and the command line that talks to one.
package main

import "github.com/rowback/rowback/server/cli"

func main() {
	cli.Main()
}
