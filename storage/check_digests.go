package storage

import (
	"context"
	"maps"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/digest"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
)

// checkDigests computes digests anew, from the files alone: that of the head, and those that the catalog has of states
// and of their files. The head's records, read as a client reads them, must have the same one: what is left of the
// files after all that was displaced, undone and merged is what is live.
func (c *checker) checkDigests(ctx context.Context, conn *duck.Conn) error {
	recorded, err := c.recordedDigests(ctx)
	if err != nil {
		return err
	}
	var last *stateSum
	var sum digest.Sum
	commits := c.commits
	if len(commits) == 0 && c.head.Commit.ID != 0 {
		commits = append(commits, c.head.Commit) // a fork without commits of its own
	}
	for _, k := range commits {
		text, known := recorded[k.ID]
		if !known && k.ID != c.head.Commit.ID {
			continue
		}
		if last, sum, err = c.sumAgain(ctx, k, last, sum); err != nil {
			return err
		}
		if known && sum.String() != text {
			c.found(k.ID, "its records have the digest %s; %s was recorded", sum, text)
		}
	}
	if err := c.checkFileDigests(ctx); err != nil {
		return err
	}
	var head *snapshot.Snapshot // anew, as readers get it
	if err := c.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		head, err = c.snapshot(tx, c.dataset, c.dataset.Head)
		return err
	}); err != nil {
		return err
	}
	live, err := sumRows(ctx, conn, head.LiveDigestScan(), 0)
	if err == nil && live[0] != sum {
		c.found(c.head.Commit.ID, "the live records have the digest %s; by their files it is %s", live[0], sum)
	}
	return err
}

// recordedDigests returns the digests of the dataset's states that the catalog has, by commit.
func (c *checker) recordedDigests(ctx context.Context) (out map[int64]string, err error) {
	commits := make([]int64, len(c.commits))
	for i, k := range c.commits {
		commits[i] = k.ID
	}
	return (&Digests{Files: c.stored}).Known(ctx, commits)
}

// sumAgain computes the digest of the state after a commit, from that of an earlier one if their schemas are the same.
func (c *checker) sumAgain(
	ctx context.Context, k catalog.Commit, last *stateSum, sum digest.Sum,
) (*stateSum, digest.Sum, error) {
	s := &stateSum{dataset: c.dataset, commit: k.ID}
	err := c.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if s.state, err = snapshot.At(tx, c.dataset, k.ID); err != nil {
			return err
		}
		if last != nil && last.state.SchemaID() == s.state.SchemaID() {
			return s.plan(tx, c.History, last.commit, sum)
		}
		return s.plan(tx, c.History, 0, digest.Sum{})
	})
	if err != nil {
		return nil, sum, err
	}
	err = c.stored.readDigests(ctx, s, c.digests.missing(s), func(found digestMemory) {
		maps.Copy(c.digests, found)
	})
	return s, s.total(c.digests), err
}

// checkFileDigests compares what the catalog has of files with what was computed from them.
func (c *checker) checkFileDigests(ctx context.Context) error {
	return c.catalog.Read(ctx, func(tx catalog.Tx) error {
		files, err := tx.FilesSince(c.dataset.ID, c.inherited)
		if err != nil {
			return err
		}
		recorded, err := tx.FileDigests(ids(files))
		if err != nil {
			return err
		}
		for _, d := range recorded {
			if sum, ok := c.digests[d.DigestKey]; ok && sum.String() != d.Digest {
				f, err := tx.File(d.File)
				if err != nil {
					return err
				}
				c.found(f.CommitID, "file %d (%s) has the digest %s; %s was recorded", f.ID, f.Key, sum, d.Digest)
			}
		}
		return nil
	})
}
