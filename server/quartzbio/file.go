package quartzbio

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/md5" // #nosec G501 -- what the client names a file's content by
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/server/sources"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
)

// file is what is kept of a file beside its bytes, which are a source of its user.
type file struct {
	labels
	MD5      string `json:"md5"`
	Mimetype string `json:"mimetype"`
	Size     int64  `json:"size"`
}

// fileOf returns what an entry says of a file.
func fileOf(e entry) (out file) {
	_ = json.Unmarshal(e.Document, &out) // it was written by createFile
	return out
}

// filesIn lists the files of a project whose bytes are there.
func (f *Face) filesIn(ctx context.Context, project int64) ([]entry, error) {
	all, err := f.entries.in(ctx, fileKind, project)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	var asked []string
	for _, e := range all {
		if slices.Contains(asked, e.User) {
			continue
		}
		asked = append(asked, e.User)
		kept, err := f.sources.List(ctx, e.User)
		if err != nil {
			return nil, err
		}
		for _, one := range kept {
			there[one.ID] = true
		}
	}
	return slices.DeleteFunc(all, func(e entry) bool { return !there[e.ID] }), nil
}

// createFile makes a file whose bytes are to be sent to the URL in the answer.
func (f *Face) createFile(c *fiber.Ctx, v vault, p string, in objectIn) error {
	ctx := c.UserContext()
	size, err := in.Size.Int64()
	if err != nil || size < 1 || size > f.host.Limits().MaxUpload {
		return refused("size", fmt.Sprintf("must be from 1 to %d (--max-upload)", f.host.Limits().MaxUpload))
	}
	if sum, err := hex.DecodeString(in.MD5); err != nil || len(sum) != md5.Size {
		return refused("md5", "must be that of the file, in hexadecimal digits")
	}
	if o, is, err := f.taken(ctx, v, p); err != nil || is && o.kind != fileKind {
		return cmp.Or(err, pathTaken(o))
	}
	of := file{labels: in.labels(labels{}), MD5: in.MD5, Size: size}
	if in.Mimetype != nil {
		of.Mimetype = *in.Mimetype
	}
	e, err := f.newEntry(c, fileKind, v, p, of)
	if err == nil {
		err = f.entries.put(ctx, e)
	}
	if err != nil {
		return err
	}
	out, err := f.oneView(c, object{kind: fileKind, id: e.ID, vault: v, path: p, entry: e})
	if err != nil {
		return err
	}
	to, err := f.signer.sign(ctx, http.MethodPut, uploadsPath+"/"+e.ID, "")
	if err != nil {
		return err
	}
	to = host.Site(c) + to
	out.UploadURL = &to
	return show(c, http.StatusCreated, out)
}

// receiveFile takes the bytes of a file, by a signed URL. It answers 200 and nothing else: the client takes all others
// for a failure.
func (f *Face) receiveFile(c *fiber.Ctx) error {
	if _, err := f.signer.verify(c); err != nil {
		return err
	}
	ctx := c.UserContext()
	e, ok, err := f.entries.get(ctx, fileKind, c.Params("file"))
	if err != nil || !ok {
		return cmp.Or(err, error(notFound("file", c.Params("file"))))
	}
	of := fileOf(e)
	sum := md5.New() // #nosec G401 -- as above
	upload, err := calls.Stage(f.store, intake.NDJSON, func(out io.Writer) (int64, error) {
		return io.Copy(io.MultiWriter(out, sum), io.LimitReader(f.host.Body(c), of.Size+1))
	})
	if err != nil {
		return err
	}
	if got := sum.Sum(nil); upload.Size != of.Size || hex.EncodeToString(got) != of.MD5 ||
		c.Get("Content-MD5") != "" && c.Get("Content-MD5") != base64.StdEncoding.EncodeToString(got) {
		upload.Remove()
		return fault.Errorf(fault.Invalid, "digest_mismatch",
			"The file has %d bytes with the MD5 %x, and was to have %d with %s. Send it again.", upload.Size, got,
			of.Size, of.MD5)
	}
	// One that was sent by the same URL before gives way.
	if err := f.sources.Delete(ctx, e.User, e.ID); err != nil && !errors.Is(err, storage.ErrNoUpload) {
		upload.Remove()
		return err
	}
	one := sources.Source{ID: e.ID, Name: e.Path, User: e.User, At: e.At, Upload: upload}
	if err := f.sources.Put(ctx, one); err != nil {
		return err
	}
	if err := f.replaceFiles(ctx, e); err != nil {
		return err
	}
	c.Set("ETag", `"`+of.MD5+`"`)
	return c.SendStatus(http.StatusOK)
}

