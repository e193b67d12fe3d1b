package storage

import (
	"context"

	"github.com/rowback/rowback/storage/catalog"
)

// What was recorded since a reader looked last. Ids only grow in a dataset, so the last one seen is enough to go on
// from; across datasets, commits may be recorded in another order than that of their ids.

// AnyDataset returns the dataset with that id, deleted or not.
func (h *History) AnyDataset(ctx context.Context, id string) (catalog.Dataset, error) {
	return h.anyDataset(ctx, id)
}

// EveryDataset calls f with all datasets, deleted ones too, up to limit at a time.
func (h *History) EveryDataset(ctx context.Context, limit int, f func([]catalog.Dataset) error) error {
	for _, deleted := range []bool{false, true} {
		filter := catalog.DatasetFilter{Deleted: deleted, Vacuumed: true, Limit: limit}
		for {
			var page []catalog.Dataset
			err := h.catalog.Read(ctx, func(tx catalog.Tx) (err error) { page, err = tx.Datasets(filter); return err })
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			if err := f(page); err != nil {
				return err
			}
			filter.After = page[len(page)-1].ID
		}
	}
	return nil
}

// CommitsSince lists up to limit commits of a dataset with ids above after, oldest first, those that merges played too.
func (h *History) CommitsSince(
	ctx context.Context, dataset string, after int64, limit int,
) (list []catalog.Commit, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		list, err = tx.Actions(dataset, after, limit, false)
		return err
	})
	return list, err
}

// VersionsSince lists up to limit versions of all datasets with ids above after, in the order in which they were made.
func (h *History) VersionsSince(ctx context.Context, after int64, limit int) (list []catalog.Version, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.VersionsAfter(after, limit); return err })
	return list, err
}

// LastVersion returns the id of the version that was made last; 0: there is none.
func (h *History) LastVersion(ctx context.Context) (id int64, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { id, err = tx.Last("version"); return err })
	return id, err
}

// ProposalStates lists the proposals to a dataset, deleted or not, with their numbers, revisions and states alone.
func (h *History) ProposalStates(ctx context.Context, dataset string) (list []catalog.Proposal, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.ProposalStates(dataset); return err })
	return list, err
}

// AllDiscussions lists the discussions of a dataset's comparisons, deleted or not, without what was said.
func (h *History) AllDiscussions(ctx context.Context, dataset string) (list []catalog.Discussion, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error { list, err = tx.Discussions(dataset); return err })
	return list, err
}

// AnyDiscussion returns the discussion of a comparison, whether its datasets were deleted or not.
func (h *History) AnyDiscussion(ctx context.Context, of catalog.Compared) (d catalog.Discussion, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		d, err = tx.Discussion(of)
		return orNotFound(err, "discussion_not_found", "No one has commented on these two states.")
	})
	return d, err
}

// AllProposals lists the proposals to a dataset, deleted or not, without what was said.
func (h *History) AllProposals(ctx context.Context, dataset string) (list []catalog.Proposal, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		list, err = tx.Proposals(dataset, "", catalog.Forever, 1<<30)
		return err
	})
	return list, err
}

// AnyProposal returns a proposal to a dataset, deleted or not.
func (h *History) AnyProposal(ctx context.Context, dataset string, number int64) (p catalog.Proposal, err error) {
	err = h.catalog.Read(ctx, func(tx catalog.Tx) error {
		p, err = tx.Proposal(dataset, number)
		return orNotFound(err, "proposal_not_found", "There is no proposal %d.", number)
	})
	return p, err
}
