package spark

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/query/spark/connect"
	"github.com/rowback/rowback/storage/fault"
)

// fake is an engine that answers as it is told.
type fake struct {
	connect.UnimplementedSparkConnectServiceServer
	answer func(*connect.ExecutePlanRequest, connect.SparkConnectService_ExecutePlanServer) error

	mu       sync.Mutex
	sessions map[string]string // what was done last in each
}

func (f *fake) note(session, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[session] = what
}

func (f *fake) Config(_ context.Context, in *connect.ConfigRequest) (*connect.ConfigResponse, error) {
	f.note(in.SessionId, "set")
	return &connect.ConfigResponse{}, nil
}

func (f *fake) ExecutePlan(in *connect.ExecutePlanRequest, out connect.SparkConnectService_ExecutePlanServer) error {
	f.note(in.SessionId, "run")
	return f.answer(in, out)
}

func (f *fake) Interrupt(_ context.Context, in *connect.InterruptRequest) (*connect.InterruptResponse, error) {
	f.note(in.SessionId, "interrupted")
	return &connect.InterruptResponse{}, nil
}

func (f *fake) ReleaseSession(_ context.Context, in *connect.ReleaseSessionRequest) (*connect.ReleaseSessionResponse, error) {
	f.note(in.SessionId, "released")
	return &connect.ReleaseSessionResponse{}, nil
}

