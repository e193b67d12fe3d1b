package quartzbio

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/output"
	"github.com/rowback/rowback/storage/schema"
	"github.com/rowback/rowback/storage/snapshot"
)

// exportIn is the request to export what a query selects of a dataset.
type exportIn struct {
	DatasetID string   `json:"dataset_id"`
	Format    string   `json:"format"`
	Params    *queryIn `json:"params"`

	// Without effect: the export is ready when it is answered.
	Priority json.RawMessage `json:"priority"`
	Email    json.RawMessage `json:"send_email_on_completion"`

	TargetFullPath  json.RawMessage `json:"target_full_path"`
	TargetFields    json.RawMessage `json:"target_fields"`
	AnnotatorParams json.RawMessage `json:"annotator_params"`
	Filters         json.RawMessage `json:"filters"`
	Limit           json.RawMessage `json:"limit"`
	Fields          json.RawMessage `json:"fields"`
	Dataset         json.RawMessage `json:"dataset"`
}

// exportView is what is kept of an export, and shown with it. What it selects is read from one commit's state, whenever
// that is.
type exportView struct {
	Format          string         `json:"format"`
	Params          queryIn        `json:"params"`
	DocumentsCount  int64          `json:"documents_count"`
	Filename        string         `json:"filename"`
	Ref             string         `json:"ref"`
	TargetFullPath  *string        `json:"target_full_path"`
	TargetFields    []any          `json:"target_fields"`
	AnnotatorParams map[string]any `json:"annotator_params"`
	Metadata        map[string]any `json:"metadata"`
}

// exportFormat is a format of exports.
type exportFormat struct {
	format    intake.Format
	extension string
	isGzip    bool
}

// exportFormats are the formats by name.
var exportFormats = map[string]exportFormat{
	"json": {format: intake.NDJSON, extension: ".json.gz", isGzip: true}, "csv": {format: intake.CSV, extension: ".csv"},
	"csv.gz":  {format: intake.CSV, extension: ".csv.gz", isGzip: true},
	"parquet": {format: intake.Parquet, extension: ".parquet"},
}

