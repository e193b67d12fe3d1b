package flight

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/flight"
	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/protobuf/proto"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/permit"
	"github.com/rowback/rowback/server/view"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
	"github.com/rowback/rowback/storage/snapshot"
)

// ingestion is a request for a bulk ingest.
type ingestion struct {
	project int64
	name    string
	makes   bool // creates the dataset if it does not exist
	takes   bool // appends to a dataset that exists
	mode    catalog.Mode
	key     []string // of a dataset that is created
	request storage.Request
}

// ingest commits the records of a bulk ingest, and answers with their number.
func (f *Face) ingest(stream *putStream, in *gen.CommandStatementIngest) error {
	in.Options = optionsOf(stream.Context(), in)
	g, err := f.readIngestion(stream.Context(), in)
	if err != nil {
		return err
	}
	if headerOf(stream.Context(), "idempotency-key") == "" { // with one, this may be a repeated request
		if err := f.isThere(writing(stream.Context()), g); err != nil {
			return err
		}
	}
	audit.Of(stream.Context()).Dataset("", g.name, g.project)
	command, err := proto.MarshalOptions{Deterministic: true}.Marshal(in)
	if err != nil {
		return err
	}
	commit, err := f.run(stream,
		write{g.project, command, g.request, func(ctx context.Context, c storage.Change) (catalog.Commit, error) {
			return f.commitOrFound(ctx, g, c)
		}})
	if err != nil {
		return err
	}
	answer, err := proto.Marshal(&gen.DoPutUpdateResult{RecordCount: records(commit)})
	if err != nil {
		return err
	}
	return stream.Send(&flight.PutResult{AppMetadata: answer})
}

// records returns how many records a commit changed.
func records(c view.Commit) int64 {
	if c.Mode == string(catalog.Delete) {
		return c.RecordsRemoved
	}
	return c.RecordsAdded + c.RecordsModified
}

func (f *Face) readIngestion(ctx context.Context, in *gen.CommandStatementIngest) (g ingestion, err error) {
	switch {
	case len(in.GetTransactionId()) > 0:
		return g, errTransactions
	case in.GetTemporary():
		return g, unsupported("There are no temporary datasets. Leave out temporary.")
	case in.Schema != nil && in.GetSchema() != "" && in.GetSchema() != datasetsSchema:
		return g, refuse(fault.Invalid, "invalid_field", "schema: must be %s", datasetsSchema)
	case strings.Contains(in.GetTable(), "@"):
		return g, refuse(fault.Invalid, "invalid_field",
			"table: %q names a dataset at a ref, which never changes. Name the dataset alone.", clip(in.GetTable()))
	}
	g.name = in.GetTable()
	if g.project, err = f.project(ctx); err == nil && in.GetCatalog() != "" {
		g.project, err = f.projectNumber(ctx, in.GetCatalog(), "the catalog")
	}
	if err == nil {
		err = g.readTable(in.GetTableDefinitionOptions())
	}
	if err == nil {
		err = g.readOptions(in.GetOptions())
	}
	g.makes = g.makes && g.mode != catalog.Delete // nothing can be deleted from a dataset that does not exist
	return g, err
}

// readTable reads what to do if the dataset exists, and if it does not.
func (g *ingestion) readTable(o *gen.CommandStatementIngest_TableDefinitionOptions) error {
	switch o.GetIfExists() {
	case gen.CommandStatementIngest_TableDefinitionOptions_TABLE_EXISTS_OPTION_REPLACE:
		return unsupported("An ingest can't replace a dataset, because that would discard its history. " +
			"Append with the option mode=replace to make its records those that you send, " +
			"or with mode=overwrite or mode=upsert to change records by key.")
	case gen.CommandStatementIngest_TableDefinitionOptions_TABLE_EXISTS_OPTION_APPEND:
		g.takes = true
	}
	g.makes = o.GetIfNotExist() == gen.CommandStatementIngest_TableDefinitionOptions_TABLE_NOT_EXIST_OPTION_CREATE
	if !g.makes && !g.takes {
		return refuse(fault.Invalid, "invalid_field",
			"table_definition_options: must allow creating the dataset, appending to it, or both")
	}
	return nil
}

// optionsOf returns the ingest's options, and those in headers such as x-rowback-mode: some drivers can't send options.
func optionsOf(ctx context.Context, in *gen.CommandStatementIngest) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"mode", "message", "key", "metadata"} {
		if text := headerOf(ctx, "x-rowback-"+name); text != "" {
			out[name] = text
		}
	}
	maps.Copy(out, in.GetOptions())
	return out
}

func (g *ingestion) readOptions(options map[string]string) (err error) {
	g.mode = catalog.Append
	for name, text := range options {
		switch name {
		case "mode":
			g.mode, err = modeOf(text)
		case "message":
			g.request.Message = text
		case "key":
			g.key = strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
		case "metadata":
			if !json.Valid([]byte(text)) {
				err = refuse(fault.Invalid, "invalid_field", "metadata: must be JSON")
			}
			g.request.Metadata = json.RawMessage(text)
		default:
			err = refuse(fault.Invalid, "invalid_field",
				"options: there is no option %q. The options are mode, message, key and metadata", clip(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isThere refuses an ingest before its records arrive, if the dataset exists but must not, or does not exist but must.
func (f *Face) isThere(ctx context.Context, g ingestion) error {
	_, err := f.store.FindDataset(ctx, g.project, g.name)
	switch {
	case err == nil && !g.takes:
		return storage.ErrNameTaken.Sayf(
			"Dataset '%s' already exists in this project. Append to it, or choose another name.", clip(g.name))
	case fault.KindOf(err) == fault.NotFound && g.makes:
		return permit.Check(callerOf(ctx).Caller, g.project, access.Writer)
	}
	return err
}

// commitOrFound commits the records, to a new dataset if there is none.
func (f *Face) commitOrFound(ctx context.Context, g ingestion, c storage.Change) (catalog.Commit, error) {
	c.Mode = g.mode
	d, err := f.store.FindDataset(ctx, g.project, g.name)
	if err == nil && g.takes {
		return f.store.Commit(ctx, d.ID, c)
	}
	if fault.KindOf(err) == fault.NotFound && g.makes {
		c.Request = storage.For(c.Request, func(made snapshot.State) catalog.Commit { return made.Commit })
		made, err := f.store.CreateWithRecords(ctx, storage.NewDataset{ProjectID: g.project, Name: g.name, Key: g.key}, c)
		return made.Commit, err
	}
	if err == nil {
		err = f.isThere(ctx, g)
	}
	return catalog.Commit{}, err
}
