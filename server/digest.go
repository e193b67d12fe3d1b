package main

import "fmt"

// digestCmd prints the digest of a state.
type digestCmd struct {
	datasetFlags
	Ref string `help:"Which state: ${refs}." default:"head"`
}

// Run prints the digest and what it is of, as sha256sum does.
func (cmd *digestCmd) Run(c console) error {
	query := cmd.query()
	query.Set("ref", cmd.Ref)
	var answer struct {
		Digest string `json:"digest"`
	}
	if err := cmd.get(cmd.path("digest"), query, &answer); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s  %s@%s\n", answer.Digest, cmd.Dataset, cmd.Ref)
	return err
}
