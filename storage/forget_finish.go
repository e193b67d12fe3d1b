package storage

import (
	"context"
	"errors"
	"path"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// finish removes the files that a removal replaced, which the catalog does not have any more, and writes the
// descriptions of their commits again, as these tell of values: bounds of keys, and categories. It may be done again.
func (rs *Removals) finish(ctx context.Context, d *removalDocument) error {
	for _, f := range d.Files {
		if f.Was != "" {
			if err := rs.remove(f.Was); err != nil {
				return err
			}
		}
	}
	rs.tables.exports.Clear()
	rs.tables.Sandboxes.Pool.DropConfined()
	if err := rs.removeCompacted(ctx, d.FamilyID); err != nil {
		return err
	}
	// What was published has values of what was erased. What a vacuum takes stays for engines that read it, for a while.
	if d.Kind != catalog.Vacuum {
		if err := rs.published.forget(ctx, d.FamilyID); err != nil {
			return err
		}
	}
	// After a vacuum, descriptions tell of no value that a state has not or had not.
	if d.Kind != catalog.Vacuum {
		if err := rs.describeAgain(ctx, d); err != nil {
			return err
		}
		if err := rs.forgetCatalogs(0); err != nil { // they have values in them, too
			return err
		}
	}
	if err := rs.catalog.Write(ctx, func(tx catalog.Tx) error { return tx.FinishRemoval(d.ID) }); err != nil {
		return err
	}
	return rs.catalog.Settle(ctx)
}

// remove removes a file that was replaced. Whoever was about to read it is told to ask again.
func (rs *Removals) remove(key string) error {
	rs.replaced.add(key)
	err := rs.blobs.Remove(key)
	rs.verifier.Forget(key)
	return err
}

// removeCompacted removes the compacted files of a family that the catalog does not have, those that were replaced a
// moment ago included, and the key filters of files that are gone.
func (rs *Removals) removeCompacted(ctx context.Context, family string) error {
	unlock, err := rs.compacted.place(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	known := map[string]bool{}
	list, err := rs.compacted.list(ctx, family)
	if err != nil {
		return err
	}
	for _, c := range list {
		known[path.Dir(c.Key)] = true
	}
	var datasets []catalog.Dataset
	err = rs.catalog.Read(ctx, func(tx catalog.Tx) error { datasets, err = tx.FamilyDatasets(family); return err })
	if err != nil {
		return err
	}
	for _, d := range datasets {
		if err := rs.filters.sweep(ctx, d.ID); err != nil {
			return err
		}
		names, err := rs.blobs.Directories(d.ID + "/" + compactedDir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if key := d.ID + "/" + compactedDir + "/" + name; !known[key] {
				rs.replaced.add(key + "/" + compactedName)
				if err := rs.blobs.Remove(key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// describeAgain writes the descriptions of the commits that wrote the files, as they are since. What can't be read
// stays: it is damaged, which check reports.
func (rs *Removals) describeAgain(ctx context.Context, d *removalDocument) error {
	var all renewals
	err := rs.catalog.Read(ctx, func(tx catalog.Tx) error {
		list, err := tx.FamilyRemovals(d.FamilyID)
		if err == nil {
			all, err = rs.renewalsOf(list)
		}
		return err
	})
	if err != nil {
		return err
	}
	unsaid, done := map[commitRef]bool{}, map[commitRef]bool{}
	for _, ref := range d.Unsaid {
		unsaid[ref] = true
	}
	for _, ref := range d.described() {
		if done[ref] {
			continue
		}
		done[ref] = true
		if err := rs.describeCommit(ctx, ref, all, unsaid[ref]); err != nil {
			return err
		}
	}
	return nil
}

// described are the commits whose descriptions tell of what is gone.
func (d *removalDocument) described() (out []commitRef) {
	for _, f := range d.Files {
		out = append(out, f.Write)
	}
	return append(out, d.Unsaid...)
}

// describeCommit writes a commit's description as removals leave it, in place of the one that was read. Another server
// that finishes a later removal may be faster: then that is what is read. unsaid: it may name values that are gone.
func (rs *Removals) describeCommit(ctx context.Context, ref commitRef, all renewals, unsaid bool) error {
	for {
		err := rs.describeOnce(ctx, ref, all, unsaid)
		if !errors.Is(err, blob.ErrReplaced) {
			return err
		}
	}
}

func (rs *Removals) describeOnce(ctx context.Context, ref commitRef, all renewals, unsaid bool) error {
	key := commitKey(ref.Dataset, ref.Commit) + "/" + descriptionFile
	var m manifest
	former, err := rs.readText(key)
	if err == nil {
		err = decode(former, &m)
	}
	switch {
	case isRefusal(err):
		return err
	case err != nil:
		return nil //nolint:nilerr // as it says
	}
	was := m.Renewed
	all.renew(&m)
	if m.Renewed == was {
		return nil
	}
	if unsaid {
		m.unsay()
		if err := rs.catalog.WriteOver(ctx, m.answers.replace); err != nil {
			return err
		}
	}
	text, err := sealed(m)
	if err != nil {
		return err
	}
	placed, err := rs.blobs.Replace(key, former, text)
	return errors.Join(err, placed.Keep())
}

// errGone is for what was going to read a file that has just been replaced.
var errGone = fault.Errorf(fault.Unavailable, "file_changed",
	"Rows were removed for ever while this was read. Send the request again.")