// serve starts the fake, and returns an engine that asks it.
func (f *fake) serve(t *testing.T) *Engine {
	t.Helper()
	f.sessions = map[string]string{}
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxSendMsgSize(math.MaxInt32))
	connect.RegisterSparkConnectServiceServer(server, f)
	go server.Serve(at) //nolint:errcheck // it is stopped
	t.Cleanup(server.Stop)
	e, err := New(Address{Host: at.Addr().String(), user: "someone"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// batch is an answer with a column of numbers from 0.
func batch(name string, rows, said int64) *connect.ExecutePlanResponse {
	s := arrow.NewSchema([]arrow.Field{{Name: name, Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(i)
	}
	record := b.NewRecordBatch()
	defer record.Release()
	var text bytes.Buffer
	w := ipc.NewWriter(&text, ipc.WithSchema(s))
	if err := errors.Join(w.Write(record), w.Close()); err != nil {
		panic(err)
	}
	return raw(text.Bytes(), said)
}

func raw(data []byte, rows int64) *connect.ExecutePlanResponse {
	return &connect.ExecutePlanResponse{ResponseType: &connect.ExecutePlanResponse_ArrowBatch_{
		ArrowBatch: &connect.ExecutePlanResponse_ArrowBatch{RowCount: rows, Data: data},
	}}
}

// rowsOf reads a query to its end.
func rowsOf(ctx context.Context, e *Engine, q Query) (rows int64, err error) {
	r, err := e.Run(ctx, q)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for {
		batches, err := r.Next()
		for _, b := range batches {
			rows += b.NumRows()
			b.Release()
		}
		if err != nil || len(batches) == 0 {
			return rows, err
		}
	}
}

func TestResultsAreReadToTheirEnd(t *testing.T) {
	f := &fake{answer: func(in *connect.ExecutePlanRequest, out connect.SparkConnectService_ExecutePlanServer) error {
		with := in.GetPlan().GetRoot().GetLimit().GetInput().GetWithRelations()
		table := with.GetReferences()[0].GetSubqueryAlias()
		if with.GetRoot().GetSql().GetQuery() != "SELECT * FROM a" || table.GetAlias() != "a" ||
			table.GetInput().GetRead().GetDataSource().GetPaths()[0] != "file:///x" || in.GetUserContext().GetUserId() != "someone" {
			return status.Error(codes.Internal, in.String())
		}
		for _, answer := range []*connect.ExecutePlanResponse{{}, batch("n", 3, 3), batch("n", 0, 0), {}, batch("n", 4, 4), {}} {
			if err := out.Send(answer); err != nil {
				return err
			}
		}
		return nil
	}}
	e, limit := f.serve(t), int64(7)
	q := Query{SQL: "SELECT * FROM a", Tables: []Table{{"a", Iceberg, "file:///x"}}, Limit: &limit}
	if rows, err := rowsOf(t.Context(), e, q); rows != 7 || err != nil {
		t.Errorf("%d rows, %v", rows, err)
	}
	f.ends(t, "released")
}

// ends waits until each session has ended.
func (f *fake) ends(t *testing.T, how string) {
	t.Helper()
	for range 500 {
		f.mu.Lock()
		left := 0
		for _, what := range f.sessions {
			if what != how {
				left++
			}
		}
		done := len(f.sessions) > 0 && left == 0
		f.mu.Unlock()
		if done {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("sessions are not %s: %v", how, f.sessions)
}

// blame is an error as Spark returns it.
func blame(class, text string) error {
	s, err := status.New(codes.Internal, text).WithDetails(&errdetails.ErrorInfo{
		Reason: class, Metadata: map[string]string{"classes": `["` + class + `","java.lang.Exception"]`},
	})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

// An engine that fails in any way fails the statement with an error that says whose fault it is, and its session ends.
func TestEnginesThatFail(t *testing.T) {
	send := func(answers ...*connect.ExecutePlanResponse) func(connect.SparkConnectService_ExecutePlanServer) error {
		return func(out connect.SparkConnectService_ExecutePlanServer) error {
			for _, a := range answers {
				if err := out.Send(a); err != nil {
					return err
				}
			}
			return nil
		}
	}
	then := func(first func(connect.SparkConnectService_ExecutePlanServer) error, err error) func(connect.SparkConnectService_ExecutePlanServer) error {
		return func(out connect.SparkConnectService_ExecutePlanServer) error {
			return errors.Join(first(out), err)
		}
	}
	cut := batch("n", 3, 3)
	for name, c := range map[string]struct {
		answer func(connect.SparkConnectService_ExecutePlanServer) error
		code   string
	}{
		"nothing":           {send(), "engine_failed"},
		"garbage":           {send(raw([]byte("garbage, and more of it"), 1)), "engine_failed"},
		"half a batch":      {send(raw(cut.GetArrowBatch().Data[:200], 3)), "engine_failed"},
		"fewer rows":        {send(batch("n", 3, 4)), "engine_failed"},
		"another schema":    {send(batch("n", 3, 3), batch("m", 3, 3)), "engine_failed"},
		"lost in between":   {then(send(batch("n", 3, 3)), status.Error(codes.Unavailable, "gone")), "engine_unavailable"},
		"a huge batch":      {send(raw(make([]byte, maxMessage+1), 1)), "engine_failed"},
		"no token":          {then(send(), status.Error(codes.Unauthenticated, "no")), "engine_unavailable"},
		"wrong statement":   {then(send(), blame("org.apache.spark.sql.AnalysisException", "[X] no column\nplan")), "invalid_sql"},
		"a job that failed": {then(send(), blame("org.apache.spark.SparkException", "Job aborted at /secret/path")), "engine_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{answer: func(_ *connect.ExecutePlanRequest, out connect.SparkConnectService_ExecutePlanServer) error {
				return c.answer(out)
			}}
			_, err := rowsOf(t.Context(), f.serve(t), Query{SQL: "SELECT 1"})
			var refused *fault.Error
			if !errors.As(err, &refused) || refused.Code != c.code || strings.Contains(refused.Detail, "secret") ||
				strings.Contains(refused.Detail, "plan") {
				t.Errorf("%v", err)
			}
			f.ends(t, "released")
		})
	}
}

// A statement whose client leaves, or whose time is up, is ended on the engine too.
func TestStatementsThatAreEnded(t *testing.T) {
	gone := make(chan struct{})
	f := &fake{answer: func(_ *connect.ExecutePlanRequest, out connect.SparkConnectService_ExecutePlanServer) error {
		if err := out.Send(batch("n", 3, 3)); err != nil {
			return err
		}
		<-out.Context().Done()
		close(gone)
		return nil
	}}
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := f.serve(t).Run(ctx, Query{SQL: "SELECT 1"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Next()
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	first[0].Release()
	why := errors.New("the client left")
	cancel(why)
	if _, err := r.Next(); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	<-gone
	r.Close()
	f.ends(t, "released")
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]Address{
		"sc://host":         {Host: "host:15002", user: "rowback"},
		"sc://host:1/":      {Host: "host:1", user: "rowback"},
		"sc://[::1]:15002/": {Host: "[::1]:15002", user: "rowback"},
		"sc://h/;use_ssl=true;token=a%3Db;user_id=me": {Host: "h:15002", TLS: true, token: "a=b", user: "me"},
	} {
		if got, err := ParseAddress(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "host:15002", "http://host", "sc://", "sc://:1", "sc://host:0", "sc://host:x", "sc://u:hidden@host", "sc://host?token=hidden",
		"sc://host/;token=hidden", "sc://host/;use_ssl=2", "sc://host/;hidden=1", "sc://host/;token=%zz", "sc://ho st\x00hidden",
	} {
		if got, err := ParseAddress(text); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
