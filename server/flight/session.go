package flight

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/storage/fault"
)

// A session is the project that a client has chosen with the session option catalog. The client keeps its number
// itself, in a cookie; the header x-rowback-project takes precedence. A project is named by its number, or by the name
// that it has.
const (
	projectHeader = "x-rowback-project"
	projectCookie = "rowback_project"
	catalogOption = "catalog"
)

// project returns the project in which a call's names are looked up: 1 by default.
func (f *Face) project(ctx context.Context) (int64, error) {
	text, where := headerOf(ctx, projectHeader), "the header "+projectHeader
	if text == "" {
		text, where = cookieOf(ctx), "the session's cookie"
	}
	if text == "" {
		return 1, nil
	}
	return f.projectNumber(ctx, text, where)
}

// projectNumber returns the number of a project that a client names. One of which the caller is not to know is refused
// as one that there is not.
func (f *Face) projectNumber(ctx context.Context, named, where string) (int64, error) {
	id, err := strconv.ParseInt(named, 10, 64)
	switch {
	case err == nil && id > 0:
		return id, nil
	case err == nil || errors.Is(err, strconv.ErrRange) || f.options.Projects == nil:
		return 0, malformed("%s has %q, which is not a project. A project is a number from 1.", where, clip(named))
	}
	id, err = f.options.Projects(ctx, named)
	if fault.KindOf(err) == fault.NotFound || err == nil && (id == 0 || callerOf(ctx).Role(id) == access.None) {
		return 0, refuse(fault.Invalid, "invalid_field",
			"%s has the unknown project '%s'. Send a project's number or its name.", where, clip(named))
	}
	return id, err
}

// cookieOf returns the project in the call's cookie; empty if there is none.
func cookieOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	r := http.Request{Header: http.Header{"Cookie": md.Get("cookie")}}
	c, err := r.Cookie(projectCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// keep makes the client keep a project in its cookie; empty: forget it.
func keep(ctx context.Context, project string) error {
	// It names a project, to a Flight client: Secure would have clients without TLS drop it.
	c := http.Cookie{Name: projectCookie, Value: project} // #nosec G124 -- not a secret, and not for browsers
	if project == "" {
		c.MaxAge = -1
	}
	return grpc.SetTrailer(ctx, metadata.Pairs("set-cookie", c.String()))
}

// SetSessionOptions chooses the project, with the option catalog.
func (f *Face) SetSessionOptions(
	ctx context.Context, in *flight.SetSessionOptionsRequest,
) (*flight.SetSessionOptionsResult, error) {
	out := &flight.SetSessionOptionsResult{Errors: map[string]*flight.SetSessionOptionsResultError{}}
	for name, value := range in.GetSessionOptions() {
		if name != catalogOption {
			out.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidName}
			continue
		}
		text := value.GetStringValue()
		if n := value.GetInt64Value(); n != 0 {
			text = strconv.FormatInt(n, 10)
		}
		if text != "" {
			id, err := f.projectNumber(ctx, text, "")
			if err != nil {
				out.Errors[name] = &flight.SetSessionOptionsResultError{Value: flight.SetSessionOptionsResultErrorInvalidValue}
				continue
			}
			text = strconv.FormatInt(id, 10)
		}
		if err := keep(ctx, text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// GetSessionOptions returns the project.
func (f *Face) GetSessionOptions(
	ctx context.Context, _ *flight.GetSessionOptionsRequest,
) (*flight.GetSessionOptionsResult, error) {
	id, err := f.project(ctx)
	if err != nil {
		return nil, err
	}
	options, err := flight.NewSessionOptionValues(map[string]any{
		catalogOption: strconv.FormatInt(id, 10), "schema": datasetsSchema,
	})
	return &flight.GetSessionOptionsResult{SessionOptions: options}, err
}

// CloseSession forgets the project.
func (f *Face) CloseSession(ctx context.Context, _ *flight.CloseSessionRequest) (*flight.CloseSessionResult, error) {
	return &flight.CloseSessionResult{Status: flight.CloseSessionResultClosed}, keep(ctx, "")
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
