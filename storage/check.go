package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/duck"
	"github.com/rowback/rowback/storage/snapshot"
)

// Check reads the whole store and reports what is wrong: in the catalog, in the files against it, and in the rows of
// every head. It finds nothing in a store that is sound. With deep, every byte is read and digests are computed again.
// Every crash test ends with it. It changes nothing, and holds a dataset's lock while it looks at that.
func (h *History) Check(ctx context.Context, deep bool) ([]Problem, error) {
	var datasets []snapshot.State
	for _, deleted := range []bool{false, true} {
		list, err := h.Datasets(ctx, catalog.DatasetFilter{Deleted: deleted, Limit: 1 << 30, Vacuumed: true})
		if err != nil {
			return nil, err
		}
		datasets = append(datasets, list...)
	}
	out, err := h.inQuarantine()
	if err != nil {
		return nil, err
	}
	// A file that a fork shares is checked once, and blamed on the first dataset that has it.
	seen, digests, checked := map[int64]bool{}, digestMemory{}, map[string]bool{}
	for _, d := range datasets {
		checked[d.Dataset.ID] = d.Dataset.VacuumedAt.IsZero()
	}
	for _, d := range datasets {
		c := checker{History: h, dataset: d.Dataset, deep: deep, seen: seen, digests: digests, checked: checked}
		if err := c.run(ctx); err != nil {
			return nil, err
		}
		out = append(out, c.problems...)
	}
	return out, nil
}

// run checks one dataset: what the catalog says of it, its files, and its live rows.
func (c *checker) run(ctx context.Context) error {
	// So that the catalog and the directories are of one moment: a commit that is under way would look like damage.
	unlock, err := c.catalog.Lock(ctx, c.dataset.ID)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.catalog.Read(ctx, c.checkCatalog); err != nil {
		return err
	}
	if c.head == nil {
		return nil // what forks need of its files is checked with these
	}
	if err := c.checkFiles(ctx); err != nil {
		return err
	}
	conn, err := c.stored.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.blame(c.checkHead(ctx, conn)); err != nil || !c.deep || len(c.problems) > 0 {
		return err
	}
	if err := c.blame(c.checkCompacted(ctx, conn)); err != nil {
		return err
	}
	err = c.checkDigests(ctx, conn)
	if duck.CauseOf(err) == duck.OutOfMemory { // of thousands of columns: it says nothing about the store
		c.log.Warn("digests were not computed again, as that takes more memory than there is", "dataset", c.dataset.ID)
		return nil
	}
	return c.blame(err)
}

// checkCatalog checks the chain of commits, what each says it did, and what names commits.
func (c *checker) checkCatalog(tx catalog.Tx) (err error) {
	if c.dataset, err = tx.Dataset(c.dataset.ID); err != nil {
		return err
	}
	before, err := c.begin(tx)
	if err != nil {
		return err
	}
	if c.commits, err = tx.CommitsAfter(c.dataset.ID, before.ID); err != nil {
		return err
	}
	undone, err := standingRollbacks(tx, c.dataset.ID)
	if err != nil {
		return err
	}
	c.readRenewals(tx)
	if err := c.checkInherited(tx, undone); err != nil {
		return err
	}
	// Each commit must have been made on the one before it: a gap would be a commit that is lost.
	previous := before.ID
	totals := map[int64]int64{0: 0, before.ID: before.Total}
	for _, k := range c.commits {
		if k.Previous != previous {
			c.found(k.ID, "it was made on commit %d, and follows commit %d", k.Previous, previous)
		}
		if k.RollbackCommitID != undone[k.ID] {
			c.found(k.ID, "it says that commit %d undoes it; the log says commit %d", k.RollbackCommitID, undone[k.ID])
		}
		previous, totals[k.ID] = k.ID, k.Total
		if err := c.checkCommit(tx, k, totals); err != nil {
			return err
		}
	}
	if c.dataset.Head != previous {
		c.found(0, "the head is commit %d; the last commit is %d", c.dataset.Head, previous)
	}
	if err := c.checkNames(tx); err != nil {
		return err
	}
	if c.head, err = c.snapshot(tx, c.dataset, c.dataset.Head); isGone(err) {
		return nil // the dataset is deleted, and can't be brought back
	}
	if err == nil {
		c.head = c.head.AsWritten()
	}
	return err
}

// checkCommit checks that the rows a commit opened and closed are as many as it counts, and that it is described. A
// merge has done what it played. What vacuum removed is not counted.
func (c *checker) checkCommit(tx catalog.Tx, k catalog.Commit, totals map[int64]int64) error {
	did, err := c.setsOf(tx, k)
	if isGone(err) {
		return c.checkDescribed(tx, k)
	}
	if err != nil {
		return err
	}
	// Data files add rows and rollback files take rows away; the other way round where they are closed.
	var rows int64
	for _, f := range did.opened {
		rows += snapshot.SignOf(f) * f.Rows
	}
	for _, f := range did.closed {
		rows -= snapshot.SignOf(f) * f.Rows
	}
	if before := totals[did.first.Previous]; rows != k.Added-k.Removed || k.Total != before+rows {
		c.found(k.ID, "its files change the records by %d; it says +%d -%d, from %d to %d", rows, k.Added, k.Removed, before,
			k.Total)
	}
	return c.checkDescribed(tx, k)
}

// checkDescribed compares a commit with its description.
func (c *checker) checkDescribed(tx catalog.Tx, k catalog.Commit) error {
	if k.ID <= c.dataset.ForkCommit || k.MergeCommitID != 0 {
		return nil // described beside its upstream, or with its merge
	}
	m, err := c.readManifest(k.DatasetID, k.ID)
	if err != nil {
		c.found(k.ID, "commit.json can't be read: %v", err)
		return nil
	}
	c.renewals.renew(&m)
	for _, p := range m.Played {
		if err := c.checkManifest(tx, p); err != nil {
			return err
		}
	}
	return c.checkManifest(tx, m)
}

