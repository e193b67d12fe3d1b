package quartzbio

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
	"github.com/rowback/rowback/storage/snapshot"
)

// maxRecords is the most records of one request, as the service has it.
const maxRecords = 5000

// committing is what imports and migrations have in common: how records are changed, and committed.
type committing struct {
	CommitMode    string         `json:"commit_mode"`
	Title         string         `json:"title"`
	Description   string         `json:"description"`
	Metadata      map[string]any `json:"metadata"`
	Tags          []string       `json:"tags"`
	TargetFields  few[fieldIn]   `json:"target_fields"`
	IncludeErrors *bool          `json:"include_errors"`
	Validation    validation     `json:"validation_params"`

	// Without effect: work is done at once, in the order in which it comes.
	Priority   json.RawMessage `json:"priority"`
	MaxRecords json.RawMessage `json:"max_records"`

	EntityParams    json.RawMessage `json:"entity_params"`
	AnnotatorParams json.RawMessage `json:"annotator_params"`
	ReaderParams    json.RawMessage `json:"reader_params"`
}

// validation is how records are validated. Every record is, and one that can't be committed refuses the whole commit:
// Disable and RaiseOnErrors change nothing.
type validation struct {
	Disable        bool `json:"disable"`
	RaiseOnErrors  bool `json:"raise_on_errors"`
	Strict         bool `json:"strict_validation"`
	AllowNewFields bool `json:"allow_new_fields"`
}

// mode returns how records are committed.
func (in committing) mode() (catalog.Mode, error) {
	switch m := catalog.Mode(cmp.Or(in.CommitMode, string(catalog.Append))); m {
	case catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Delete:
		return m, nil
	}
	return "", oneOf("commit_mode", in.CommitMode, "append, overwrite, upsert or delete")
}

// check refuses what is not supported.
func (in committing) check() error {
	return nothings(map[string]json.RawMessage{
		"entity_params": in.EntityParams, "annotator_params": in.AnnotatorParams, "reader_params": in.ReaderParams,
	})
}

// rewriting returns what becomes of records on their way to a dataset.
func (in committing) rewriting(to snapshot.State, mode catalog.Mode, s scope) (r rewriting, err error) {
	r.ids = ids{to.Schema, mode == catalog.Append}
	if len(in.TargetFields) > 0 {
		s.target = to.Dataset.ID
		r.annotator, err = newAnnotator(in.TargetFields, s, in.IncludeErrors == nil || *in.IncludeErrors)
	}
	return r, err
}

// change returns the change of a dataset that commits records.
func (in committing) change(r storage.Request, mode catalog.Mode, u calls.Upload) storage.Change {
	out := storage.Change{
		Request: r, Mode: mode, Upload: u.Upload, Strict: in.Validation.Strict && !in.Validation.AllowNewFields,
	}
	if mode == catalog.Append {
		out.Columns = columnsOf(in.TargetFields)
	}
	return out
}

// said is what the request says of its commits.
func (in committing) said() metadata {
	out := metadata{}
	for name, value := range in.Metadata {
		out[name] = value
	}
	if len(in.Tags) > 0 {
		out[tagsKey] = in.Tags
	}
	return out
}

// importIn is the request to import records: those in it, those of a file, or those of the files of a manifest.
type importIn struct {
	committing
	DatasetID   string               `json:"dataset_id"`
	DataRecords few[json.RawMessage] `json:"data_records"`
	Records     few[json.RawMessage] `json:"records"` // an older name of the same
	ObjectID    *string              `json:"object_id"`
	Manifest    *struct {
		Files few[manifestFile] `json:"files"`
	} `json:"manifest"`
}

// manifestFile is a file of a manifest.
type manifestFile struct {
	ObjectID  string          `json:"object_id"`
	URL       string          `json:"url"`
	Name      string          `json:"name"`
	MD5       string          `json:"md5"`
	Size      json.RawMessage `json:"size"`
	Format    json.RawMessage `json:"format"`
	Base64MD5 json.RawMessage `json:"base64_md5"`

	EntityParams     json.RawMessage `json:"entity_params"`
	ReaderParams     json.RawMessage `json:"reader_params"`
	ValidationParams json.RawMessage `json:"validation_params"`
}

// importView is what is kept of an import, and shown with it.
type importView struct {
	CommitMode       string            `json:"commit_mode"`
	Title            string            `json:"title"`
	Description      *string           `json:"description"`
	Metadata         map[string]any    `json:"metadata"`
	Tags             []string          `json:"tags"`
	TargetFields     []fieldIn         `json:"target_fields"`
	ValidationParams validation        `json:"validation_params"`
	IncludeErrors    bool              `json:"include_errors"`
	Source           string            `json:"source"`
	ObjectID         *string           `json:"object_id"`
	Manifest         map[string]any    `json:"manifest"`
	GenomeBuild      *string           `json:"genome_build"`
	ImportMessages   map[string]any    `json:"import_messages"`
	LogicalObject    *string           `json:"logical_object"`
	AnnotatorParams  map[string]any    `json:"annotator_params"`
	EntityParams     map[string]any    `json:"entity_params"`
	ReaderParams     map[string]any    `json:"reader_params"`
	Commits          []json.RawMessage `json:"dataset_commits"`
}

