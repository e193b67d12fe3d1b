package storage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/datafile"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/filecache"
	"github.com/rowback/rowback/storage/snapshot"
	"github.com/rowback/rowback/storage/verify"
)

// File is a file that is read at any place, under the SHA-256 of its bytes, in hexadecimal. Whoever has one closes it.
// What is read is what the checksum is of, even if the object is removed meanwhile.
type File struct {
	io.ReadSeekCloser
	Checksum string
}

// Export returns the records of a snapshot, as Table has them, as one Parquet file. If a stored file has exactly these
// records, it is that one; otherwise it is made, within the time limit, and kept for later requests (Options.Cache).
// Two snapshots with the same SQL have the same records, as stored files never change: forks and edits share a file.
// The stored files are read whole before, for their checksums; part: not for each part that a client asks for. A file
// that is made has pages of that version; 0: 1.
func (t *Tables) Export(
	ctx context.Context, snap *snapshot.Snapshot, pages datafile.Pages, limit time.Duration, part bool,
) (*File, error) {
	// What is written, not what was made of it: whoever has a copy relies on every byte of it.
	snap = snap.AsWritten()
	// Served as it lies: no statement, no copy. Where all records are in one plain file, it is the answer.
	if f := snap.Only(); f != nil {
		return t.OpenFile(ctx, f, part)
	}
	if err := t.readForExport(ctx, objects(snap.Files()), part); err != nil {
		return nil, err
	}
	// The SQL names every file and column, so it names the content; anything that changes one of them changes the key.
	pages = cmp.Or(pages, datafile.PagesV1)
	content := snap.Table() + datafile.GeoText(snap.TableColumns())
	key := sha256.Sum256(fmt.Appendf(nil, "pages of version %d: %s", pages, content))
	f, err := t.exports.Get(ctx, hex.EncodeToString(key[:]), limit, func(ctx context.Context, path string) error {
		return t.export(ctx, snap, pages, path)
	})
	switch {
	case errors.Is(err, filecache.ErrCleared):
		return nil, errGone.Because(err)
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
func (t *Tables) export(ctx context.Context, snap *snapshot.Snapshot, pages datafile.Pages, path string) error {
	columns := snap.TableColumns()
	conn, q, err := t.OpenRecords(ctx, Wanted{Snapshot: snap, Columns: columns, Order: snap.Order()},
		datafile.WrittenPaths(path))
	if err != nil {
		return err
	}
	defer conn.Close()
	if q.Pages = pages; len(q.Slices) > 0 {
		_, err = q.CopyTo(ctx, conn, path)
		return err
	}
	_, err = datafile.CopyQuery(ctx, conn, q.SQL, path, pages, datafile.Labels(columns))
	return err
}

// OpenFile opens a stored file after its checksum is verified; with part, a recent verification is enough.
func (fs *Files) OpenFile(ctx context.Context, f *catalog.File, part bool) (*File, error) {
	return fs.openObject(ctx, verify.File(f), part)
}

// openObject is OpenFile for any stored object.
func (fs *Files) openObject(ctx context.Context, o verify.Object, part bool) (*File, error) {
	if err := fs.readForExport(ctx, []verify.Object{o}, part); err != nil {
		return nil, err
	}
	in, err := fs.blobs.Open(o.Key)
	if err != nil && fs.replaced.has(o.Key) {
		return nil, errGone.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return &File{in, o.Checksum}, nil
}