// replaceFiles drops older files at the path of one that was sent.
func (f *Face) replaceFiles(ctx context.Context, newer entry) error {
	all, err := f.entries.in(ctx, fileKind, newer.Project)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Path == newer.Path && e.ID != newer.ID && !e.At.After(newer.At) {
			if err := f.dropFile(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropFile drops a file with its bytes.
func (f *Face) dropFile(ctx context.Context, e entry) error {
	if err := f.sources.Delete(ctx, e.User, e.ID); err != nil && !errors.Is(err, storage.ErrNoUpload) {
		return err
	}
	return f.entries.remove(ctx, e.ID)
}

// openFile opens the bytes of a file, until done is called.
func (f *Face) openFile(ctx context.Context, e entry) (in *os.File, done func(), err error) {
	one, err := f.sources.Get(ctx, e.User, e.ID)
	if err != nil {
		return nil, nil, err
	}
	upload, close, err := f.sources.Open(ctx, one)
	if err != nil {
		return nil, nil, err
	}
	if in, err = os.Open(upload.Path); err != nil {
		close()
		return nil, nil, err
	}
	return in, func() {
		_ = in.Close() // it was only read
		close()
	}, nil
}

// downloadFile shows the URL that a file is downloaded from, or leads there.
func (f *Face) downloadFile(c *fiber.Ctx) error {
	o, err := f.objectParam(c, access.Reader)
	if err != nil {
		return err
	}
	if o.kind != fileKind {
		return refused("object", "is a "+o.kind+": files are downloaded, and datasets exported")
	}
	return f.leadTo(c, o.id, o.filename())
}

// leadTo answers with the signed URL of a download. The client asks for no redirect.
func (f *Face) leadTo(c *fiber.Ctx, id, name string) error {
	to, err := f.signer.sign(c.UserContext(), http.MethodGet, downloadsPath+"/"+id, name)
	if err != nil {
		return err
	}
	to = host.Site(c) + to
	if !c.Context().QueryArgs().Has("redirect") {
		return c.Redirect(to, http.StatusFound)
	}
	return show(c, http.StatusOK, map[string]any{"url": to, "download_url": to, "object_id": id})
}

// sendDownload sends a file or an export, by a signed URL.
func (f *Face) sendDownload(c *fiber.Ctx) error {
	name, err := f.signer.verify(c)
	if err != nil {
		return err
	}
	ctx, id := c.UserContext(), c.Params("of")
	if e, ok, err := f.entries.get(ctx, exportKind, id); ok || err != nil {
		return cmp.Or(err, f.sendExport(c, e, name))
	}
	e, ok, err := f.entries.get(ctx, fileKind, id)
	if err != nil || !ok {
		return cmp.Or(err, error(notFound("file", id)))
	}
	in, done, err := f.openFile(ctx, e)
	if err != nil {
		return err
	}
	of := fileOf(e)
	return f.host.SendFile(c, host.File{
		ReadSeekCloser: closing{in, done}, Checksum: of.MD5, Media: cmp.Or(of.Mimetype, "application/octet-stream"),
		Name: name, Modified: e.At,
	})
}

// closing is a file that is closed in another way.
type closing struct {
	*os.File
	done func()
}

// Close implements io.Closer.
func (c closing) Close() error { c.done(); return nil }

// format is how the records of a file are read.
type format struct {
	format  intake.Format
	options intake.Options
	isGzip  bool
}

// formatOf returns the format of a file by its name; none if it has no records.
func formatOf(name string) (out format) {
	name, out.isGzip = strings.CutSuffix(strings.ToLower(name), ".gz")
	switch name[strings.LastIndex(name, ".")+1:] {
	case "csv":
		out.format = intake.CSV
	case "tsv", "txt", "maf":
		out.format, out.options.Delimiter = intake.CSV, "\t"
	case "json", "jsonl", "ndjson":
		out.format = intake.NDJSON
	case "parquet":
		out.format = intake.Parquet
	case "xlsx":
		out.format = intake.XLSX
	}
	return out
}

// stageFile copies the records of a file, decompressed, to be committed.
func (f *Face) stageFile(ctx context.Context, e entry) (u calls.Upload, err error) {
	name := e.Path[strings.LastIndex(e.Path, "/")+1:]
	of := formatOf(name)
	if of.format == "" {
		return u, fault.Errorf(fault.Invalid, "not_supported", "'%s' has no format that is imported here. There are csv, "+
			"tsv, txt, json (JSON Lines), parquet and xlsx, each also with .gz.", fault.Clip(name))
	}
	in, done, err := f.openFile(ctx, e)
	if err != nil {
		return u, err
	}
	defer done()
	u, err = calls.Stage(f.store, of.format, func(out io.Writer) (int64, error) { return f.copyPlain(in, out, of.isGzip) })
	u.Options = of.options
	return u, err
}

// copyPlain copies bytes, decompressed if they are gzip, up to the server's limit.
func (f *Face) copyPlain(in io.Reader, out io.Writer, isGzip bool) (int64, error) {
	if isGzip {
		plain, err := gzip.NewReader(in)
		if err != nil {
			return 0, fault.Errorf(fault.Invalid, "malformed_body", "The file is not gzip, as its name says.")
		}
		in = plain
	}
	most := f.host.Limits().MaxUpload
	size, err := io.Copy(out, io.LimitReader(in, most+1))
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.Errorf(fault.Invalid, "malformed_body", "The gzip file is incomplete or damaged.")
	}
	if err == nil && size > most {
		err = fault.Errorf(fault.TooLarge, "too_large", "The file is larger than %d bytes (--max-upload).", most)
	}
	return size, err
}

// stageText stages the records of a request's body as JSON Lines, for the commit.
func (f *Face) stageText(text []byte) (calls.Upload, error) {
	return calls.Receive(f.store, intake.NDJSON, func(out io.Writer) (int64, error) {
		return io.Copy(out, bytes.NewReader(text))
	})
}
