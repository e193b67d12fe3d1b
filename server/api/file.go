package api

import (
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
)

// partIn is how a client asks for a part of a file, or for none of it (RFC 9110, sections 13 and 14).
type partIn struct {
	Range       string `header:"Range" description:"${range}" json:"-"`
	IfRange     string `header:"If-Range" description:"${if_range}" json:"-"`
	IfMatch     string `header:"If-Match" description:"ETags: 412 if the file has none of them." json:"-"`
	IfNoneMatch string `header:"If-None-Match" description:"ETags: 304 if the file has one of them." json:"-"`
}

// dataFileIn asks for a state as one file.
type dataFileIn struct {
	refIn
	pagesIn
	partIn
}

// getParquet sends the records at a ref as one Parquet file, or a part of it: the same bytes under the same ETag,
// so that a reader can fetch a few columns of a few row groups, request by request.
func (a *API) getParquet(c *fiber.Ctx) error {
	var in dataFileIn
	if err := a.bind(c, &in); err != nil {
		return err
	}
	pages, err := in.pages()
	if err != nil {
		return err
	}
	// Making the file may take minutes and is not streamed, so without this no one would notice that the client has
	// left.
	ctx, cancel := a.host.WhileConnected(c)
	defer cancel()
	d, err := a.dataset(ctx, in.datasetIn)
	if err != nil {
		return err
	}
	snap, err := a.store.Snapshot(ctx, d.ID, in.ref())
	if err != nil {
		return err
	}
	f, err := a.store.Export(ctx, snap, pages, a.host.Limits().QueryTimeout, asksForPart(c))
	if err != nil {
		return err
	}
	c.Set("X-Rowback-Commit", fmt.Sprint(snap.Commit.ID))
	c.Set("Cache-Control", "private, no-cache") // the ref may name another commit later
	// The empty state before the first commit has no commit to date it.
	modified := d.CreatedAt
	if snap.Commit.ID > 0 {
		modified = snap.Commit.CreatedAt
	}
	return a.sendFile(c, f, "application/vnd.apache.parquet", fmt.Sprintf("%s-%d.parquet", d.Name, snap.Commit.ID),
		modified)
}

// sendFile sends a file of the store, or the part of it that the request asks for, and closes it.
func (a *API) sendFile(c *fiber.Ctx, f *storage.File, media, name string, modified time.Time) error {
	return a.host.SendFile(c,
		host.File{ReadSeekCloser: f, Checksum: f.Checksum, Media: media, Name: name, Modified: modified})
}

// asksForPart reports whether a request is likely to be one of several for parts of a file. It decides how often a file
// is verified, not what is sent: a wrong guess costs time and nothing else.
func asksForPart(c *fiber.Ctx) bool { return c.Get("Range") != "" }
