//go:build !unix

package cli

func ownFilesOnly() {}
