package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/server/access"
)

// without are the ways in which someone stops being let in.
var without = map[string]func(w *accessWorld, t *testing.T, user, token string){
	"removed": func(w *accessWorld, t *testing.T, user, _ string) {
		w.root(t, 204, "DELETE", "/api/v1/users/"+user, "")
	},
	"disabled": func(w *accessWorld, t *testing.T, user, _ string) {
		w.root(t, 200, "PATCH", "/api/v1/users/"+user, `{"is_disabled":true}`)
	},
	"revoked": func(w *accessWorld, t *testing.T, user, _ string) {
		list := w.root(t, 200, "GET", "/api/v1/tokens?user="+user, "")["tokens"].([]any)
		w.root(t, 204, "DELETE", "/api/v1/tokens/"+list[0].(map[string]any)["id"].(string), "")
	},
	"demoted": func(w *accessWorld, t *testing.T, user, _ string) {
		w.root(t, 200, "PUT", "/api/v1/users/"+user+"/roles", `{"roles":[]}`)
	},
}

// large is a statement whose result no client reads to its end.
const large = "SELECT range AS i, repeat('x', 1000) AS x FROM range(100000000)"

// What is being sent to someone who is not let in any more is cut, over HTTP, whether it is a statement's result or a
// stored file, and over Flight; what others read goes on.
func TestADownloadEndsWithWhatItsUserMay(t *testing.T) {
	w := newAccessWorld(t)
	w.serveFlight(t)
	at := w.listen(t)
	w.fillLarge(t, at)
	others := w.download(t, at, w.user(t, "stays", access.Roles{own: access.Reader}), false)
	tokens, open, isFlight := map[string]string{}, map[string]func() error{}, false
	for name := range without {
		token := w.user(t, name, access.Roles{own: access.Reader})
		tokens[name] = token
		open[name+", a file"] = w.download(t, at, token, false)
		if isFlight = !isFlight; isFlight { // there are places for four statements
			open[name+", a statement by Flight"] = w.downloadByFlight(t, token)
		} else {
			open[name+", a statement"] = w.download(t, at, token, true)
		}
	}
	for name, end := range without {
		end(w, t, name, tokens[name])
	}
	var reading sync.WaitGroup
	for what, part := range open {
		reading.Go(func() {
			if err := untilItEnds(part); errors.Is(err, io.EOF) {
				t.Errorf("%s: it was sent to its end", what)
			} else if strings.Contains(what, "Flight") && !strings.Contains(err.Error(), "withdrawn") {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	reading.Wait()
	if said := w.log.count("access was withdrawn"); said != len(without)/2 { // the statements; files are not logged
		t.Errorf("%d of %d statements over HTTP were cut for that", said, len(without)/2)
	}
	for range 5 {
		if err := others(); err != nil {
			t.Fatal("the download of someone else:", err)
		}
	}
}

// listen serves the HTTP faces on a port, and returns its address.
func (w *accessWorld) listen(t *testing.T) (at string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go w.app.Listener(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { w.app.ShutdownWithTimeout(time.Second) })
	return "http://" + listener.Addr().String()
}

// fillLarge commits records whose file is larger than what sockets hold.
func (w *accessWorld) fillLarge(t *testing.T, at string) {
	t.Helper()
	var body bytes.Buffer
	random := make([]byte, 96<<10)
	for i := range 200 {
		rand.Read(random)
		fmt.Fprintf(&body, `{"id":%d,"v":"%s"}`+"\n", 1000+i, base64.StdEncoding.EncodeToString(random))
	}
	request, err := http.NewRequest("POST", at+"/api/v1/datasets/"+w.ids[own]+"/commits?mode=overwrite", &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Authorization", "Bearer "+rootToken)
	made, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	made.Body.Close()
	if made.StatusCode != 201 {
		t.Fatal(made.Status)
	}
}

// narrow is a client whose sockets hold little, so that what it has not read was not sent.
var narrow = &http.Client{Transport: &http.Transport{
	DisableCompression: true, // or megabytes of the same letter would be few
	DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
			failed := raw.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10)
			})
			return errors.Join(failed, err)
		}}
		return d.DialContext(ctx, network, address)
	},
}}

// download begins a download, and returns what reads a part of it slowly.
func (w *accessWorld) download(t *testing.T, at, token string, ofStatement bool) (part func() error) {
	t.Helper()
	method, target, body := "GET", "/api/v1/datasets/"+w.ids[own]+"/data.parquet", ""
	if ofStatement {
		method, target, body = "POST", "/api/v1/query?format=ndjson", fmt.Sprintf(`{"sql":%q}`, large)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, at+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := narrow.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 {
		t.Fatal(target, answer.Status)
	}
	room := make([]byte, 64<<10)
	return func() (err error) {
		for n, got := 0, 0; n < len(room) && err == nil; n += got {
			got, err = answer.Body.Read(room[n:])
		}
		return err
	}
}

// downloadByFlight is download of a statement over Flight.
func (w *accessWorld) downloadByFlight(t *testing.T, token string) (part func() error) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	info, err := w.flight.GetFlightInfo(ctx, &pb.FlightDescriptor{
		Type: pb.FlightDescriptor_CMD, Cmd: command("CommandStatementQuery", fmt.Sprintf(`{"query":%q}`, large)),
	})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := w.flight.DoGet(ctx, info.GetEndpoint()[0].GetTicket())
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		_, err := stream.Recv()
		return err
	}
}

// untilItEnds reads a download slowly, and returns why it ended.
func untilItEnds(part func() error) error {
	for {
		if err := part(); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Records that arrive over Flight are not committed for someone who was removed, or lost the role, meanwhile.
func TestAUserRemovedDuringAPut(t *testing.T) {
	w := newAccessWorld(t)
	w.serveFlight(t)
	for name, code := range map[string]codes.Code{
		"removed": codes.NotFound, "revoked": codes.NotFound, "demoted": codes.NotFound, "made a reader": codes.PermissionDenied,
	} {
		token := w.user(t, name, access.Roles{own: access.Writer})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		stream, err := w.flight.DoPut(ctx)
		if err != nil {
			t.Fatal(err)
		}
		to := arrowflight.NewRecordWriter(stream, ipc.WithSchema(widePeople))
		to.SetFlightDescriptor(&pb.FlightDescriptor{
			Type: pb.FlightDescriptor_CMD, Cmd: []byte(`{"dataset":"d","mode":"append"}`),
		})
		for i := range 5 { // more than the window of a stream: once it is sent, the server is reading
			writeWide(t, to, int64(100+i))
		}
		if end := without[name]; end != nil {
			end(w, t, name, token)
		} else {
			w.root(t, 200, "PUT", "/api/v1/users/made%20a%20reader/roles", `{"roles":[{"project":"1","role":"reader"}]}`)
		}
		writeWide(t, to, 200)
		if err := errors.Join(to.Close(), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != code {
			t.Errorf("%s: %v, want %s", name, err, code)
		}
	}
	w.unchanged(t)
}

// widePeople are records of megabytes.
var widePeople = arrow.NewSchema(
	[]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "v", Type: arrow.BinaryTypes.String}}, nil)

// writeWide sends one record of two megabytes.
func writeWide(t *testing.T, to *arrowflight.Writer, id int64) {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, widePeople)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).Append(id)
	b.Field(1).(*array.StringBuilder).Append(strings.Repeat("x", 2<<20))
	rows := b.NewRecordBatch()
	defer rows.Release()
	if err := to.Write(rows); err != nil {
		t.Fatal(err)
	}
}
