package storage

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"

	"github.com/rowback/rowback/storage/blob"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// Records may come by reference: as Parquet files that somebody else, such as a job on Spark, wrote beside the objects
// (blob.Inbox). They are copied to staging, each as it was at one moment, and are an upload from there on: its rows get
// their tags, ids and pages of version 2 as those of any other, and nothing that is stored depends on what becomes of
// the originals, which stay where they are.

// Referenced are files that are committed in place of an upload.
type Referenced struct {
	Files []string // their addresses
	Most  int64    // bytes that they may have together; 0: any number

	from string // the directory of the inbox that all are in, once they are pinned
}

// MaxReferenced is how many files one commit may have.
const MaxReferenced = 10_000

// fetches is how many files are fetched at once. A large one is fetched in several parts besides.
const fetches = 4

// commitReferenced is Commit of files by reference. They are fetched before the dataset is locked.
func (s *Store) commitReferenced(ctx context.Context, dataset string, c Change) (made catalog.Commit, err error) {
	files, err := s.pin(ctx, dataset, c.Referenced)
	if err != nil {
		return made, err
	}
	c.Referenced = &Referenced{Files: c.Referenced.Files, from: directoryOf(files)}
	c.Upload.Format = intake.Parquet
	defer func() {
		for _, f := range c.Upload.Files {
			s.blobs.RemoveScratch(f.Path)
		}
	}()
	for _, f := range files {
		c.Upload.Files = append(c.Upload.Files, intake.File{Path: s.Scratch("referenced.parquet"), Name: f.address})
		c.Upload.Size += f.Size
	}
	if err := s.fetch(ctx, c, files); err != nil {
		return made, err
	}
	return s.commit(ctx, dataset, c)
}

// reference is a file that is going to be committed.
type reference struct {
	blob.Pinned
	address string // as the request has it
}

// pin looks at the files of a request: each must be there, in the directory of the dataset's project.
func (s *Store) pin(ctx context.Context, dataset string, r *Referenced) ([]reference, error) {
	var d catalog.Dataset
	err := s.catalog.Read(ctx, func(tx catalog.Tx) (err error) { d, err = tx.Dataset(dataset); return err })
	if err != nil {
		return nil, err
	}
	names, err := inboxNames(r.Files, s.blobs.InboxAddress(""), strconv.FormatInt(d.ProjectID, 10))
	if err != nil {
		return nil, err
	}
	out := make([]reference, len(names))
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(2 * fetches)
	for i, name := range names {
		g.Go(func() error {
			found, err := s.blobs.Pin(together, name)
			out[i] = reference{found, r.Files[i]}
			if errors.Is(err, fs.ErrNotExist) {
				return fault.Errorf(fault.Invalid, "file_missing",
					"There is no file %s. Name a file once it has been written.", r.Files[i]).Because(err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, s.fitsAll(out, r.Most)
}

// fitsAll refuses files that are too large together, for the server or its disk.
func (s *Store) fitsAll(files []reference, most int64) error {
	size := int64(0)
	for _, f := range files {
		size += f.Size
	}
	if most > 0 && size > most {
		return fault.Errorf(fault.TooLarge, "files_too_large",
			"The files have %s together, and a commit may have %s (--max-upload). Commit them in parts.",
			humanize.Bytes(uint64(size)), humanize.Bytes(uint64(most)))
	}
	if !s.Disk.fits(size) {
		return fault.Errorf(fault.Unavailable, "disk_low",
			"The files have %s together, and the server's disk has no room for a copy of them. "+
				"Make room, or commit them in parts.", humanize.Bytes(uint64(size)))
	}
	return nil
}

// fetch copies files to where the upload has them, several at once.
func (s *Store) fetch(ctx context.Context, c Change, files []reference) error {
	var mu sync.Mutex
	done := 0
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, f := range files {
		g.Go(func() error {
			if err := s.fetchOne(together, f, c.Upload.Files[i].Path); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			c.report(50*done/len(files), "Fetched "+strconv.Itoa(done)+" of "+strconv.Itoa(len(files))+" files")
			return nil
		})
	}
	return g.Wait()
}

func (s *Store) fetchOne(ctx context.Context, f reference, to string) error {
	out, err := s.CreateStaged(to)
	if err != nil {
		return err
	}
	err = errors.Join(s.blobs.FetchPinned(ctx, f.Pinned, out), out.Close())
	if errors.Is(err, blob.ErrReplaced) {
		return fault.Errorf(fault.Conflict, "file_changed",
			"%s was changed while it was read. Send the request again once it is written to its end.", f.address).Because(err)
	}
	return err
}

// noteReferenced records where the records came from: the directory that all files are in.
func (w *work) noteReferenced(r *Referenced) {
	if r == nil {
		return
	}
	w.setParam("files", len(r.Files))
	w.setParam("files_from", r.from)
}

// directoryOf returns the directory that all files are in, with a slash at its end.
func directoryOf(files []reference) string {
	common := files[0].Name
	for _, f := range files {
		for !strings.HasPrefix(f.Name, common) || !strings.HasSuffix(common, "/") {
			common = common[:strings.LastIndexByte(strings.TrimSuffix(common, "/"), '/')+1]
		}
	}
	return common
}

// inboxNames returns the names of addresses, which must all be in one directory of the inbox. inbox is its own address,
// with a slash at its end.
func inboxNames(files []string, inbox, directory string) ([]string, error) {
	if len(files) == 0 {
		return nil, fault.Errorf(fault.Invalid, "no_files", "The list of files is empty. Name at least one.")
	}
	if len(files) > MaxReferenced {
		return nil, fault.Errorf(fault.TooLarge, "too_many_files",
			"The list has more than %d files, which a commit may have. Commit them in parts.", MaxReferenced)
	}
	names, seen := make([]string, len(files)), map[string]bool{}
	for i, file := range files {
		name, ok := strings.CutPrefix(plainScheme(file), inbox+directory+"/")
		if !ok || !isInboxName(name) {
			return nil, fault.Errorf(fault.Invalid, "file_outside",
				"%q is not a file in %s, from where records are committed to datasets of this project. Write it there, "+
					"and name it by its whole address.", fault.Clip(file), inbox+directory+"/")
		}
		if seen[name] {
			return nil, fault.Errorf(fault.Invalid, "file_twice",
				"%q is in the list twice. Name each file once.", fault.Clip(file))
		}
		seen[name], names[i] = true, directory+"/"+name
	}
	return names, nil
}

// isInboxName reports whether a name is that of a file below a directory, without a way out of it, and without what an
// address may have after a name.
func isInboxName(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.ContainsAny(name, "?#\\") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// plainScheme returns an address as this server writes it, where Hadoop's programs write it in another way.
func plainScheme(address string) string {
	if rest, ok := strings.CutPrefix(address, "s3a://"); ok {
		return "s3://" + rest
	}
	if rest, ok := strings.CutPrefix(address, "file:/"); ok && !strings.HasPrefix(rest, "/") {
		return "file:///" + rest
	}
	return address
}
