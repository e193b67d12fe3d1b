package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rowback/storage/catalog"
)

// rebuildIfEmpty makes the catalog anew where it has no dataset and there are objects: it was lost, or never finished.
func (s *Store) rebuildIfEmpty(ctx context.Context) error {
	var empty bool
	if err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		empty, err = tx.Empty()
		return err
	}); err != nil || !empty {
		return err
	}
	datasets, err := s.blobs.Folders("")
	if err != nil || len(datasets) == 0 {
		return err
	}
	return s.rebuild(ctx, datasets)
}

// rebuild records everything anew that the objects tell of, in an empty catalog: datasets, commits, files, entries,
// versions and savepoints (design, section 7). What a commit's description says is all that is needed.
func (s *Store) rebuild(ctx context.Context, datasets []string) error {
	s.options.Log.Warn("the catalog is empty and there are objects: making it anew", "datasets", len(datasets))
	return s.catalog.Write(ctx, func(tx catalog.Tx) error {
		var born []birth
		for _, id := range datasets {
			b, ok, err := s.rebirth(tx, id)
			if err != nil {
				return fmt.Errorf("dataset %s: %w", id, err)
			}
			if ok {
				born = append(born, b)
			}
		}
		if err := s.replayAll(tx, born); err != nil {
			return err
		}
		for _, b := range born {
			if err := s.rebuildLabels(tx, b.Dataset.ID); err != nil {
				return fmt.Errorf("dataset %s: %w", b.Dataset.ID, err)
			}
		}
		return nil
	})
}

// rebirth records a dataset as it was made. It counts as deleted until its labels are read: names that were free when
// they were given need not be so in the order of the rebuilding.
func (s *Store) rebirth(tx catalog.Tx, id string) (b birth, ok bool, err error) {
	err = s.readJSON(id+"/"+labelsFolder+"/dataset.json", &b)
	if errors.Is(err, fs.ErrNotExist) {
		return b, false, nil // it was never made
	}
	if err != nil {
		return b, false, err
	}
	if commits, err := s.commitsOf(id); err != nil || len(commits) == 0 && b.Dataset.IsFork() {
		return b, false, err // a fork stands with its first commit
	}
	b.Dataset.DeletedAt = s.now()
	return b, true, addDataset(tx, b.Dataset, b.Schema, b.Properties)
}

// replayAll records the commits of all datasets, in the order they were made.
func (s *Store) replayAll(tx catalog.Tx, born []birth) error {
	of := map[int64]birth{}
	for _, b := range born {
		commits, err := s.commitsOf(b.Dataset.ID)
		if err != nil {
			return err
		}
		for _, c := range commits {
			of[c] = b
		}
	}
	for _, commit := range slices.Sorted(maps.Keys(of)) {
		m, err := s.readManifest(of[commit].Dataset.ID, commit)
		if err == nil {
			err = s.replay(tx, of[commit], m)
		}
		if err != nil {
			return fmt.Errorf("commit %d of dataset %s: %w", commit, of[commit].Dataset.ID, err)
		}
	}
	return nil
}

