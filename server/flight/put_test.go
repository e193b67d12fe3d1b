package flight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc/codes"

	"github.com/rowback/rowback/server/calls"
	"github.com/rowback/rowback/server/flight"
	"github.com/rowback/rowback/server/view"
)

// people are the records that the tests send.
var people = arrow.NewSchema(
	[]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
	},
	nil)

// put sends records, with a command, and returns the answer's metadata.
func (c *client) tryPut(ctx context.Context, command string, batches ...arrow.RecordBatch) (string, error) {
	c.Helper()
	stream, err := c.Client.Client.DoPut(ctx)
	if err != nil {
		c.Fatal(err)
	}
	s := people
	if len(batches) > 0 {
		s = batches[0].Schema()
	}
	w := arrowflight.NewRecordWriter(stream, ipc.WithSchema(s), ipc.WithAllocator(c.mem))
	w.SetFlightDescriptor(&arrowflight.FlightDescriptor{Type: arrowflight.DescriptorCMD, Cmd: []byte(command)})
	for _, b := range batches {
		if err := w.Write(b); err != nil && !errors.Is(err, io.EOF) { // a refusal, which Recv tells
			c.Fatal(err)
		}
	}
	w.Close()
	stream.CloseSend()
	result, err := stream.Recv()
	if err != nil {
		return "", err
	}
	_, err = stream.Recv()
	if !errors.Is(err, io.EOF) {
		c.Errorf("after the answer: %v", err)
	}
	return string(result.AppMetadata), nil
}

// put sends JSON rows, which must be taken, and returns the commit.
func (c *client) put(ctx context.Context, command, rows string) (v view.Commit) {
	c.Helper()
	s := people
	if !strings.Contains(rows, `"id"`) {
		s = arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int32}}, nil)
	}
	b := c.batch(s, rows)
	defer b.Release()
	text, err := c.tryPut(ctx, command, b)
	if err != nil {
		c.Fatal(command, err)
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		c.Fatal(text, err)
	}
	return v
}

func TestPutInEachMode(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "put", "id")
	t.Cleanup(func() { drop(t, id) })
	for _, b := range []struct {
		command, rows            string
		added, modified, removed int64
		total                    int64
	}{
		{`{"dataset":"put","mode":"append","message":"first","metadata":{"from":"flight"}}`,
			`[{"id":1,"name":"Ada"},{"id":2,"name":"Ben"}]`, 2, 0, 0, 2},
		{`{"dataset":"put","mode":"upsert","project_id":1}`, `[{"id":2,"name":"Bea"},{"id":3,"name":null}]`, 1, 1, 0, 3},
		{`{"dataset":"` + id + `","mode":"delete"}`, `[{"id":1}]`, 0, 0, 1, 2},
		{`{"dataset":"put","mode":"overwrite"}`, `[{"id":3,"name":"Zoe"}]`, 0, 1, 0, 2},
	} {
		v := c.put(context.Background(), b.command, b.rows)
		if v.RecordsAdded != b.added || v.RecordsModified != b.modified || v.RecordsRemoved != b.removed ||
			v.RecordsTotal != b.total || v.DatasetID != id {
			t.Errorf("%s: %+v", b.command, v)
		}
		if b.added == 2 && (v.Message != "first" || string(v.Metadata) != `{"from":"flight"}`) {
			t.Errorf("%s: message %q, metadata %s", b.command, v.Message, v.Metadata)
		}
	}
	c.expect("SELECT id, name FROM put ORDER BY id", `{"id":2,"name":"Bea"}`, `{"id":3,"name":"Zoe"}`)
}

