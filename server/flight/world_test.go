package flight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/server/flight"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

// The store and the server that the tests share. Tests that write make datasets of their own.
var (
	store   *storage.Store
	address string
	held    = memory.NewCheckedAllocator(memory.DefaultAllocator) // of that server
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	dir, err := os.MkdirTemp("", "flight")
	must(err)
	store, err = storage.Open(context.Background(), dir, storage.Options{Threads: 2})
	must(err)
	fill()
	addr, stop, err := serve(flight.Options{Memory: held, Version: "1.2.3"})
	must(err)
	address = addr
	code := m.Run()
	stop()
	if n := held.CurrentAlloc(); n != 0 {
		fmt.Println("the server holds", n, "bytes that it should have freed")
		code = 1
	}
	must(store.Close())
	os.RemoveAll(dir)
	os.Exit(code)
}

// must ends the run if the tests can't begin.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// serve starts a face of the store.
func serve(o flight.Options) (addr string, stop func(), err error) {
	addr, face, err := listen(o)
	return addr, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		face.Stop(ctx)
	}, err
}

func listen(o flight.Options) (addr string, face *flight.Face, err error) {
	if face, err = flight.New(store, o); err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() { must(face.Serve(l)) }()
	return l.Addr().String(), face, nil
}

// start starts a face that the test stops.
func start(t *testing.T, o flight.Options) (addr string, face *flight.Face) {
	t.Helper()
	addr, face, err := listen(o)
	if err != nil {
		t.Fatal(err)
	}
	return addr, face
}

func fill() {
	employees := newDataset(1, "employees", "id")
	commit(employees, catalog.Append,
		`[{"id":1,"name":"Ada","city":"Bergen"},{"id":2,"name":"Ben","city":"Turin"},{"id":3,"name":"Chitra","city":"Nara"}]`)
	version(employees)
	commit(employees, catalog.Upsert, `[{"id":2,"city":"Milan"},{"id":4,"name":"Dario","city":"Oslo"}]`)
	version(employees)
	commit(employees, catalog.Delete, `[{"id":1}]`)
	commit(newDataset(1, "team members"), catalog.Append,
		`[{"tags":["a","b"],"home":{"city":"Oslo","floors":[1,2]},"pay":1.25},{"tags":[],"home":null,"pay":null}]`)
	newDataset(1, "nothing", "a", "b")
	commit(newDataset(2, "salaries", "id"), catalog.Append, `[{"id":1,"salary":"a secret"}]`)
}

func newDataset(project int64, name string, key ...string) string {
	made, err := store.CreateDataset(context.Background(), storage.NewDataset{ProjectID: project, Name: name, Key: key},
		storage.Request{})
	must(err)
	return made.Dataset.ID
}

func commit(dataset string, mode catalog.Mode, body string) {
	path := store.Scratch("upload")
	must(os.WriteFile(path, []byte(body), 0o644))
	defer os.Remove(path)
	_, err := store.Commit(context.Background(), dataset, storage.Change{
		Mode: mode, Upload: intake.Upload{
			Format: intake.JSON, Path: filepath.Clean(path), Size: int64(len(body)),
		}, Request: storage.Request{User: "eva"},
	})
	must(err)
}

func version(dataset string) {
	n, by := storage.NewVersion{Part: "patch", Force: true}, storage.Request{User: "eva"}
	_, err := store.Increment(context.Background(), dataset, n, by)
	must(err)
}

// client is a client that fails its test if it leaks memory.
type client struct {
	*testing.T
	*flightsql.Client
	mem *memory.CheckedAllocator
}

func dial(t *testing.T, addr string, options ...grpc.DialOption) *client {
	t.Helper()
	c, err := flightsql.NewClient(addr, nil, nil,
		append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	c.Alloc = mem
	t.Cleanup(func() { c.Close(); mem.AssertSize(t, 0) })
	return &client{t, c, mem}
}

// other starts another server on the same store.
func other(t *testing.T, o flight.Options) string {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	o.Memory = mem
	addr, stop, err := serve(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); mem.AssertSize(t, 0) })
	return addr
}

func header(pairs ...string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), pairs...)
}

// answer is the result of a statement.
type answer struct {
	lines   []string // a JSON object for each row
	schema  *arrow.Schema
	last    string // the last message's app metadata
	trailer metadata.MD
	batches []int64
}

// ask runs a statement, and checks that its result has the schema that was announced.
func (c *client) ask(ctx context.Context, sql string) (answer, error) {
	c.Helper()
	info, err := c.Execute(ctx, sql)
	if err != nil {
		return answer{}, err
	}
	return c.fetch(ctx, info)
}

// fetch reads the result of a FlightInfo.
func (c *client) fetch(ctx context.Context, info *arrowflight.FlightInfo) (out answer, err error) {
	c.Helper()
	announced, err := arrowflight.DeserializeSchema(info.Schema, c.mem)
	if err != nil {
		c.Fatal(err)
	}
	if len(info.Endpoint) != 1 {
		c.Fatalf("%d endpoints", len(info.Endpoint))
	}
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket, grpc.Trailer(&out.trailer))
	if err != nil {
		return out, err
	}
	defer r.Release()
	if !r.Schema().Equal(announced) {
		c.Errorf("announced %s, and it is %s", announced, r.Schema())
	}
	out.schema = r.Schema()
	for r.Next() {
		out.last = string(r.LatestAppMetadata())
		out.batches = append(out.batches, r.RecordBatch().NumRows())
		out.lines = append(out.lines, lines(c.T, r.RecordBatch())...)
	}
	return out, r.Err()
}

func lines(t *testing.T, b arrow.RecordBatch) (out []string) {
	t.Helper()
	if b.NumRows() > 1000 {
		return nil
	}
	text, err := b.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		var line bytes.Buffer
		if err := json.Compact(&line, row); err != nil {
			t.Fatal(err)
		}
		out = append(out, line.String())
	}
	return out
}

// expect runs a statement and compares its result with lines.
func (c *client) expect(sql string, want ...string) {
	c.Helper()
	got, err := c.ask(context.Background(), sql)
	if err != nil || strings.Join(got.lines, "\n") != strings.Join(want, "\n") {
		c.Errorf("%s\n gave %s, %v\n want %s", sql, strings.Join(got.lines, "\n"), err, strings.Join(want, "\n"))
	}
}

// refused checks an error's code, and that its message contains a text.
func refused(t *testing.T, what string, err error, code codes.Code, part string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), part) {
		t.Errorf("%s: %v; want %s: … %s …", what, err, code, part)
	}
}

// fact returns a fact of an error.
func fact(err error, name string) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && name == "reason" {
			return info.Reason
		} else if ok {
			return info.Metadata[name]
		}
	}
	return ""
}

// batch creates a batch from JSON rows.
func (c *client) batch(s *arrow.Schema, rows string) arrow.RecordBatch {
	c.Helper()
	b, _, err := array.RecordFromJSON(c.mem, s, strings.NewReader(rows))
	if err != nil {
		c.Fatal(err)
	}
	return b
}

func drop(t *testing.T, dataset string) {
	t.Helper()
	if err := store.DeleteDataset(context.Background(), dataset, storage.Request{}); err != nil {
		t.Error(err)
	}
}
