package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"rowback/storage/catalog"
	"rowback/storage/datafile"
	"rowback/storage/fault"
	"rowback/storage/filecache"
	"rowback/storage/snapshot"
	"rowback/storage/verify"
)

// File is a file that is read at any place, under the SHA-256 of its bytes, in hexadecimal.
type File struct {
	io.ReadSeekCloser
	Checksum string
}

// Export returns the records of a snapshot, as Table has them, as one Parquet file. Where a stored file is just that,
// it is that one; else it is made, within the time limit, and kept for the next who asks (Options.Cache). Two snapshots
// with the same SQL have the same records, as stored files never change: forks and edits share a file. The stored files
// are read whole before, for their checksums; part: not for each part that a client asks for.
func (t *Tables) Export(ctx context.Context, snap *snapshot.Snapshot, limit time.Duration, part bool) (*File, error) {
	// Served as it lies: no statement, no copy.
	if f := snap.Only(); f != nil {
		return t.OpenFile(ctx, f, part)
	}
	if err := t.readForExport(ctx, objects(snap.Files()), part); err != nil {
		return nil, err
	}
	// The SQL names every file and column, so it names the content; anything that changes one of them changes the key.
	content := snap.Table() + datafile.GeoText(snap.TableColumns())
	key := sha256.Sum256([]byte("pages of version 1: " + content)) // a cache may have files of older programs
	f, err := t.exports.Get(ctx, hex.EncodeToString(key[:]), limit, func(ctx context.Context, path string) error {
		return t.export(ctx, snap, path)
	})
	switch {
	case errors.Is(err, filecache.ErrTooLarge):
		return nil, fault.Errorf(fault.Invalid, "file_too_large",
			"The file of these records is larger than the server keeps (--cache-size). "+
				"Read them from …/data, which is streamed.")
	case err != nil:
		return nil, err
	}
	return &File{f, f.Checksum}, nil
}

// export writes the records of a snapshot to a new file, in a fixed order: a file that is made anew is the same again.
func (t *Tables) export(ctx context.Context, snap *snapshot.Snapshot, path string) error {
	conn, from, err := t.openTable(ctx, snap, snap.TableColumns(), datafile.WrittenPaths(path))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = datafile.CopyForOthers(ctx, conn, "SELECT * FROM "+from+snap.Order(), path, snap.TableColumns())
	return err
}

// OpenFile opens a stored file, once it was read whole for its checksum; part: lately.
func (fs *Files) OpenFile(ctx context.Context, f *catalog.File, part bool) (*File, error) {
	return fs.openObject(ctx, verify.File(f), part)
}

func (fs *Files) openObject(ctx context.Context, o verify.Object, part bool) (*File, error) {
	if err := fs.readForExport(ctx, []verify.Object{o}, part); err != nil {
		return nil, err
	}
	in, err := fs.blobs.Open(o.Key)
	if err != nil {
		return nil, err
	}
	return &File{in, o.Checksum}, nil
}
