package sparksql

import (
	_ "embed"
	"strings"
)

//go:embed functions.txt
var functionsText string

// functions are the functions that may be called.
var functions = func() map[string]bool {
	_, names, _ := strings.Cut(functionsText, "\n\n")
	return set(names)
}()
