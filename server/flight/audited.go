package flight

import (
	"context"
	"path"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rowback/rowback/server/audit"
	"github.com/rowback/rowback/server/conns"
)

// auditedAs are the methods whose calls are recorded, and as what; of the others, refused ones are.
var auditedAs = map[string]string{"DoPut": audit.Write, "DoGet": audit.Query, "Handshake": audit.Login}

// record adds a call to the audit log, if it belongs there.
func (f *Face) record(ctx context.Context, full string, err error) {
	method := "unknown"
	if f.methods[full] {
		method = path.Base(full)
	}
	kind, of := auditedAs[method], audit.Of(ctx)
	if kind == audit.Query && !of.HasStatement() {
		kind = "" // it gets what the server is and has
	}
	code := status.Code(err)
	switch code {
	case codes.Unauthenticated, codes.PermissionDenied, codes.ResourceExhausted:
		if kind == "" {
			kind = audit.Read
		}
	}
	if kind == "" {
		of.Skip()
		return
	}
	who := callerOf(ctx)
	of.Answered(func(e *audit.Entry) {
		e.Kind, e.Route, e.Status, e.Code = kind, method, int(code), reasonOf(err)
		e.User, e.Token, e.Session = who.User, who.Token, who.Session
		if from := conns.Network(addressOf(ctx)); from.IsValid() {
			e.Address = from.String()
		}
	})
}

// reasonOf returns the code of a refusal: that of the fault, or gRPC's name.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return status.Code(err).String()
}

// recordable refuses a write that could not be recorded.
func (f *Face) recordable(full string) error {
	if path.Base(full) != "DoPut" {
		return nil
	}
	return f.options.Audit.Ready()
}

// auditFiles returns what gives a caller's statements the table rowback.audit; nil: it is not for them.
func (f *Face) auditFiles(ctx context.Context) func() ([]string, error) {
	if f.options.Audit == nil || !callerOf(ctx).IsAdmin() {
		return nil
	}
	return f.options.Audit.Files
}
