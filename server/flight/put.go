package flight

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow/flight"
	gen "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/view"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

// DoPut accepts records: of a bulk ingest, or of our own JSON command. The library handles the rest, without
// their records.
func (s *service) DoPut(stream flight.FlightService_DoPutServer) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return malformed("The stream is empty. Begin with a schema, and a descriptor with a command.")
	}
	if err != nil {
		return incomplete(err)
	}
	cmd := first.GetFlightDescriptor().GetCmd()
	if len(cmd) == 0 {
		return malformed("The stream's descriptor has no command. Write one as JSON: %s", putExample)
	}
	in := &putStream{FlightService_DoPutServer: stream, first: first}
	if bytes.HasPrefix(bytes.TrimSpace(cmd), []byte("{")) {
		return s.face.put(in, cmd)
	}
	if ingest, ok := ingestOf(cmd); ok {
		return s.face.ingest(in, ingest)
	}
	if bind, ok := bindOf(cmd); ok {
		return s.face.bind(in, bind)
	}
	return s.FlightServer.DoPut(&putStream{
		FlightService_DoPutServer: drained{stream}, first: &flight.FlightData{FlightDescriptor: first.GetFlightDescriptor()},
	})
}

// drained is a stream whose records the library does not see: it would decode them in this process.
type drained struct {
	flight.FlightService_DoPutServer
}

func (drained) Recv() (*flight.FlightData, error) { return nil, io.EOF }

// putStream is a stream whose first message was read and is read again.
type putStream struct {
	flight.FlightService_DoPutServer
	first *flight.FlightData
}

func (s *putStream) Recv() (*flight.FlightData, error) {
	if first := s.first; first != nil {
		s.first = nil
		return first, nil
	}
	return s.FlightService_DoPutServer.Recv()
}

// ingestOf parses the command of a bulk ingest.
func ingestOf(cmd []byte) (*gen.CommandStatementIngest, bool) {
	in := &gen.CommandStatementIngest{}
	return in, isCommand(cmd, in)
}

// bindOf parses the command that binds the parameters of a prepared statement.
func bindOf(cmd []byte) (*gen.CommandPreparedStatementQuery, bool) {
	in := &gen.CommandPreparedStatementQuery{}
	return in, isCommand(cmd, in)
}

// isCommand reports whether a command is of that kind, and parses it.
func isCommand(cmd []byte, in proto.Message) bool {
	var packed anypb.Any
	return proto.Unmarshal(cmd, &packed) == nil && packed.UnmarshalTo(in) == nil
}

// putCommand says what to do with the records of a stream, as the query of POST …/commits does.
type putCommand struct {
	Dataset      string          `json:"dataset"` // id, or name in the project
	Project      projectRef      `json:"project_id"`
	Mode         string          `json:"mode"`
	Message      string          `json:"message"`
	Metadata     json.RawMessage `json:"metadata"`
	ExpectedHead *int64          `json:"expected_head"`

	project int64 // that Project names
}

// projectRef names a project in a command: by a number, or a text. Empty: it is not named.
type projectRef string

// UnmarshalJSON reads a number or a text.
func (p *projectRef) UnmarshalJSON(text []byte) error {
	var n json.Number
	if err := json.Unmarshal(text, &n); err == nil {
		*p = projectRef(n)
		return nil
	}
	return json.Unmarshal(text, (*string)(p))
}

const putExample = `{"dataset": "employees", "mode": "upsert"}.`

func (f *Face) readCommand(ctx context.Context, text []byte) (in putCommand, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, malformed(
			"The command can't be read: %s. Its fields are dataset, project_id, mode, message, metadata and expected_head, "+
				"as in %s",
			err, putExample)
	}
	if in.Dataset == "" {
		return in, refuse(fault.Invalid, "invalid_field", "dataset: is required, as in %s", putExample)
	}
	if _, err := modeOf(in.Mode); err != nil {
		return in, err
	}
	if in.Project == "" || in.Project == "0" {
		in.project, err = f.project(ctx)
	} else {
		in.project, err = f.projectNumber(ctx, string(in.Project), "project_id")
	}
	return in, err
}

func modeOf(text string) (catalog.Mode, error) {
	mode := catalog.Mode(text)
	switch mode {
	case catalog.Append, catalog.Overwrite, catalog.Upsert, catalog.Replace, catalog.Delete:
		return mode, nil
	}
	return "", refuse(fault.Invalid, "invalid_field", "mode: must be append, overwrite, upsert, replace or delete")
}

// put commits the records of a stream, and answers with the commit as JSON.
func (f *Face) put(stream *putStream, text []byte) error {
	in, err := f.readCommand(stream.Context(), text)
	if err != nil {
		return err
	}
	audit.Of(stream.Context()).Project(in.project)
	d, err := f.store.FindDataset(writing(stream.Context()), in.project, in.Dataset)
	if err != nil {
		return err
	}
	audit.Of(stream.Context()).Dataset(d.ID, d.Name, d.ProjectID)
	w := write{
		project: in.project, command: text, request: storage.Request{
			Message: in.Message, Metadata: in.Metadata, ExpectedHead: in.ExpectedHead,
		},
		do: func(ctx context.Context, c storage.Change) (catalog.Commit, error) {
			c.Mode = catalog.Mode(in.Mode)
			return f.store.Commit(ctx, d.ID, c)
		},
	}
	commit, err := f.run(stream, w)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(commit)
	if err != nil {
		return err
	}
	return stream.Send(&flight.PutResult{AppMetadata: answer})
}

// write is a change that a stream of records makes.
type write struct {
	project int64
	command []byte // of the stream and its headers, for its fingerprint
	request storage.Request
	do      func(ctx context.Context, c storage.Change) (catalog.Commit, error)
}

// commitAnswer returns the answer of a commit, as it is stored.
func commitAnswer(commit catalog.Commit) (json.RawMessage, error) {
	return json.Marshal(view.Of(commit))
}
