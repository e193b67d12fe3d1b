package storage

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// unpacked is an archive laid out under staging.
type unpacked struct {
	backupContents
	data intake.Upload
}

// maxManifest is how large backup.json may be, bytes: it is decoded at once.
const maxManifest = 16 << 20

// isSparse reports whether an archive's file has holes, so that it may be larger than the archive by any amount.
func isSparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// unpack lays out an archive and checks that its data is what was written.
func (bs *Backups) unpack(archive io.Reader) (u unpacked, err error) {
	damaged := func(why any) error {
		return fault.Errorf(fault.Malformed, "invalid_backup", "The archive is not a complete backup: %v.", why)
	}
	u.data = intake.Upload{Format: intake.Parquet, Path: bs.blobs.Scratch(backupData)}
	r := tar.NewReader(archive)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u, damaged(err)
		}
		// By the last part, as people pack archives again within a directory; other files are ignored.
		switch filepath.Base(h.Name) {
		case backupManifest:
			err = json.NewDecoder(io.LimitReader(r, maxManifest)).Decode(&u.backupContents)
		case backupData:
			if isSparse(h) {
				return u, damaged(backupData + " has holes, which no backup has")
			}
			err = bs.stage(u.data.Path, r)
		}
		switch {
		case fault.KindOf(err) == fault.Unavailable || systemFault(err) != nil:
			return u, err
		case err != nil:
			return u, damaged(err)
		}
	}
	if u.Checksum == "" {
		return u, damaged(backupManifest + " is missing")
	}
	// An archive may have been on any disk or in any mailbox since it was made.
	sum, size, err := bs.checksumOf(u.data.Path)
	if err != nil || sum != u.Checksum {
		return u, damaged(backupData + " is missing or not what was written")
	}
	// The schema knows what Parquet can't say, such as JSON and UUID.
	u.data.Size, u.data.Types = size, map[string]schema.Type{}
	for _, c := range u.Schema.Columns {
		u.data.Types[c.Name] = c.Type
	}
	return u, nil
}

// RestoreBackup brings a dataset to the state of an archive, as one commit: records that are equal stay, others are
// replaced, and those that the archive does not have go.
func (s *Store) RestoreBackup(
	ctx context.Context, dataset string, archive io.Reader, r Request,
) (catalog.Commit, error) {
	u, err := s.Backups.unpack(archive)
	defer s.blobs.RemoveScratch(u.data.Path)
	if err != nil {
		return catalog.Commit{}, err
	}
	w, err := s.begin(ctx, dataset, r, catalog.Restore)
	if err != nil {
		return catalog.Commit{}, err
	}
	defer w.end()
	if err := w.connect(ctx); err != nil {
		return catalog.Commit{}, err
	}
	w.setParam("backup", fmt.Sprintf("%s@%s", u.Dataset, u.Ref))
	now := w.properties
	w.properties = u.Properties
	// The name stays: it is how people find the dataset, and another may have that of the archive. So do the gates.
	w.properties.Name, w.properties.Gates = now.Name, now.Gates
	// Columns that are derived on one side and stored on the other would clash with the records of the archive.
	w.makeRoom(u.Schema)
	// As a replace: a restore of what is there already changes nothing and costs only the comparison.
	if err := (modeWork{work: w}).replace(ctx, u.data); err != nil {
		return catalog.Commit{}, err
	}
	if err := (variableWork{w}).describeAs(ctx, u.Schema); err != nil {
		return catalog.Commit{}, err
	}
	w.excludeAs(u.Schema, u.Properties.Exclusion)
	return publish(ctx, w, asCommit)
}

// CreateFromBackup makes a new dataset out of an archive. Empty name and project 0 are the archive's and 1. The dataset
// begins with the backup's records: its earlier history is not in the archive.
func (s *Store) CreateFromBackup(
	ctx context.Context, archive io.Reader, name string, project int64, r Request,
) (made snapshot.State, err error) {
	u, err := s.Backups.unpack(archive)
	defer s.blobs.RemoveScratch(u.data.Path)
	if err != nil {
		return made, err
	}
	if name == "" {
		name = u.Dataset
	}
	if project == 0 {
		project = 1
	}
	p := ofCopy(u.Properties, name)
	p.Exclusion, p.Gates = nil, nil // they come with the columns that they read
	p.MergeGranularity = p.Granularity()
	d, err := s.newCreation(ctx, NewDataset{ProjectID: project, Name: name, Key: u.Key}, p)
	if err != nil {
		return made, err
	}
	r.Message = cmp.Or(r.Message, fmt.Sprintf("From the backup of %s at %s", u.Dataset, u.Ref))
	w, err := s.beginNew(ctx, d, r, catalog.Append)
	if err != nil {
		return made, err
	}
	defer w.end()
	if err := w.connect(ctx); err != nil {
		return made, err
	}
	if err = (modeWork{work: w}).append(ctx, u.data); err == nil {
		err = (variableWork{w}).describeAs(ctx, u.Schema)
	}
	if err != nil {
		return made, err
	}
	w.excludeAs(u.Schema, u.Properties.Exclusion)
	w.gatesOfArchive(u.Schema, u.Properties.Gates)
	return publish(ctx, w, asState)
}