// commitsOf lists the commits that a dataset has folders for, oldest first.
func (s *Store) commitsOf(dataset string) ([]int64, error) {
	folders, err := s.blobs.Folders(dataset)
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, f := range folders {
		if id, err := strconv.ParseInt(f, 10, 64); err == nil {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

// replay records one commit, and what it played, as its description tells.
func (s *Store) replay(tx catalog.Tx, b birth, m manifest) error {
	w, err := s.redo(b, m)
	if err != nil {
		return err
	}
	return w.record(tx)
}

// redo is the work that a description tells of.
func (s *Store) redo(b birth, m manifest) (*work, error) {
	w := &work{
		store: s, commit: m.Commit, schema: m.Schema, properties: m.Properties, opened: m.Opened,
		reopened: filesOf(m.Reopened), closed: filesOf(m.Closed), marks: m.Marks,
		family: newFamily(m.LastRow, m.LastField), head: &Snapshot{State: State{Dataset: b.Dataset, Schema: b.Schema, Properties: b.Properties}},
	}
	for _, f := range m.Opened {
		s.fileIDs.Store(max(s.fileIDs.Load(), f.ID))
	}
	for _, p := range m.Played {
		played, err := s.redo(b, p)
		if err != nil {
			return nil, err
		}
		w.played = append(w.played, played)
	}
	return w, w.nameDocuments()
}

func filesOf(ids []int64) []*catalog.File {
	out := make([]*catalog.File, len(ids))
	for i, id := range ids {
		out[i] = &catalog.File{ID: id}
	}
	return out
}

// rebuildLabels records what is kept beside a dataset's commits: its versions, its savepoints, and whether it is deleted.
func (s *Store) rebuildLabels(tx catalog.Tx, dataset string) error {
	deleted := time.Time{}
	for object, err := range s.blobs.List(dataset + "/" + labelsFolder) {
		if err != nil {
			return err
		}
		name := object.Key[strings.LastIndexByte(object.Key, '/')+1:]
		switch {
		case strings.HasPrefix(name, "version-"):
			err = s.rebuildVersion(tx, object.Key)
		case strings.HasPrefix(name, "master__"):
			var p catalog.Savepoint
			if err = s.readJSON(object.Key, &p); err == nil {
				err = tx.AddSavepoint(p)
			}
		case strings.HasPrefix(name, "backup-"):
			var b catalog.Backup
			if err = s.readJSON(object.Key, &b); err == nil {
				err = tx.AddBackup(b)
			}
		case name == deletedLabel+".json":
			err = s.readJSON(object.Key, &deleted)
		}
		if err != nil {
			return err
		}
	}
	return tx.SetDeleted(dataset, deleted)
}

func (s *Store) rebuildVersion(tx catalog.Tx, key string) error {
	var v catalog.Version
	if err := s.readJSON(key, &v); err != nil {
		return err
	}
	if err := tx.Advance("version", v.ID); err != nil {
		return err
	}
	return tx.AddVersion(v)
}

func (s *Store) readJSON(key string, v any) error {
	in, err := s.blobs.Open(key)
	if err != nil {
		return err
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// removeOrphans removes the folders of commits and datasets that the catalog does not have: their transaction did not
// happen. Only the commit that was under way when the server stopped can be such; where there is more, it is the catalog that is
// behind, and nothing is removed.
func (s *Store) removeOrphans(ctx context.Context) error {
	datasets, err := s.blobs.Folders("")
	if err != nil {
		return err
	}
	var orphans []string
	for _, id := range datasets {
		found, err := s.orphansOf(ctx, id)
		if err != nil {
			return err
		}
		orphans = append(orphans, found...)
	}
	for _, key := range orphans {
		s.options.Log.Info("removing what was never finished", "key", key)
		if err := s.blobs.Remove(key); err != nil {
			return err
		}
	}
	return nil
}

// orphansOf returns the folders of a dataset's commits that the catalog does not have, or the dataset's own.
func (s *Store) orphansOf(ctx context.Context, dataset string) (orphans []string, err error) {
	folders, err := s.commitsOf(dataset)
	if err != nil {
		return nil, err
	}
	var known []int64
	head := int64(-1) // of a dataset that the catalog does not have
	if err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) {
		if known, err = tx.CommitIDs(dataset); err != nil {
			return err
		}
		d, err := tx.Dataset(dataset)
		if err == nil {
			head = d.Head
		} else if errors.Is(err, catalog.ErrNotFound) {
			err = nil
		}
		return err
	}); err != nil {
		return nil, err
	}
	for _, commit := range folders {
		if _, ok := slices.BinarySearch(known, commit); ok {
			continue
		}
		if m, err := s.readManifest(dataset, commit); err == nil && m.madeOn() > head && !m.Creates {
			return nil, fmt.Errorf("the catalog is older than the objects: it does not have commit %d of dataset %s, which commit %d was made on. Move catalog.db away to make it anew from the objects, then start again", m.madeOn(), dataset, commit)
		}
		orphans = append(orphans, fmt.Sprintf("%s/%d", dataset, commit))
	}
	if head < 0 {
		return []string{dataset}, nil
	}
	return orphans, nil
}
