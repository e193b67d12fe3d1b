package flight

import (
	"context"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"

	"github.com/rowback/rowback/storage/snapshot"
)

// list is an answer of one small batch.
type list struct {
	*array.RecordBuilder
}

// list begins an answer of rows with a schema of Flight SQL's.
func (f *Face) list(s *arrow.Schema) list { return list{array.NewRecordBuilder(f.options.Memory, s)} }

// add appends a row of strings; a column without one is null.
func (l list) add(texts ...string) {
	for i, text := range texts {
		switch b := l.Field(i).(type) {
		case *array.StringBuilder:
			b.Append(text)
		case *array.BinaryBuilder:
			b.Append([]byte(text))
		}
	}
	for i := len(texts); i < len(l.Fields()); i++ {
		l.Field(i).AppendNull()
	}
}

// send returns the batch as a stream.
func (l list) send() (*arrow.Schema, <-chan flight.StreamChunk, error) {
	defer l.Release()
	out := make(chan flight.StreamChunk, 1)
	out <- flight.StreamChunk{Data: l.NewRecordBatch()}
	close(out)
	return l.Schema(), out, nil
}

// itself returns the FlightInfo of a command that is its own ticket.
func (f *Face) itself(desc *flight.FlightDescriptor, s *arrow.Schema) (*flight.FlightInfo, error) {
	return f.info(desc, desc.Cmd, s), nil
}

// GetFlightInfoCatalogs returns how to fetch the catalogs.
func (f *Face) GetFlightInfoCatalogs(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.Catalogs)
}

// DoGetCatalogs lists the catalogs: the projects that have datasets, and the call's own.
func (f *Face) DoGetCatalogs(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	names, err := f.catalogs(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := f.list(schema_ref.Catalogs)
	for _, name := range names {
		out.add(name)
	}
	return out.send()
}

// GetFlightInfoSchemas returns how to fetch the schemas.
func (f *Face) GetFlightInfoSchemas(
	_ context.Context, _ flightsql.GetDBSchemas, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.DBSchemas)
}

// DoGetDBSchemas lists the schemas of the catalogs.
func (f *Face) DoGetDBSchemas(
	ctx context.Context, in flightsql.GetDBSchemas,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	names, err := f.catalogs(ctx)
	if err != nil {
		return nil, nil, err
	}
	wanted := like(in.GetDBSchemaFilterPattern())
	out := f.list(schema_ref.DBSchemas)
	for _, name := range names {
		for _, schema := range []string{datasetsSchema, historySchema} {
			if wanted(schema) && (in.GetCatalog() == nil || *in.GetCatalog() == name) {
				out.add(name, schema)
			}
		}
	}
	return out.send()
}

// GetFlightInfoTables returns how to fetch the tables.
func (f *Face) GetFlightInfoTables(
	_ context.Context, in flightsql.GetTables, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	if in.GetIncludeSchema() {
		return f.itself(desc, schema_ref.TablesWithIncludedSchema)
	}
	return f.itself(desc, schema_ref.Tables)
}

// DoGetTables lists the tables: datasets, their versions, and history.
func (f *Face) DoGetTables(
	ctx context.Context, in flightsql.GetTables,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	tables, err := f.tables(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	if !in.GetIncludeSchema() {
		out := f.list(schema_ref.Tables)
		for _, t := range tables {
			out.add(t.catalog, t.schema, t.name, t.kind)
		}
		return out.send()
	}
	schemas, err := f.schemas(ctx, tables)
	if err != nil {
		return nil, nil, err
	}
	out := f.list(schema_ref.TablesWithIncludedSchema)
	for i, t := range tables {
		out.add(t.catalog, t.schema, t.name, t.kind, string(schemas[i]))
	}
	return out.send()
}

// GetFlightInfoTableTypes returns how to fetch the types of tables.
func (f *Face) GetFlightInfoTableTypes(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.TableTypes)
}

// DoGetTableTypes lists the types of tables.
func (f *Face) DoGetTableTypes(context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	out := f.list(schema_ref.TableTypes)
	for _, kind := range []string{historyType, datasetType, versionType} {
		out.add(kind)
	}
	return out.send()
}

// GetFlightInfoPrimaryKeys returns how to fetch a table's key.
func (f *Face) GetFlightInfoPrimaryKeys(
	_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.PrimaryKeys)
}

// DoGetPrimaryKeys lists the key columns of a dataset, at a ref if its name has one: the declared key, or _id.
func (f *Face) DoGetPrimaryKeys(
	ctx context.Context, in flightsql.TableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	id, err := f.project(ctx)
	if err == nil && in.Catalog != nil {
		id, err = f.projectNumber(ctx, *in.Catalog, "the catalog")
	}
	if err != nil {
		return nil, nil, err
	}
	out := f.list(schema_ref.PrimaryKeys)
	if in.DBSchema != nil && *in.DBSchema == historySchema {
		return out.send()
	}
	name, ref, _ := strings.Cut(in.Table, "@")
	state, err := f.stateOf(ctx, id, name, ref)
	if err != nil {
		out.Release()
		return nil, nil, err
	}
	for i, c := range state.Schema.KeyColumns() {
		out.Field(0).(*array.StringBuilder).Append(strconv.FormatInt(id, 10))
		out.Field(1).(*array.StringBuilder).Append(datasetsSchema)
		out.Field(2).(*array.StringBuilder).Append(in.Table)
		out.Field(3).(*array.StringBuilder).Append(c.Name)
		out.Field(4).(*array.Int32Builder).Append(int32(i + 1))
		out.Field(5).AppendNull()
	}
	return out.send()
}

// stateOf returns the state of a dataset at a ref, by names as statements have them.
func (f *Face) stateOf(ctx context.Context, project int64, dataset, ref string) (snapshot.State, error) {
	d, err := f.store.FindDataset(ctx, project, dataset)
	if err != nil {
		return snapshot.State{}, err
	}
	return f.store.State(ctx, d.ID, ref)
}

// GetFlightInfoExportedKeys returns how to fetch the foreign keys to a table.
func (f *Face) GetFlightInfoExportedKeys(
	_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.ExportedKeys)
}

// DoGetExportedKeys returns an empty list: there are no foreign keys.
func (f *Face) DoGetExportedKeys(
	context.Context, flightsql.TableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return f.list(schema_ref.ExportedKeys).send()
}

// GetFlightInfoImportedKeys returns how to fetch the foreign keys of a table.
func (f *Face) GetFlightInfoImportedKeys(
	_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.ImportedKeys)
}

// DoGetImportedKeys returns an empty list: there are no foreign keys.
func (f *Face) DoGetImportedKeys(
	context.Context, flightsql.TableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return f.list(schema_ref.ImportedKeys).send()
}

// GetFlightInfoCrossReference returns how to fetch the foreign keys between two tables.
func (f *Face) GetFlightInfoCrossReference(
	_ context.Context, _ flightsql.CrossTableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return f.itself(desc, schema_ref.CrossReference)
}

// DoGetCrossReference returns an empty list: there are no foreign keys.
func (f *Face) DoGetCrossReference(
	context.Context, flightsql.CrossTableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return f.list(schema_ref.CrossReference).send()
}
