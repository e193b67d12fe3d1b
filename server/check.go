package main

import (
	"context"
	"errors"
	"fmt"

	"rowback/storage"
)

// checkCmd checks a store that no server has open. It works on the directory and not over HTTP: a damaged store may not
// start.
type checkCmd struct {
	Data string `help:"Data directory." default:"rowback-data" type:"path"`
	Deep bool   `help:"Read every byte and compare it with its checksum."`
}

// Exit codes of check. It is 0 where the store is sound.
const (
	exitDamaged   = 1
	exitNoStore   = 2
	exitUnchecked = 3
)

// Help explains the exit codes.
func (cmd *checkCmd) Help() string {
	return "The directory is not changed. Exit codes: 0 the store is sound, 1 it is damaged, 2 it is not a store, 3 it " +
		"could not be checked."
}

// Run checks a data directory.
func (cmd *checkCmd) Run(c console) error {
	found, err := storage.Inspect(context.Background(), cmd.Data, cmd.Deep, storage.Options{})
	switch {
	case errors.Is(err, storage.ErrNotStore):
		return exitError{exitNoStore, err}
	case err != nil:
		return exitError{exitUnchecked, err}
	}
	for _, step := range found.Forward {
		fmt.Fprintln(c.out, "the next start records in the catalog:", step)
	}
	for _, p := range found.Problems {
		fmt.Fprintln(c.out, p)
	}
	if n := len(found.Problems); n > 0 {
		return exitError{exitDamaged, fmt.Errorf("%d problems", n)}
	}
	fmt.Fprintln(c.out, "Everything is as it must be.")
	return nil
}

// exitError is a failure with its own exit code.
type exitError struct {
	code int
	error
}
