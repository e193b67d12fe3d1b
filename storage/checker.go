package storage

import (
	"errors"
	"fmt"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/verify"
)

// checker checks one dataset.
type checker struct {
	*History
	dataset catalog.Dataset
	deep    bool
	seen    map[int64]bool  // files that were checked with another dataset
	digests digestMemory    // of files, computed with this check
	checked map[string]bool // the datasets of the check, by id

	inherited int64            // the last commit that is checked with another dataset; 0: none is
	commits   []catalog.Commit // those after it
	renewals  renewals         // of the family
	head      *snapshot.Snapshot
	problems  []Problem
}

// found notes a problem of a commit. The detail begins with a pronoun or a name, as it follows the dataset and the
// commit in a line.
func (c *checker) found(commit int64, format string, args ...any) {
	c.problems = append(c.problems, Problem{Dataset: c.dataset.ID, Commit: commit, Detail: fmt.Sprintf(format, args...)})
}

// blame turns rows that can't be read into a problem, so that the check goes on: a file that was reported for another
// dataset, one that only the reading shows to be damaged, or a schema that the files do not have.
func (c *checker) blame(err error) error {
	var damage *verify.Damage
	switch {
	case errors.As(err, &damage):
		c.found(damage.Commit, "the records can't be read: %s: %s", damage.Key, damage.Detail)
	case err != nil && duck.CauseOf(err) == duck.Input:
		c.found(c.head.Commit.ID, "the records can't be read: %s", duck.Message(err))
	default:
		return err
	}
	return nil
}
