package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/catalog"
)

// handle returns the handler of requests about one thing: it reads the request, finds the thing and has it answered.
// Handlers then begin with what they are about; reading and finding, and their errors, are written once.
func handle[In, Found any](
	a *API, find func(context.Context, In) (Found, error), answer func(*fiber.Ctx, Found, In) error,
) fiber.Handler {
	return func(c *fiber.Ctx) error {
		var in In
		if err := a.bind(c, &in); err != nil {
			return err
		}
		found, err := find(c.UserContext(), in)
		if err != nil {
			return err
		}
		return answer(c, found, in)
	}
}

// What a request is about. A struct that embeds datasetIn, say, is a request about a dataset.
type (
	ofDataset   interface{ ofDataset() datasetIn }
	ofCommit    interface{ ofCommit() oneCommitIn }
	ofSavepoint interface{ ofSavepoint() oneSavepointIn }
	ofBackup    interface{ ofBackup() oneBackupIn }
	ofVariable  interface{ ofVariable() oneVariableIn }
)

// Embedding promotes these methods, so a request struct needs nothing but the embedded field. The compiler refuses a
// struct that embeds two of them.
func (in datasetIn) ofDataset() datasetIn             { return in }
func (in oneCommitIn) ofCommit() oneCommitIn          { return in }
func (in oneSavepointIn) ofSavepoint() oneSavepointIn { return in }
func (in oneBackupIn) ofBackup() oneBackupIn          { return in }
func (in oneVariableIn) ofVariable() oneVariableIn    { return in }

// onDataset, onCommit, onSavepoint, onBackup and onVariable return the handlers of requests about one of each. A
// dataset is found by id or name; everything else belongs to a dataset in the path and is 404 elsewhere.
func onDataset[In ofDataset](a *API, answer func(*fiber.Ctx, catalog.Dataset, In) error) fiber.Handler {
	return handle(a, func(ctx context.Context, in In) (catalog.Dataset, error) {
		return a.dataset(ctx, in.ofDataset())
	}, answer)
}

func onCommit[In ofCommit](a *API, answer func(*fiber.Ctx, catalog.Commit, In) error) fiber.Handler {
	return handle(a, func(ctx context.Context, in In) (catalog.Commit, error) {
		return a.commit(ctx, in.ofCommit())
	}, answer)
}

func onSavepoint[In ofSavepoint](a *API, answer func(*fiber.Ctx, catalog.Savepoint, In) error) fiber.Handler {
	return handle(a, func(ctx context.Context, in In) (catalog.Savepoint, error) {
		return a.savepoint(ctx, in.ofSavepoint())
	}, answer)
}

func onBackup[In ofBackup](a *API, answer func(*fiber.Ctx, catalog.Backup, In) error) fiber.Handler {
	return handle(a, func(ctx context.Context, in In) (catalog.Backup, error) {
		return a.backup(ctx, in.ofBackup())
	}, answer)
}

func onVariable[In ofVariable](a *API, answer func(*fiber.Ctx, variable, In) error) fiber.Handler {
	return handle(a, func(ctx context.Context, in In) (variable, error) {
		return a.variable(ctx, in.ofVariable())
	}, answer)
}

// views returns what clients see of the entries of a list; never null.
func views[T, V any](list []T, view func(T) V) []V {
	out := make([]V, len(list))
	for i, one := range list {
		out[i] = view(one)
	}
	return out
}
