package flight_test

import (
	"context"
	"errors"
	"io"
	"testing"

	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/flight"
)

const one = "SELECT 1 AS one"

func TestTokens(t *testing.T) {
	c := dial(t, other(t, flight.Options{Gate: access.NewGate(access.Tokens{"t0": "eva", "t1": "max"}, nil)}))
	for _, b := range []struct {
		ctx context.Context
		ok  bool
	}{
		{context.Background(), false},
		{header("authorization", "Bearer wrong"), false},
		{header("authorization", "Bearer t0"), true},
		{header("authorization", "Basic ZXZhOnQw"), true},  // eva:t0
		{header("authorization", "Basic ZXZhOnQx"), false}, // eva:t1, which is max's
		{header("authorization", "Basic ZXZh"), false},
		{header("cookie", "token=t0"), false},
	} {
		_, err := c.ask(b.ctx, one)
		if b.ok && err != nil {
			t.Errorf("%v: %v", b.ctx, err)
		} else if !b.ok {
			refused(t, "an unknown user", err, codes.Unauthenticated, "Authentication required")
		}
	}
}

func TestEveryCallWantsAToken(t *testing.T) {
	c := dial(t, other(t, flight.Options{Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)}))
	ctx := context.Background()
	_, err := c.GetCatalogs(ctx)
	refused(t, "catalogs", err, codes.Unauthenticated, "")
	_, err = c.Prepare(ctx, one)
	refused(t, "prepare", err, codes.Unauthenticated, "")
	_, err = c.DoGet(ctx, &arrowflight.Ticket{Ticket: []byte("x")})
	refused(t, "get", err, codes.Unauthenticated, "")
	put, err := c.Client.Client.DoPut(ctx)
	if err == nil {
		_, err = put.Recv()
	}
	refused(t, "put", err, codes.Unauthenticated, "")
	actions, err := c.Client.Client.ListActions(ctx, &arrowflight.Empty{})
	if err == nil {
		_, err = actions.Recv()
	}
	refused(t, "list actions", err, codes.Unauthenticated, "")
}

func TestALoginGivesAToken(t *testing.T) {
	for _, tokens := range []access.Tokens{nil, {"t0": "eva"}} {
		c := dial(t, other(t, flight.Options{Gate: access.NewGate(tokens, nil)}))
		ctx, err := c.Client.Client.AuthenticateBasicToken(context.Background(), "eva", "t0")
		if err != nil {
			t.Fatal(err)
		}
		md, _ := metadata.FromOutgoingContext(ctx)
		if len(md.Get("authorization")) != 1 || md.Get("authorization")[0][:7] != "Bearer " {
			t.Fatal(md)
		}
		if _, err := c.ask(ctx, one); err != nil {
			t.Error(err)
		}
		logged := newDataset(1, "logged")
		c.put(ctx, `{"dataset":"logged","mode":"append"}`, `[{"a":1}]`)
		commits, err := store.Commits(ctx, logged, 1<<62, 1)
		if err != nil || commits[0].User != "eva" {
			t.Errorf("the commit's user is %v, %v", commits, err)
		}
		drop(t, logged)
	}
	locked := dial(t, other(t, flight.Options{Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)}))
	_, err := locked.Client.Client.AuthenticateBasicToken(context.Background(), "eva", "wrong")
	refused(t, "a wrong password", err, codes.Unauthenticated, "Authentication required")
}

func TestTheProjectOfASession(t *testing.T) {
	c := dial(t, address)
	got, err := c.ask(header("x-rowback-project", "2"), "SELECT salary FROM salaries")
	if err != nil || got.lines[0] != `{"salary":"a secret"}` {
		t.Error(got.lines, err)
	}
	_, err = c.ask(header("x-rowback-project", "zwei"), one)
	refused(t, "no number", err, codes.InvalidArgument, "x-rowback-project")
	_, err = c.ask(header("cookie", "rowback_project=-1"), one)
	refused(t, "a cookie of no project", err, codes.InvalidArgument, "cookie")
}

func TestSessionOptions(t *testing.T) {
	c, ctx := dial(t, address), context.Background()
	set := func(options map[string]any) (*arrowflight.SetSessionOptionsResult, metadata.MD) {
		values, err := arrowflight.NewSessionOptionValues(options)
		if err != nil {
			t.Fatal(err)
		}
		var trailer metadata.MD
		out, err := c.SetSessionOptions(ctx, &arrowflight.SetSessionOptionsRequest{SessionOptions: values},
			grpc.Trailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		return out, trailer
	}
	out, trailer := set(map[string]any{"catalog": "2", "nosuch": true})
	if len(trailer.Get("set-cookie")) != 1 || len(out.Errors) != 1 ||
		out.Errors["nosuch"].Value != arrowflight.SetSessionOptionsResultErrorInvalidName {
		t.Fatal(out, trailer)
	}
	out, _ = set(map[string]any{"catalog": "zwei"})
	if out.Errors["catalog"].Value != arrowflight.SetSessionOptionsResultErrorInvalidValue {
		t.Error(out)
	}
	session := header("cookie", trailer.Get("set-cookie")[0])
	if _, err := c.ask(session, "SELECT salary FROM salaries"); err != nil {
		t.Error(err)
	}
	options, err := c.GetSessionOptions(session, &arrowflight.GetSessionOptionsRequest{})
	if err != nil || options.SessionOptions["catalog"].GetStringValue() != "2" {
		t.Error(options, err)
	}
	if _, err := c.CloseSession(session, &arrowflight.CloseSessionRequest{}); err != nil {
		t.Error(err)
	}
}

func TestAPreparedStatementIsItsUsersOwn(t *testing.T) {
	c := dial(t, other(t, flight.Options{Gate: access.NewGate(access.Tokens{"t0": "eva", "t1": "max"}, nil)}))
	eva, max := header("authorization", "Bearer t0"), header("authorization", "Bearer t1")
	p, err := c.Prepare(eva, one)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Execute(max)
	refused(t, "another user's", err, codes.NotFound, "is another user's")
	if err := p.Close(max); err != nil {
		t.Error(err)
	}
	p, err = c.Prepare(eva, one)
	if err != nil {
		t.Fatal(err)
	}
	info, err := p.Execute(eva)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.fetch(eva, info); err != nil || len(got.lines) != 1 {
		t.Error(got.lines, err)
	}
	if err := p.Close(eva); err != nil {
		t.Error(err)
	}
}

// JDBC's driver shakes hands with the token that it was given.
func TestATokenShakesHands(t *testing.T) {
	c := dial(t, other(t, flight.Options{Gate: access.NewGate(access.Tokens{"t0": "eva"}, nil)}))
	shake := func(authorization string) ([]string, error) {
		stream, err := c.Client.Client.Handshake(header("authorization", authorization))
		if err != nil {
			return nil, err
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			return nil, err
		}
		md, err := stream.Header()
		return md.Get("authorization"), err
	}
	if got, err := shake("Bearer t0"); err != nil || len(got) != 1 || got[0] != "Bearer t0" {
		t.Error(got, err)
	}
	_, err := shake("Bearer wrong")
	refused(t, "a wrong token", err, codes.Unauthenticated, "Authentication required")
}