func TestTypesGoInAndComeBack(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "typed")
	t.Cleanup(func() { drop(t, id) })
	s := arrow.NewSchema([]arrow.Field{
		{Name: "word", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
			Nullable: true},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Nullable: true},
		{Name: "seen", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "home", Type: arrow.StructOf(arrow.Field{Name: "city", Type: arrow.BinaryTypes.String, Nullable: true}),
			Nullable: true},
		{Name: "never", Type: arrow.Null, Nullable: true},
	}, nil)
	b := c.batch(s,
		`[{"word":"yes","price":"1.50","seen":"2026-01-02T03:04:05Z","tags":["a",null],"home":{"city":"Oslo"}},`+
			`{"word":null,"price":null,"seen":null,"tags":null,"home":null},{"word":"yes"}]`)
	defer b.Release()
	if _, err := c.tryPut(context.Background(), `{"dataset":"typed","mode":"append"}`, b); err != nil {
		t.Fatal(err)
	}
	got, err := c.ask(context.Background(), "SELECT word, price, seen, tags, home, never FROM typed ORDER BY _id")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"home":{"city":"Oslo"},"never":null,"price":"1.5",` +
		`"seen":"2026-01-02T03:04:05Z","tags":["a",null],"word":"yes"}
{"home":null,"never":null,"price":null,"seen":null,"tags":null,"word":null}
{"home":null,"never":null,"price":null,"seen":null,"tags":null,"word":"yes"}`
	same(t, "what came back", strings.Join(got.lines, "\n"), want)
}

func TestWhatAPutRefuses(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "refusing", "id")
	t.Cleanup(func() { drop(t, id) })
	b := c.batch(people, `[{"id":1,"name":"Ada"},{"id":1,"name":"Ben"}]`)
	defer b.Release()
	for _, r := range []struct {
		command string
		code    codes.Code
		part    string
	}{
		{"", codes.InvalidArgument, "has no command"},
		{`{`, codes.InvalidArgument, "The command can't be read"},
		{`{"dataset":"refusing","mode":"append","nosuch":1}`, codes.InvalidArgument, "nosuch"},
		{`{"mode":"append"}`, codes.InvalidArgument, "dataset: is required"},
		{`{"dataset":"refusing"}`, codes.InvalidArgument, "mode: must be"},
		{`{"dataset":"refusing","mode":"insert"}`, codes.InvalidArgument, "mode: must be"},
		{`{"dataset":"nosuch","mode":"append"}`, codes.NotFound, "'nosuch' not found"},
		{`{"dataset":"refusing","mode":"append","project_id":2}`, codes.NotFound, "not found in project 2"},
		{`{"dataset":"refusing","mode":"append","expected_head":77}`, codes.Aborted, ""},
		{`{"dataset":"refusing","mode":"append"}`, codes.InvalidArgument, ""}, // a key twice
		{`nonsense`, codes.InvalidArgument, ""},
	} {
		_, err := c.tryPut(context.Background(), r.command, b)
		refused(t, r.command, err, r.code, r.part)
	}
	c.expect("SELECT count(*) AS n FROM refusing", `{"n":0}`)
}

func TestAPutThatIsCutCommitsNothing(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "cut", "id")
	t.Cleanup(func() { drop(t, id) })
	b := c.batch(people, `[{"id":1,"name":"Ada"}]`)
	defer b.Release()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := c.Client.Client.DoPut(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w := arrowflight.NewRecordWriter(stream, ipc.WithSchema(people), ipc.WithAllocator(c.mem))
	w.SetFlightDescriptor(&arrowflight.FlightDescriptor{
		Type: arrowflight.DescriptorCMD, Cmd: []byte(`{"dataset":"cut","mode":"append"}`),
	})
	if err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = stream.Recv()
	refused(t, "a put that was cut", err, codes.Canceled, "")
	w.Close()
	c.expect("SELECT count(*) AS n FROM cut", `{"n":0}`)
}

func TestAPutThatIsTooLarge(t *testing.T) {
	c := dial(t, other(t, flight.Options{Limits: calls.Limits{MaxUpload: 10_000}}))
	id := newDataset(1, "bounded")
	t.Cleanup(func() { drop(t, id) })
	b := c.batch(people, `[{"id":1,"name":"`+strings.Repeat("x", 20_000)+`"}]`)
	defer b.Release()
	_, err := c.tryPut(context.Background(), `{"dataset":"bounded","mode":"append"}`, b)
	refused(t, "more than --max-upload", err, codes.ResourceExhausted, "--max-upload")
}

func TestAPutHappensOnce(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "once")
	t.Cleanup(func() { drop(t, id) })
	ctx := header("idempotency-key", "the same key")
	command := `{"dataset":"once","mode":"append"}`
	first := c.put(ctx, command, `[{"id":1,"name":"Ada"}]`)
	again := c.put(ctx, command, `[{"id":1,"name":"Ada"}]`)
	if first.ID != again.ID || first.Hash != again.Hash {
		t.Errorf("%+v, and again %+v", first, again)
	}
	c.expect("SELECT count(*) AS n FROM once", `{"n":1}`)
	b := c.batch(people, `[{"id":2,"name":"Ben"}]`)
	defer b.Release()
	_, err := c.tryPut(ctx, command, b)
	refused(t, "other records under the same key", err, codes.InvalidArgument, "was used for another request")
}

// ingest sends rows as a bulk ingest.
func (c *client) ingest(ctx context.Context, o *flightsql.ExecuteIngestOpts, rows string) (int64, error) {
	c.Helper()
	b := c.batch(people, rows)
	defer b.Release()
	r, err := array.NewRecordReader(people, []arrow.RecordBatch{b})
	if err != nil {
		c.Fatal(err)
	}
	defer r.Release()
	return c.ExecuteIngest(ctx, r, o)
}

func TestAnIngestHappensOnce(t *testing.T) {
	c := dial(t, address)
	ingest := func(rows string, headers ...string) (int64, error) {
		return c.ingest(header(append(headers, "idempotency-key", "make it")...),
			&flightsql.ExecuteIngestOpts{Table: "made once", TableDefinitionOptions: &flightsql.TableDefinitionOptions{
				IfExists:   flightsql.TableDefinitionOptionsTableExistsOptionFail,
				IfNotExist: flightsql.TableDefinitionOptionsTableNotExistOptionCreate,
			}}, rows)
	}
	for range 2 {
		if n, err := ingest(`[{"id":1}]`); err != nil || n != 1 {
			t.Errorf("%d records, %v", n, err)
		}
	}
	_, err := ingest(`[{"id":1}]`, "x-rowback-message", "another")
	refused(t, "other headers under the same key", err, codes.InvalidArgument, "was used for another request")
	_, err = ingest(`[{"id":1}]`, "x-rowback-project", "2")
	refused(t, "another project under the same key", err, codes.InvalidArgument, "was used for another request")
	c.expect(`SELECT count(*) AS n FROM "made once"`, `{"n":1}`)
	d, err := store.FindDataset(context.Background(), 1, "made once")
	if err != nil {
		t.Fatal(err)
	}
	drop(t, d.ID)
}

// A mode that changes records makes a dataset as append does, but a delete has nothing to delete there.
func TestAnIngestMakesADatasetInEveryModeButDelete(t *testing.T) {
	c := dial(t, address)
	ingest := func(mode string) (int64, error) {
		return c.ingest(header("x-rowback-mode", mode, "x-rowback-key", "id"),
			&flightsql.ExecuteIngestOpts{Table: "made by " + mode, TableDefinitionOptions: &flightsql.TableDefinitionOptions{
				IfExists:   flightsql.TableDefinitionOptionsTableExistsOptionAppend,
				IfNotExist: flightsql.TableDefinitionOptionsTableNotExistOptionCreate,
			}}, `[{"id":1}]`)
	}
	_, err := ingest("delete")
	refused(t, "a delete", err, codes.NotFound, "'made by delete' not found")
	for _, mode := range []string{"append", "overwrite", "upsert", "replace"} {
		if n, err := ingest(mode); err != nil || n != 1 {
			t.Errorf("%s: %d records, %v", mode, n, err)
			continue
		}
		d, err := store.FindDataset(context.Background(), 1, "made by "+mode)
		if err != nil {
			t.Fatal(err)
		}
		drop(t, d.ID)
	}
}

func TestIngest(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	t.Cleanup(func() {
		for _, name := range []string{"ingested", "keyed"} {
			d, err := store.FindDataset(ctx, 1, name)
			if err != nil {
				t.Error(err)
			}
			drop(t, d.ID)
		}
	})
	table := func(exists flightsql.TableDefinitionOptionsTableExistsOption,
		missing flightsql.TableDefinitionOptionsTableNotExistOption) *flightsql.TableDefinitionOptions {
		return &flightsql.TableDefinitionOptions{IfExists: exists, IfNotExist: missing}
	}
	const (
		fails   = flightsql.TableDefinitionOptionsTableExistsOptionFail
		appends = flightsql.TableDefinitionOptionsTableExistsOptionAppend
		wants   = flightsql.TableDefinitionOptionsTableNotExistOptionFail
		makes   = flightsql.TableDefinitionOptionsTableNotExistOptionCreate
	)
	schema, catalog := "datasets", "1"
	for i, b := range []struct {
		ctx  context.Context
		o    *flightsql.ExecuteIngestOpts
		rows string
		n    int64
		code codes.Code
		part string
	}{
		{ctx, &flightsql.ExecuteIngestOpts{Table: "ingested", TableDefinitionOptions: table(appends, wants)}, `[{"id":1}]`, 0,
			codes.NotFound, "'ingested' not found"},
		{ctx, &flightsql.ExecuteIngestOpts{Table: "ingested", TableDefinitionOptions: table(fails, makes)},
			`[{"id":1},{"id":2}]`, 2, codes.OK, ""},
		{ctx, &flightsql.ExecuteIngestOpts{Table: "ingested", TableDefinitionOptions: table(fails, makes)}, `[{"id":1}]`, 0,
			codes.AlreadyExists, "Append to it"},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "ingested", Schema: &schema, Catalog: &catalog, TableDefinitionOptions: table(appends, wants),
			},
			`[{"id":3}]`, 1, codes.OK, ""},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "ingested", TableDefinitionOptions: table(flightsql.TableDefinitionOptionsTableExistsOptionReplace, makes),
			},
			`[{"id":3}]`, 0, codes.Unimplemented, "mode=overwrite"},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "ingested", TableDefinitionOptions: table(appends, wants),
				Options: map[string]string{"mode": "append", "message": "more"},
			},
			`[{"id":4}]`, 1, codes.OK, ""},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "keyed", TableDefinitionOptions: table(appends, makes),
				Options: map[string]string{"key": "id", "metadata": `{"a":1}`},
			},
			`[{"id":1},{"id":2}]`, 2, codes.OK, ""},
		{header("x-rowback-mode", "upsert"),
			&flightsql.ExecuteIngestOpts{Table: "keyed", TableDefinitionOptions: table(appends, makes)},
			`[{"id":2,"name":"Ben"}]`, 1, codes.OK, ""},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "keyed", TableDefinitionOptions: table(appends, wants), Options: map[string]string{"mode": "merge"},
			},
			`[{"id":1}]`, 0, codes.InvalidArgument, "mode: must be"},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "keyed", TableDefinitionOptions: table(appends, wants), Options: map[string]string{"nosuch": ""},
			},
			`[{"id":1}]`, 0, codes.InvalidArgument, "no option"},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "keyed", TableDefinitionOptions: table(appends, wants), Options: map[string]string{"metadata": "{"},
			},
			`[{"id":1}]`, 0, codes.InvalidArgument, "must be JSON"},
		{ctx, &flightsql.ExecuteIngestOpts{Table: "keyed@1.0.0", TableDefinitionOptions: table(appends, wants)}, `[{"id":1}]`,
			0, codes.InvalidArgument, "never changes"},
		{ctx, &flightsql.ExecuteIngestOpts{Table: "keyed", Temporary: true, TableDefinitionOptions: table(appends, wants)},
			`[{"id":1}]`, 0, codes.Unimplemented, "temporary"},
		{ctx, &flightsql.ExecuteIngestOpts{Table: "../keyed", TableDefinitionOptions: table(appends, makes)}, `[{"id":1}]`, 0,
			codes.InvalidArgument, "name"},
		{ctx,
			&flightsql.ExecuteIngestOpts{
				Table: "new", TableDefinitionOptions: table(fails, makes), Options: map[string]string{"key": "nosuch"},
			},
			`[{"id":1}]`, 0, codes.InvalidArgument, "nosuch"},
	} {
		n, err := c.ingest(b.ctx, b.o, b.rows)
		if b.code != codes.OK {
			refused(t, fmt.Sprint(i), err, b.code, b.part)
		} else if err != nil || n != b.n {
			t.Errorf("%d: %d records, %v; want %d", i, n, err, b.n)
		}
	}
	c.expect("SELECT sum(id)::BIGINT AS n FROM ingested", `{"n":10}`)
	c.expect("SELECT id, name FROM keyed ORDER BY id", `{"id":1,"name":null}`, `{"id":2,"name":"Ben"}`)
	c.expect("SELECT message FROM rowback.commits WHERE dataset = 'ingested' ORDER BY id DESC LIMIT 1",
		`{"message":"more"}`)
	if _, err := store.FindDataset(ctx, 1, "new"); err == nil {
		t.Error("a dataset was made by an ingest that was refused")
	}
}

func TestAnIngestOfMalformedMessages(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "whole")
	t.Cleanup(func() { drop(t, id) })
	for _, data := range []*arrowflight.FlightData{
		{DataHeader: []byte("no message")},
		{DataHeader: bytes.Repeat([]byte{0xff}, 64), DataBody: []byte("body")},
		{AppMetadata: []byte("only metadata")},
		{},
	} {
		stream, err := c.Client.Client.DoPut(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		data.FlightDescriptor = &arrowflight.FlightDescriptor{
			Type: arrowflight.DescriptorCMD, Cmd: []byte(`{"dataset":"whole","mode":"append"}`),
		}
		if err := stream.Send(data); err != nil {
			t.Fatal(err)
		}
		stream.CloseSend()
		_, err = stream.Recv()
		refused(t, data.String(), err, codes.InvalidArgument, "")
	}
}

// A second schema, in the middle of a stream.
func TestAPutOfTwoSchemas(t *testing.T) {
	c := dial(t, address)
	id := newDataset(1, "two schemas")
	t.Cleanup(func() { drop(t, id) })
	stream, err := c.Client.Client.DoPut(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []*arrow.Schema{
		people, arrow.NewSchema([]arrow.Field{{Name: "other", Type: arrow.BinaryTypes.String}}, nil),
	} {
		b := c.batch(s, []string{`[{"id":1,"name":"Ada"}]`, `[{"other":"x"}]`}[i])
		w := arrowflight.NewRecordWriter(stream, ipc.WithSchema(s), ipc.WithAllocator(c.mem))
		if i == 0 {
			w.SetFlightDescriptor(command([]byte(`{"dataset":"two schemas","mode":"append"}`)))
		}
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		b.Release()
		w.Close()
	}
	stream.CloseSend()
	_, err = stream.Recv()
	refused(t, "two schemas", err, codes.InvalidArgument, "")
	c.expect(`SELECT count(*) AS n FROM "two schemas"`, `{"n":0}`)
}
