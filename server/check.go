package main

import (
	"context"
	"fmt"

	"rowback/storage"
)

type checkCmd struct {
	Data string `help:"Data directory." default:"rowback-data" type:"existingdir"`
	Deep bool   `help:"Read every byte and compare it with its checksum."`
}

// Run checks a data directory.
func (cmd *checkCmd) Run(c console) error {
	store, err := storage.Open(context.Background(), cmd.Data, storage.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	problems, err := store.Check(context.Background(), cmd.Deep)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintf(c.out, "dataset %s commit %d: %s\n", p.Dataset, p.Commit, p.Detail)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems", len(problems))
	}
	fmt.Fprintln(c.out, "Everything is as it must be.")
	return nil
}
