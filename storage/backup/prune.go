package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowback/rowback/storage/bucket"
)

// Pruned is what a pruning removed.
type Pruned struct {
	Backups []string // ids
	Objects int
	Bytes   int64
}

// Prune removes all backups but the newest, of each scope, of which keep are complete, and then the objects that no
// backup names. A crash leaves backups that are whole, and objects that the next pruning removes. If a manifest can't
// be read, nothing is removed: what it names is not known. The target is locked meanwhile.
func (t *Target) Prune(ctx context.Context, keep int, dry bool) (out Pruned, err error) {
	if keep < 1 {
		return out, fmt.Errorf("at least one backup must be kept, and not %d", keep)
	}
	err = t.Lock(ctx)
	if errors.Is(err, bucket.ErrFull) {
		out.Backups, err = t.lockFull(ctx, keep, dry)
	}
	if err != nil {
		return out, err
	}
	named, gone, err := t.planPruning(ctx, keep)
	if err != nil {
		return out, err
	}
	out.Backups = append(out.Backups, gone...)
	if !dry {
		if err := t.removeManifests(ctx, gone); err != nil {
			return out, err
		}
	}
	err = t.removeUnnamed(ctx, named, dry, &out)
	return out, err
}

// lockFull locks a bucket that is full, in which the lock needs room too. It makes room first, by removing the
// manifests of backups that go anyway.
func (t *Target) lockFull(ctx context.Context, keep int, dry bool) (gone []string, err error) {
	if dry {
		return nil, nil // nothing is removed
	}
	if _, gone, err = t.planPruning(ctx, keep); err != nil {
		return nil, err
	}
	if err := t.removeManifests(ctx, gone); err != nil {
		return gone, err
	}
	return gone, t.Lock(ctx)
}

// planPruning returns what the backups name that stay, and the ids of those that go.
func (t *Target) planPruning(ctx context.Context, keep int) (named map[string]bool, gone []string, err error) {
	all, unreadable, err := t.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(unreadable) > 0 {
		return nil, nil, fmt.Errorf("%w: %s. Nothing was removed. Put a copy of the manifest back, or remove it",
			ErrDamaged, strings.Join(unreadable, ", "))
	}
	kept, old := split(all, keep)
	named = map[string]bool{}
	for _, m := range kept {
		if err := t.name(ctx, m, named); err != nil {
			return nil, nil, fmt.Errorf("%w. Nothing was removed", err)
		}
	}
	for _, m := range old {
		gone = append(gone, m.ID)
	}
	return named, gone, nil
}

// removeManifests removes backups, durably: only then may anything go that they name.
func (t *Target) removeManifests(ctx context.Context, ids []string) error {
	if t.held != nil {
		if err := t.held.check(ctx); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := t.place.remove(ctx, manifestPlace(id)); err != nil {
			return err
		}
	}
	err := t.place.settle()
	if err == nil && t.held != nil {
		err = t.place.clear(ctx)
	}
	return err
}

// removeAtOnce is how many objects are removed between two looks at the lock.
const removeAtOnce = 100

// removeUnnamed removes the objects that no backup names; dry: it counts them.
func (t *Target) removeUnnamed(ctx context.Context, named map[string]bool, dry bool, out *Pruned) error {
	var batch []string
	remove := func() error {
		if err := t.held.check(ctx); err != nil {
			return err
		}
		err := t.place.remove(ctx, batch...)
		batch = batch[:0]
		return err
	}
	err := t.eachObject(ctx, func(o Object) error {
		if named[o.SHA256] {
			return nil
		}
		out.Objects, out.Bytes = out.Objects+1, out.Bytes+o.Size
		if dry {
			return nil
		}
		if batch = append(batch, o.place()); len(batch) < removeAtOnce {
			return nil
		}
		return remove()
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return remove()
}

// split divides backups, oldest first, into those that stay and those that go.
func split(all []Manifest, keep int) (kept, gone []Manifest) {
	complete := map[string]int{} // by scope
	for _, m := range slices.Backward(all) {
		if complete[m.Scope] >= keep {
			gone = append(gone, m)
			continue
		}
		kept = append(kept, m)
		if m.IsComplete() {
			complete[m.Scope]++
		}
	}
	return kept, gone
}

// name adds the names of all objects of a backup.
func (t *Target) name(ctx context.Context, m Manifest, named map[string]bool) error {
	entries, err := t.Entries(ctx, m)
	for _, e := range entries {
		named[e.SHA256] = true
	}
	for _, o := range m.own() {
		named[o.SHA256] = true
	}
	return err
}

// own are the objects of a backup that are not the store's, by what they are.
func (m Manifest) own() map[string]Object {
	out := map[string]Object{"list of objects": m.List}
	if m.Catalog != nil {
		out["catalog"] = *m.Catalog
	}
	if m.Settings != nil {
		out["settings"] = *m.Settings
	}
	for _, e := range m.Audit {
		out["audit log "+e.Key] = e.Object
	}
	return out
}
