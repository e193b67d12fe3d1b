package flight_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/flight"
	"github.com/rowback/rowback/storage/fault"
)

// directory has users by the hashes of their tokens.
type directory map[access.Hash]access.Held

func (directory) IsClosed() (bool, error)         { return true, nil }
func (directory) IsDisabled(string) (bool, error) { return false, nil }
func (directory) Used(string)                     {}

func (d directory) ByHash(hash access.Hash) (access.Held, error) {
	if held, ok := d[hash]; ok {
		return held, nil
	}
	return access.Held{}, access.ErrUnknown
}

func (d directory) ByID(id string) (access.Held, error) {
	for _, held := range d {
		if held.ID == id {
			return held, nil
		}
	}
	return access.Held{}, access.ErrUnknown
}

// add adds a user with a role in project 3, and returns the context of the user's calls there.
func (d directory) add(role access.Role) context.Context {
	token, roles := access.NewToken(), access.Roles{3: role}
	if role == access.Admin {
		roles = access.Everywhere(role)
	}
	d[access.HashOf(token)] = access.Held{ID: "tok_" + role.String(), User: "the " + role.String(), Roles: roles}
	return header("authorization", "Bearer "+token)
}

// in is the context of calls in a project.
func in(ctx context.Context, project int) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-rowback-project", fmt.Sprint(project))
}

// Each call is answered by the caller's role in the project that it is about: 3 is their own, in 2 they have no role,
// and 99 does not exist.
func TestCallsByRoleAndProject(t *testing.T) {
	users := directory{}
	c := dial(t, other(t, flight.Options{Gate: access.New(access.Options{Directory: users})}))
	mine := newDataset(3, "employees", "id")
	defer drop(t, mine)
	commit(mine, "append", `[{"id":1,"name":"Ada"}]`)
	table := func(project int) string { return map[int]string{2: "salaries", 3: "employees", 99: "nothing"}[project] }
	calls := []struct {
		name string
		need access.Role
		do   func(ctx context.Context, project int) error
	}{
		{"a statement", access.Reader, func(ctx context.Context, project int) error {
			_, err := c.ask(in(ctx, project), "SELECT id FROM "+table(project))
			return err
		}},
		{"a prepared statement", access.Reader, func(ctx context.Context, project int) error {
			p, err := c.Prepare(in(ctx, project), "SELECT id FROM "+table(project))
			if err == nil {
				err = p.Close(ctx)
			}
			return err
		}},
		{"the key", access.Reader, func(ctx context.Context, project int) error {
			catalog := fmt.Sprint(project)
			info, err := c.GetPrimaryKeys(ctx, flightsql.TableRef{Catalog: &catalog, Table: table(project)})
			if err == nil {
				_, err = c.fetch(ctx, info)
			}
			return err
		}},
		{"a put", access.Writer, func(ctx context.Context, project int) error {
			b := c.batch(people, `[{"id":1,"name":"Ada"}]`)
			defer b.Release()
			_, err := c.tryPut(ctx, fmt.Sprintf(`{"dataset":%q,"project_id":%d,"mode":"upsert"}`, table(project), project), b)
			return err
		}},
		{"an ingest", access.Writer, func(ctx context.Context, project int) error {
			return c.tryIngest(in(ctx, project), table(project), flightsql.TableDefinitionOptionsTableNotExistOptionFail)
		}},
	}
	for _, role := range []access.Role{access.None, access.Reader, access.Writer, access.Admin} {
		ctx := users.add(role)
		for _, call := range calls {
			for _, project := range []int{3, 2, 99} {
				want := codes.OK
				switch {
				case project == 99 || role < access.Reader || project == 2 && role < access.Admin:
					want = codes.NotFound
				case role < call.need:
					want = codes.PermissionDenied
				case project == 2 && call.need == access.Writer:
					continue // other tests read it
				}
				err := call.do(ctx, project)
				if status.Code(err) != want || role < access.Admin && strings.Contains(fmt.Sprint(err), "secret") {
					t.Errorf("%s in project %d by %s: %v, want %s", call.name, project, role, err, want)
				}
			}
		}
		if role < access.Reader {
			continue
		}
		seen := fmt.Sprint(c.seenTables(ctx))
		if strings.Contains(seen, "salaries") != (role == access.Admin) || !strings.Contains(seen, "employees") {
			t.Errorf("%s sees %s", role, seen)
		}
		made := fmt.Sprint("made by ", role)
		err := c.tryIngest(in(ctx, 3), made, flightsql.TableDefinitionOptionsTableNotExistOptionCreate)
		if (err == nil) != (role >= access.Writer) || err != nil && status.Code(err) != codes.PermissionDenied {
			t.Errorf("creating a dataset by %s: %v", role, err)
		}
		if d, err := store.FindDataset(context.Background(), 3, made); err == nil {
			drop(t, d.ID)
		}
		if role < access.Admin {
			err = c.tryIngest(in(ctx, 2), made, flightsql.TableDefinitionOptionsTableNotExistOptionCreate)
			refused(t, "creating in a project without a role", err, codes.NotFound, "Project 2 not found")
		}
	}
}