// readRenewals reads what the descriptions of commits mean since rows were removed from their files.
func (c *checker) readRenewals(tx catalog.Tx) {
	list, err := tx.FamilyRemovals(c.dataset.FamilyID)
	if err == nil {
		c.renewals, err = c.renewalsOf(list)
	}
	if err != nil {
		c.found(0, "what was removed from its files can't be read: %v", err)
	}
}

// checkManifest compares a commit's description with the catalog.
func (c *checker) checkManifest(tx catalog.Tx, m manifest) error {
	k, err := tx.Commit(c.dataset.ID, m.Commit.ID)
	if err != nil {
		c.found(m.Commit.ID, "it is in commit.json and missing from the catalog")
		return nil
	}
	// Files that the commit wrote have its id, and the others were reopened: the catalog does not say which is which.
	opened, errOpened := tx.Opened(k.DatasetID, k.ID, k.ID)
	closed, errClosed := tx.Closed(k.DatasetID, k.ID, k.ID)
	reopened := slices.DeleteFunc(slices.Clone(opened), func(f *catalog.File) bool { return f.CommitID == k.ID })
	if !sameIDs(m.Closed, closed) || !sameIDs(m.Reopened, reopened) || len(m.Opened) != len(opened)-len(reopened) {
		c.found(k.ID, "commit.json and the catalog differ in the files it opened and closed")
	}
	if !sameFiles(m.Opened, opened) {
		c.found(k.ID, "commit.json and the catalog differ in the files it wrote")
	}
	was := m.Commit
	if was.Hash != k.Hash || was.Total != k.Total || !was.CreatedAt.Equal(k.CreatedAt) || was.Previous != k.Previous ||
		was.Mode != k.Mode || was.DatasetID != k.DatasetID {
		c.found(k.ID, "commit.json and the catalog differ")
	}
	return errors.Join(errOpened, errClosed)
}

// sameFiles reports whether the catalog has those files, as they were described.
func sameFiles(described, known []*catalog.File) bool {
	is := map[int64]catalog.File{}
	for _, f := range known {
		is[f.ID] = *f
	}
	for _, f := range described {
		k, ok := is[f.ID]
		if !ok || f.Key != k.Key || f.Kind != k.Kind || f.Rows != k.Rows || f.Bytes != k.Bytes || f.Checksum != k.Checksum {
			return false
		}
	}
	return true
}

// sameIDs reports whether a description names exactly these files, in any order.
func sameIDs(list []int64, files []*catalog.File) bool {
	other := ids(files)
	slices.Sort(other)
	return slices.Equal(slices.Sorted(slices.Values(list)), other)
}

// checkNames checks that versions, tags and savepoints name commits, and that the objects have them too.
func (c *checker) checkNames(tx catalog.Tx) error {
	// 0 is the state before the first commit, which can be named too.
	is := func(id int64) bool {
		_, err := tx.Commit(c.dataset.ID, id)
		return id == 0 || err == nil
	}
	versions, err := tx.Versions(c.dataset.ID)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if !is(v.CommitID) {
			c.found(v.CommitID, "version %s names it, and it is not there", VersionNumber(v))
		}
		if err := c.checkLabel(labelKey(v.DatasetID, versionName(v)), v.CommitID, "version", VersionNumber(v)); err != nil {
			return err
		}
	}
	tags, err := tx.Tags(c.dataset.ID)
	if err != nil {
		return err
	}
	for _, t := range tags {
		if !is(t.CommitID) {
			c.found(t.CommitID, "tag %s names it, and it is not there", t.Name)
		}
		if err := c.checkLabel(labelKey(t.DatasetID, tagLabelName(t.Name)), t.CommitID, "tag", t.Name); err != nil {
			return err
		}
	}
	if err := errors.Join(c.checkLabels(), c.checkProposals(tx), c.checkDiscussions(tx)); err != nil {
		return err
	}
	savepoints, err := tx.Savepoints(c.dataset.ID)
	for _, p := range savepoints {
		if !is(p.CommitID) {
			c.found(p.CommitID, "savepoint %s names it, and it is not there", SavepointName(p.Number))
		}
	}
	return err
}

// checkDiscussions checks that the objects have the discussions.
func (c *checker) checkDiscussions(tx catalog.Tx) error {
	discussions, err := tx.Discussions(c.dataset.ID)
	for _, d := range discussions {
		commits := fmt.Sprintf("of commits %d and %d", d.FromCommit, d.ToCommit)
		label := labelKey(d.DatasetID, discussionLabelName(d.Compared))
		err = errors.Join(err, c.checkLabel(label, d.FromCommit, "discussion", commits))
	}
	return err
}

// checkProposals checks that the objects have the proposals.
func (c *checker) checkProposals(tx catalog.Tx) error {
	proposals, err := tx.Proposals(c.dataset.ID, "", catalog.Forever, 1<<30)
	for _, p := range proposals {
		label := labelKey(p.DatasetID, proposalLabelName(p.Number))
		err = errors.Join(err, c.checkLabel(label, p.MergeCommitID, "proposal", strconv.FormatInt(p.Number, 10)))
	}
	return err
}

// checkLabel checks that the objects have the label of something that is known by a name.
func (c *checker) checkLabel(key string, commit int64, what, name string) error {
	there, err := c.blobs.Has(key)
	if err == nil && !there {
		c.found(commit, "the label of %s %s is missing: without the catalog, the %s is lost", what, name, what)
	}
	return err
}