// createExport notes what is to be exported. It is written when it is fetched.
func (f *Face) createExport(c *fiber.Ctx) error {
	var in exportIn
	if err := f.read(c, &in); err != nil {
		return err
	}
	s, err := f.dataset(c.UserContext(), in.DatasetID)
	if err != nil {
		return err
	}
	out, err := f.planExport(c.UserContext(), in, s)
	if err != nil {
		return err
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	e := entry{
		ID: f.store.NewID(), Kind: exportKind, Project: s.Dataset.ProjectID, Path: s.Dataset.ID, User: host.User(c),
		At: time.Now(), Document: text,
	}
	if err := f.entries.put(c.UserContext(), e); err != nil {
		return err
	}
	return f.showWork(c, http.StatusCreated, e, s)
}

// planExport reads what is to be exported, and of which state.
func (f *Face) planExport(ctx context.Context, in exportIn, s snapshot.State) (out exportView, err error) {
	name := cmp.Or(in.Format, "json")
	of, ok := exportFormats[name]
	if !ok {
		return out, oneOf("format", in.Format, "json, csv, csv.gz or parquet")
	}
	if err := nothings(map[string]json.RawMessage{
		"target_full_path": in.TargetFullPath, "target_fields": in.TargetFields, "annotator_params": in.AnnotatorParams,
		"filters": in.Filters, "limit": in.Limit, "fields": in.Fields, "dataset": in.Dataset,
	}); err != nil {
		return out, err
	}
	out = exportView{
		Format: name, Ref: "head", TargetFields: []any{}, AnnotatorParams: map[string]any{}, Metadata: map[string]any{},
		Filename: path.Base(strings.ReplaceAll(s.Properties.Name, separator, "/")) + of.extension,
	}
	if s.Commit.ID > 0 {
		out.Ref = strconv.FormatInt(s.Commit.ID, 10)
	}
	if in.Params != nil {
		out.Params = *in.Params
	}
	if len(out.Params.Facets)+len(out.Params.TargetFields) > 0 {
		return out, refused("facets and target_fields", "are not parameters of an export")
	}
	selected, err := f.exported(ctx, s.Dataset.ID, out)
	if err != nil {
		return out, err
	}
	if out.DocumentsCount, err = f.countSelected(ctx, selected); err == nil && out.Params.Limit != nil {
		out.DocumentsCount = min(out.DocumentsCount, *out.Params.Limit)
	}
	return out, err
}

// exported returns what an export selects.
func (f *Face) exported(ctx context.Context, dataset string, v exportView) (s selected, err error) {
	snap, err := f.store.Snapshot(ctx, dataset, v.Ref)
	if err != nil {
		return s, err
	}
	if s, err = selection(snap, v.Params); err != nil {
		return s, err
	}
	s.withID = false // it is made of the key, which is in the file
	s.columns = slices.DeleteFunc(s.columns, func(c schema.Column) bool { return hasColumn(s.dropKey, c) })
	return s, nil
}

// downloadExport shows the URL that an export is fetched from, or leads there.
func (f *Face) downloadExport(c *fiber.Ctx) error {
	e, _, err := f.workParam(c, exportKind)
	if err != nil {
		return err
	}
	var v exportView
	if err := json.Unmarshal(e.Document, &v); err != nil {
		return err
	}
	return f.leadTo(c, e.ID, v.Filename)
}

// exportFor is how long an export may be fetched.
const exportFor = 24 * time.Hour

// sendExport writes an export. Whoever has its URL was let in to the dataset when it was signed.
func (f *Face) sendExport(c *fiber.Ctx, e entry, name string) error {
	if time.Since(e.At) > exportFor {
		return fault.Errorf(fault.Gone, "export_expired", "This export has expired. Export the dataset again.")
	}
	var v exportView
	if err := json.Unmarshal(e.Document, &v); err != nil {
		return err
	}
	ctx := storage.WithPermit(c.UserContext(), nil)
	audit.Of(ctx).Dataset(e.Path, "", e.Project)
	s, err := f.exported(ctx, e.Path, v)
	if err != nil {
		return err
	}
	of := exportFormats[v.Format]
	media := map[intake.Format]string{
		intake.NDJSON: "application/x-ndjson", intake.CSV: "text/csv; charset=utf-8",
		intake.Parquet: "application/vnd.apache.parquet",
	}[of.format]
	if of.isGzip {
		media = "application/gzip"
	}
	limits := f.host.Limits()
	return f.host.Stream(c, host.Result{
		Name: name, Media: media, First: limits.QueryTimeout, Each: limits.QueryTimeout,
		Write: func(ctx context.Context, w io.Writer) (string, error) {
			return "", f.writeExport(storage.WithPermit(ctx, nil), s, v.Params.Limit, of, w)
		},
	})
}

// writeExport writes what is selected in a format.
func (f *Face) writeExport(ctx context.Context, s selected, limit *int64, of exportFormat, w io.Writer) (err error) {
	scratch := f.store.Scratch("result.parquet")
	conn, q, err := f.store.OpenRecords(ctx, s.wanted(limit, 0), output.Scratch(of.format, scratch))
	if err != nil {
		return err
	}
	defer conn.Close()
	q.Bytes = f.host.Limits().MaxResult
	if of.isGzip {
		to := gzip.NewWriter(w)
		defer func() { err = errors.Join(err, to.Close()) }()
		w = to
	}
	cut, err := output.Write(ctx, conn, q, of.format, w, scratch)
	if err == nil && cut != output.Whole { // no one must take a part for the whole
		err = fault.Errorf(fault.Invalid, "result_too_large",
			"The export is larger than the limit (--max-result). Export less at a time.")
	}
	return err
}