// A ticket and a prepared statement give their holder no more than the caller's own roles.
func TestATicketIsNoPermission(t *testing.T) {
	users := directory{}
	c := dial(t, other(t, flight.Options{Gate: access.New(access.Options{Directory: users})}))
	admin, reader := users.add(access.Admin), users.add(access.Reader)
	info, err := c.Execute(in(admin, 2), "SELECT * FROM salaries")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.fetch(in(reader, 2), info)
	refused(t, "another's ticket", err, codes.NotFound, "")
}

// tryIngest sends one row as a bulk ingest.
func (c *client) tryIngest(
	ctx context.Context, table string, missing flightsql.TableDefinitionOptionsTableNotExistOption,
) error {
	c.Helper()
	_, err := c.ingest(ctx, &flightsql.ExecuteIngestOpts{
		Table: table, TableDefinitionOptions: &flightsql.TableDefinitionOptions{
			IfNotExist: missing, IfExists: flightsql.TableDefinitionOptionsTableExistsOptionAppend,
		}, Options: map[string]string{"mode": "upsert", "key": "id"},
	}, `[{"id":1,"name":"Ada"}]`)
	return err
}

// seenTables returns the tables of all catalogs.
func (c *client) seenTables(ctx context.Context) []string {
	c.Helper()
	info, err := c.GetTables(ctx, &flightsql.GetTablesOpts{})
	if err != nil {
		c.Fatal(err)
	}
	got, err := c.fetch(ctx, info)
	if err != nil {
		c.Fatal(err)
	}
	return got.lines
}

// A project is named by its number or by its name; one of which the caller is not to know as one that there is not.
func TestAProjectIsNamed(t *testing.T) {
	users := directory{}
	names := map[string]int64{"sales": 3, "pay": 2, "*": 0}
	c := dial(t, other(t, flight.Options{
		Gate: access.New(access.Options{Directory: users}),
		Projects: func(_ context.Context, name string) (int64, error) {
			id, ok := names[name]
			if !ok {
				return 0, fault.Errorf(fault.NotFound, "project_not_found", "Project '%s' not found", name)
			}
			return id, nil
		},
	}))
	mine := newDataset(3, "employees", "id")
	defer drop(t, mine)
	commit(mine, "append", `[{"id":1,"name":"Ada"}]`)
	user := users.add(access.Writer)
	named := func(name string) context.Context {
		return metadata.AppendToOutgoingContext(user, "x-rowback-project", name)
	}
	if got, err := c.ask(named("sales"), "SELECT name FROM employees"); err != nil || got.lines[0] != `{"name":"Ada"}` {
		t.Error(got.lines, err)
	}
	for _, name := range []string{"pay", "nothing", "*"} {
		_, err := c.ask(named(name), "SELECT 1")
		refused(t, name, err, codes.InvalidArgument, "unknown project '"+name+"'")
	}
	values, err := arrowflight.NewSessionOptionValues(map[string]any{"catalog": "sales"})
	if err != nil {
		t.Fatal(err)
	}
	var trailer metadata.MD
	out, err := c.SetSessionOptions(user, &arrowflight.SetSessionOptionsRequest{SessionOptions: values},
		grpc.Trailer(&trailer))
	if err != nil || len(out.Errors) != 0 || len(trailer.Get("set-cookie")) != 1 ||
		!strings.Contains(trailer.Get("set-cookie")[0], "=3") {
		t.Error(out, trailer, err)
	}
}
