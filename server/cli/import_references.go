package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Files that a job wrote into the store's incoming/ are named by their addresses, and the server reads them by itself.
// All that a command names are one commit: they are what one job wrote.

// isReference reports whether a file is named by its address.
func isReference(file string) bool {
	return slices.ContainsFunc([]string{"s3://", "s3a://", "file:/"}, func(scheme string) bool {
		return strings.HasPrefix(file, scheme)
	})
}

func (cmd *importCmd) areReferences() bool { return isReference(cmd.Files[0]) }

// lookAtAll reports what is wrong with the files that can be found out without reading them.
func (cmd *importCmd) lookAtAll() error {
	for _, file := range cmd.Files {
		if isReference(file) != cmd.areReferences() {
			return errors.New("files on this machine become a commit each, and those of the store one together. " +
				"Import them by two commands")
		}
		if cmd.areReferences() {
			continue
		}
		if err := cmd.look(file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if cmd.areReferences() && cmd.Format != "" && cmd.Format != "parquet" {
		return errors.New("files of the store are committed as Parquet. Leave --format out")
	}
	return nil
}

// commitReferences commits all files as one.
func (cmd *importCmd) commitReferences(c console) (done int, err error) {
	list, err := json.Marshal(map[string][]string{"files": cmd.Files})
	if err != nil {
		return 0, err
	}
	commit, err := cmd.commitBody(bytes.NewReader(list), int64(len(list)), "application/json", "")
	if err != nil {
		return 0, err
	}
	if !commit.DryRun {
		done = 1
	}
	return done, c.answer(commit, func() {
		c.printf("%s: ", countOf(int64(len(cmd.Files)), "file"))
		commit.show(c)
	})
}
