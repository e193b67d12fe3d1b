package cli

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
		Commit int64  `json:"commit"`
	}
	if err := cmd.get(cmd.path("digest"), query, &answer); err != nil {
		return err
	}
	return c.answer(answer, func() { c.printf("%s  %s@%s\n", answer.Digest, cmd.Dataset, cmd.Ref) })
}

// digestsFlag adds a column of digests to a list.
type digestsFlag struct {
	Digests bool `help:"Also list the digests that were computed before."`
}

func (f digestsFlag) header(names string) string {
	if f.Digests {
		return names + "\tDIGEST"
	}
	return names
}

// cells returns a row's cells, the digest last.
func (f digestsFlag) cells(digest string, cells ...any) []any {
	if f.Digests {
		return append(cells, digest)
	}
	return cells
}
