package calls

import (
	"context"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fair"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/trace"
)

// Carry returns a context for work that goes on after its request: on behalf of the same user, with what they may do,
// and recorded with it.
func Carry(work, request context.Context) context.Context {
	work = trace.Carry(storage.PermitFrom(work, request), request)
	return audit.With(fair.With(work, fair.User(request)), audit.Of(request))
}

// Note records in the audit log what a change has made.
func Note(ctx context.Context, result any) {
	of := audit.Of(ctx)
	switch made := result.(type) {
	case catalog.Commit:
		of.Commit(made.DatasetID, made.ID)
	case snapshot.State:
		of.Dataset(made.Dataset.ID, made.Properties.Name, made.Dataset.ProjectID)
		of.Commits(made.Commit.ID)
	case storage.Merged:
		of.Commits(made.Commit.ID)
		for _, one := range made.Played {
			of.Commits(one.ID)
		}
	}
}
