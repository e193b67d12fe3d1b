package storage_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/storagetest"
)

// ledger is all that a store holds, as text: every dataset, deleted ones too, with its commits, its records after each
// of them, its versions, savepoints and backups.
func (b *bench) ledger() string {
	b.Helper()
	ctx := context.Background()
	var out []string
	for _, deleted := range []bool{false, true} {
		states, err := b.Datasets(ctx, catalog.DatasetFilter{Deleted: deleted, Limit: 1000})
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range states {
			out = append(out, storagetest.ToJSON(s.Dataset))
			if deleted {
				continue // what it holds is shown to no one
			}
			out = append(out, b.page(s.Dataset.ID))
		}
	}
	return strings.Join(out, "\n")
}

// page is what one dataset holds.
func (b *bench) page(d string) string {
	b.Helper()
	ctx := context.Background()
	actions, err := b.Actions(ctx, d, storage.ActionFilter{})
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, c := range actions {
		out = append(out, storagetest.ToJSON(c), storagetest.ToJSON(b.Rows(d, fmt.Sprint(c.ID), true)))
	}
	versions, errVersions := b.Versions(ctx, d)
	savepoints, errSavepoints := b.Savepoints(ctx, d)
	backups, errBackups := b.Backups.List(ctx, d)
	for _, err := range []error{errVersions, errSavepoints, errBackups} {
		if err != nil {
			b.Fatal(err)
		}
	}
	tags, err := b.Tags(ctx, d)
	if err != nil {
		b.Fatal(err)
	}
	if len(tags) > 0 {
		out = append(out, storagetest.ToJSON(tags))
	}
	proposals, err := b.Proposals(ctx, d, "", catalog.Forever, 1000)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range proposals {
		if p, err = b.FindProposal(ctx, d, p.Number); err != nil {
			b.Fatal(err)
		}
		out = append(out, storagetest.ToJSON(p.Proposal))
	}
	discussions, err := b.Discussions(ctx, d)
	if err != nil {
		b.Fatal(err)
	}
	for _, one := range discussions {
		out = append(out, storagetest.ToJSON(one.Discussion))
	}
	for _, list := range []any{versions, savepoints, backups} {
		out = append(out, storagetest.ToJSON(list))
	}
	return strings.Join(out, "\n")
}
