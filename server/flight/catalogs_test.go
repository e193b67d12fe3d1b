package flight_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc/codes"
)

// listed reads the lines of a list.
func (c *client) listed(info *arrowflight.FlightInfo, err error) string {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
	got, err := c.fetch(context.Background(), info)
	if err != nil {
		c.Fatal(err)
	}
	return strings.Join(got.lines, "\n")
}

func TestCatalogsAndSchemas(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	same(t, "catalogs", c.listed(c.GetCatalogs(ctx)), `{"catalog_name":"1"}
{"catalog_name":"2"}`)
	seven := header("x-rowback-project", "7")
	info, err := c.GetCatalogs(seven)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.fetch(seven, info); err != nil || len(got.lines) != 3 || got.lines[2] != `{"catalog_name":"7"}` {
		t.Errorf("the catalogs of a project without datasets: %v, %v", got.lines, err)
	}
	two, like, none := "2", "row%", ""
	same(t, "schemas", c.listed(c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{Catalog: &two})),
		`{"catalog_name":"2","db_schema_name":"datasets"}
{"catalog_name":"2","db_schema_name":"rowback"}`)
	same(t, "schemas like", c.listed(c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{DbSchemaFilterPattern: &like})),
		`{"catalog_name":"1","db_schema_name":"rowback"}
{"catalog_name":"2","db_schema_name":"rowback"}`)
	same(t, "schemas without a catalog", c.listed(c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{Catalog: &none})), "")
	same(t, "types", c.listed(c.GetTableTypes(ctx)), `{"table_type":"SYSTEM TABLE"}
{"table_type":"TABLE"}
{"table_type":"VIEW"}`)
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

