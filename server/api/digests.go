package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/catalog"
)

// digestView is the digest of a state.
type digestView struct {
	Ref          string `json:"ref"`
	Commit       int64  `json:"commit"`
	RecordsTotal int64  `json:"records_total"`
	Digest       string `json:"digest" description:"${digest}"`
}

// getDigest returns the digest of a state. Files that were not digested before are read.
func (a *API) getDigest(c *fiber.Ctx, d catalog.Dataset, in refIn) error {
	found, err := a.store.Digests.Of(c.UserContext(), d.ID, in.ref())
	if err != nil {
		return err
	}
	return ok(c, digestView{in.ref(), found.Commit, found.Total, found.Digest})
}

// addDigests sets the digests of commits or versions where these are known.
func addDigests[View any](
	ctx context.Context, a *API, list []View, of func(*View) (commit int64, digest *string),
) error {
	commits := make([]int64, len(list))
	for i := range list {
		commits[i], _ = of(&list[i])
	}
	known, err := a.store.Digests.Known(ctx, commits)
	for i := range list {
		id, digest := of(&list[i])
		*digest = known[id]
	}
	return err
}

func digestOfCommit(v *commitView) (int64, *string) { return v.ID, &v.Digest }

func digestOfVersion(v *versionView) (int64, *string) { return v.CommitID, &v.Digest }

func digestOfSeedVersion(v *seedVersion) (int64, *string) { return v.commit, &v.Digest }
