package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/rowback/rowback/storage"
)

// copyCmd copies a store to another place, while a server has it or not.
type copyCmd struct {
	From string `help:"${copy_from}" required:"" placeholder:"PLACE"`
	To   string `help:"${copy_to}" required:"" placeholder:"PLACE"`
	bucketFlags
}

// Help explains how a store moves.
func (cmd *copyCmd) Help() string {
	return "While a server has the store, the command copies what is there and what is new, and waits. Stop the server: " +
		"then the command copies the rest, compares the digests of all states, and only then makes the copy a store. " +
		"It may be stopped at any moment; call it again and it goes on."
}

// Run copies the store.
func (cmd *copyCmd) Run(c console) error {
	ctx, stop := untilStopped()
	defer stop()
	from, err := cmd.place(cmd.From)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	to, err := cmd.place(cmd.To)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	plan := storage.CopyPlan{From: from, To: to, Say: func(text string) { c.note(text) }}
	out, err := storage.CopyStore(ctx, plan, storage.Options{Program: version})
	if ctx.Err() != nil {
		return fmt.Errorf("stopped after %s. Call it again: it goes on", countOf(out.Objects, "object"))
	}
	if err != nil {
		return err
	}
	return c.answer(out, func() {
		c.printf("Copied %s with %s; the digests of %s are equal. %s, %s.\n"+
			"Start the server there, and not on the former place any more.\n",
			countOf(out.Datasets, "dataset"), countOf(out.Commits, "commit"), countOf(out.States, "state"),
			countOf(out.Objects, "object"), humanize.Bytes(uint64(out.Bytes)))
	})
}

// place reads a place: its parts are told apart by their beginnings.
func (cmd *copyCmd) place(text string) (p storage.CopyPlace, err error) {
	for _, part := range placeParts(text) {
		switch {
		case strings.HasPrefix(part, "s3://") && p.Objects == nil:
			p.Objects = cmd.at(part)
		case isDatabase(part) && p.Catalog == "":
			p.Catalog = part
		case !strings.Contains(part, "://") && p.Dir == "" && part != "":
			p.Dir = part
		default:
			return p, errors.New("a place is a directory, postgres://… and s3://bucket/prefix, one of each at most, " +
				"comma-separated")
		}
	}
	return p, nil
}

// placeParts splits a place at the commas before a URL, or after one before a path: a database may have several hosts.
func placeParts(text string) (parts []string) {
	from := 0
	for i := range text {
		rest := text[min(i+1, len(text)):]
		if text[i] != ',' || !isDatabase(rest) && !strings.HasPrefix(rest, "s3://") && !strings.HasPrefix(rest, "/") &&
			!strings.HasPrefix(rest, ".") {
			continue
		}
		parts, from = append(parts, text[from:i]), i+1
	}
	return append(parts, text[from:])
}

func isDatabase(part string) bool {
	return strings.HasPrefix(part, "postgres://") || strings.HasPrefix(part, "postgresql://")
}