func TestTables(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	text := func(s string) *string { return &s }
	for _, b := range []struct {
		o    *flightsql.GetTablesOpts
		want string // schema.name type
	}{
		{&flightsql.GetTablesOpts{Catalog: text("1"), DbSchemaFilterPattern: text("datasets")},
			"1.datasets.employees TABLE, 1.datasets.employees@1.0.0 VIEW, 1.datasets.employees@1.0.1 VIEW, " +
				"1.datasets.nothing TABLE, 1.datasets.team members TABLE"},
		{&flightsql.GetTablesOpts{TableTypes: []string{"TABLE"}, TableNameFilterPattern: text("%s")},
			"1.datasets.employees TABLE, 1.datasets.team members TABLE, 2.datasets.salaries TABLE"},
		{&flightsql.GetTablesOpts{TableTypes: []string{"SYSTEM TABLE"}, Catalog: text("2")},
			"2.rowback.actions SYSTEM TABLE, 2.rowback.commits SYSTEM TABLE, 2.rowback.datasets SYSTEM TABLE, " +
				"2.rowback.versions SYSTEM TABLE"},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: text("employee_")}, "1.datasets.employees TABLE"},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: text(`employee\_`)}, ""},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: text(`.*`)}, ""},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: text("nothing"), DbSchemaFilterPattern: text("rowback")}, ""},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: text(`noth\`)}, ""},
		{&flightsql.GetTablesOpts{Catalog: text("9")}, ""},
		{&flightsql.GetTablesOpts{TableTypes: []string{"LOCAL TEMPORARY"}}, ""},
	} {
		var got []string
		for _, line := range strings.Split(c.listed(c.GetTables(ctx, b.o)), "\n") {
			if line != "" {
				got = append(got, short(t, line))
			}
		}
		same(t, b.want, strings.Join(got, ", "), b.want)
	}
}

// TestListedTablesCanBeRead reads every table as it is listed, and compares the result's schema with the one listed.
func TestListedTablesCanBeRead(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	one := "1"
	info, err := c.GetTables(ctx, &flightsql.GetTablesOpts{Catalog: &one, IncludeSchema: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	read := 0
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			names := make([]string, 3)
			for k := range names {
				names[k] = `"` + b.Column(k).ValueStr(i) + `"`
			}
			listed, err := arrowflight.DeserializeSchema(b.Column(4).(*array.Binary).Value(i), c.mem)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{strings.Join(names, "."), strings.Join(names[1:], ".")} {
				got, err := c.ask(ctx, "SELECT * FROM "+name)
				if err != nil || !got.schema.Equal(listed) {
					t.Errorf("%s: listed as %s, and it is %s, %v", name, listed, got.schema, err)
				}
			}
			read++
		}
	}
	if read < 8 {
		t.Errorf("only %d tables were listed", read)
	}
}

// keyRow is a row of the answer about primary keys.
func keyRow(catalog, table, column string, sequence int) string {
	return fmt.Sprintf(`{"catalog_name":%q,"column_name":%q,"db_schema_name":"datasets","key_name":null,`+
		`"key_sequence":%d,"table_name":%q}`, catalog, column, sequence, table)
}

func TestPrimaryKeys(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	two := "2"
	same(t, "of one column", c.listed(c.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "employees@1.0.0"})),
		keyRow("1", "employees@1.0.0", "id", 1))
	same(t, "of two columns", c.listed(c.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "nothing"})),
		keyRow("1", "nothing", "a", 1)+"\n"+keyRow("1", "nothing", "b", 2))
	same(t, "that the server assigns", c.listed(c.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "team members"})),
		keyRow("1", "team members", "_id", 1))
	same(t, "of another project", c.listed(c.GetPrimaryKeys(ctx, flightsql.TableRef{Catalog: &two, Table: "salaries"})),
		keyRow("2", "salaries", "id", 1))
	info, err := c.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "salaries"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.fetch(ctx, info)
	refused(t, "a table that is not there", err, codes.NotFound, "'salaries' not found in project 1")
	same(t, "foreign keys", c.listed(c.GetExportedKeys(ctx, flightsql.TableRef{Table: "employees"})), "")
	same(t, "foreign keys", c.listed(c.GetImportedKeys(ctx, flightsql.TableRef{Table: "employees"})), "")
	same(t, "foreign keys",
		c.listed(c.GetCrossReference(ctx, flightsql.TableRef{Table: "employees"}, flightsql.TableRef{Table: "nothing"})), "")
}

func TestWhatTheServerIs(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	asked := []flightsql.SqlInfo{
		flightsql.SqlInfoFlightSqlServerName, flightsql.SqlInfoFlightSqlServerVersion,
		flightsql.SqlInfoFlightSqlServerReadOnly,
	}
	same(t, "name, version, read-only", c.listed(c.GetSqlInfo(ctx, asked)),
		`{"info_name":0,"value":[0,"Rowback"]}
{"info_name":1,"value":[0,"1.2.3"]}
{"info_name":3,"value":[1,true]}`)
	same(t, "facts of which one is not known",
		c.listed(c.GetSqlInfo(ctx, []flightsql.SqlInfo{9999, flightsql.SqlInfoFlightSqlServerName})),
		`{"info_name":0,"value":[0,"Rowback"]}`)
	same(t, "a fact that is not known", c.listed(c.GetSqlInfo(ctx, []flightsql.SqlInfo{9999})), "")
	if all := c.listed(c.GetSqlInfo(ctx, nil)); strings.Count(all, "\n") < 30 {
		t.Error(all)
	}
	twelve := int32(12)
	got := c.listed(c.GetXdbcTypeInfo(ctx, &twelve))
	if !strings.Contains(got, `"type_name":"VARCHAR"`) || strings.Contains(got, "\n") {
		t.Error(got)
	}
	if all := c.listed(c.GetXdbcTypeInfo(ctx, nil)); strings.Count(all, "\n") < 10 {
		t.Error(all)
	}
}

// short is a listed table in a few words.
func short(t *testing.T, line string) string {
	t.Helper()
	var given map[string]string
	if err := json.Unmarshal([]byte(line), &given); err != nil {
		t.Fatal(err)
	}
	return given["catalog_name"] + "." + given["db_schema_name"] + "." + given["table_name"] + " " + given["table_type"]
}