// view returns what is kept of an import.
func (in importIn) view(source string, files []string) importView {
	out := importView{
		CommitMode: cmp.Or(in.CommitMode, string(catalog.Append)), Title: in.title(), Description: text(in.Description),
		Metadata: in.Metadata, Tags: in.Tags, TargetFields: in.TargetFields, ValidationParams: in.Validation,
		IncludeErrors: in.IncludeErrors == nil || *in.IncludeErrors, Source: source, ObjectID: in.ObjectID,
		Manifest: map[string]any{}, ImportMessages: map[string]any{}, AnnotatorParams: map[string]any{},
		EntityParams: map[string]any{}, ReaderParams: map[string]any{}, Commits: []json.RawMessage{},
	}
	if out.Metadata == nil {
		out.Metadata = map[string]any{}
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if out.TargetFields == nil {
		out.TargetFields = []fieldIn{}
	}
	if in.Manifest != nil {
		out.Manifest["files"] = files
	}
	return out
}

// title returns what the import is called.
func (in importIn) title() string {
	if in.ObjectID != nil || in.Manifest != nil {
		return cmp.Or(in.Title, "File Import")
	}
	return cmp.Or(in.Title, "Records Import")
}

// createImport imports records, as a job that commits them. Records that can't be committed make it fail, and the
// answer says so: the request was right.
func (f *Face) createImport(c *fiber.Ctx) error {
	var in importIn
	if err := f.readUpTo(c, maxRecordsBody, &in); err != nil {
		return err
	}
	s, err := f.dataset(c.UserContext(), in.DatasetID)
	if err != nil {
		return err
	}
	mode, err := in.mode()
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return err
	}
	w := doing{kind: importKind, dataset: s, title: in.title(), message: cmp.Or(in.Description, in.Title), said: in.said()}
	if err := f.importParts(c, in, s, mode, &w); err != nil {
		return err
	}
	e, err := f.start(c, w)
	if err != nil {
		return err
	}
	if s, err = f.dataset(c.UserContext(), s.Dataset.ID); err != nil {
		return err
	}
	return f.showWork(c, http.StatusCreated, e, s)
}

// importParts says what an import commits: the records in it as one commit, or each file as one.
func (f *Face) importParts(c *fiber.Ctx, in importIn, s snapshot.State, mode catalog.Mode, w *doing) error {
	records := in.DataRecords
	if records == nil {
		records = in.Records
	}
	given := 0
	for _, is := range []bool{records != nil, in.ObjectID != nil, in.Manifest != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return refused("data_records, object_id and manifest", "are three ways to say what is imported: one is required")
	}
	if records != nil {
		return f.importRecords(in, records, s, mode, w)
	}
	files, err := f.importFiles(c, in)
	if err != nil {
		return err
	}
	var names []string
	for _, file := range files {
		name := path.Base(file.Path)
		r, err := in.rewriting(s, mode, scope{filename: name})
		if err != nil {
			return err
		}
		names = append(names, name)
		w.parts = append(w.parts, func(ctx context.Context, request storage.Request) (k catalog.Commit, err error) {
			u, err := f.stageFile(ctx, file)
			if err != nil {
				return k, err
			}
			// Tables that are read by DuckDB have no _id to rewrite, unless they are exports.
			if r.annotator != nil || u.Format == intake.NDJSON {
				u, err = f.rewrite(ctx, u, r)
			}
			if err != nil {
				return k, err
			}
			defer u.Remove()
			return f.store.Commit(ctx, s.Dataset.ID, in.change(request, mode, u))
		})
	}
	w.said["source_files"] = names
	w.asked = in.view("file", names)
	return nil
}

// importRecords commits the records of a request.
func (f *Face) importRecords(
	in importIn, records []json.RawMessage, s snapshot.State, mode catalog.Mode, w *doing,
) error {
	if len(records) == 0 || len(records) > maxRecords {
		return refused("data_records", fmt.Sprintf("must be 1 to %d records, not %d", maxRecords, len(records)))
	}
	r, err := in.rewriting(s, mode, scope{})
	if err != nil {
		return err
	}
	var text []byte
	for _, one := range records {
		text = append(append(text, one...), '\n')
	}
	w.asked = in.view("data_records", nil)
	w.parts = append(w.parts, func(ctx context.Context, request storage.Request) (k catalog.Commit, err error) {
		u, err := f.stageText(text)
		if err != nil {
			return k, err
		}
		if u, err = f.rewrite(ctx, u, r); err != nil {
			return k, err
		}
		defer u.Remove()
		return f.store.Commit(ctx, s.Dataset.ID, in.change(request, mode, u))
	})
	return nil
}

// importFiles finds the files of an import.
func (f *Face) importFiles(c *fiber.Ctx, in importIn) (out []entry, err error) {
	var named []string
	if in.ObjectID != nil {
		named = append(named, *in.ObjectID)
	} else {
		for _, file := range in.Manifest.Files {
			if file.URL != "" {
				return nil, refused("url", "in a manifest is not supported: this server fetches nothing. Upload the file")
			}
			if err := nothings(map[string]json.RawMessage{
				"entity_params": file.EntityParams, "reader_params": file.ReaderParams, "validation_params": file.ValidationParams,
				"format": file.Format,
			}); err != nil {
				return nil, err
			}
			named = append(named, file.ObjectID)
		}
	}
	if len(named) == 0 {
		return nil, refused("manifest", "has no files")
	}
	for i, id := range named {
		o, err := f.findObject(c, id, access.Reader)
		if err != nil {
			return nil, err
		}
		if o.kind != fileKind {
			return nil, refused("object_id", "must be that of a file, and this is a "+o.kind)
		}
		if in.Manifest != nil {
			if want := in.Manifest.Files[i].MD5; want != "" && want != fileOf(o.entry).MD5 {
				return nil, refused("md5", fmt.Sprintf("of %s is another", o.filename()))
			}
		}
		if _, err := f.sources.Get(c.UserContext(), o.entry.User, o.entry.ID); err != nil {
			return nil, err
		}
		out = append(out, o.entry)
	}
	return out, nil
}
