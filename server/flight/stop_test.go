package flight_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/rowback/rowback/server/flight"
)

func TestStoppingEndsWhatIsStillOpenWhenItsTimeIsOver(t *testing.T) {
	addr, face := start(t, flight.Options{})
	c := dial(t, addr)
	info, err := c.Execute(context.Background(), endless)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(context.Background(), info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	face.Stop(ctx)
	for r.Next() {
	}
	refused(t, "an open result", r.Err(), codes.Unavailable, "")
}
