package api

import (
	"fmt"
	"math"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/webhooks"
)

// listDeliveriesIn selects a page of messages.
type listDeliveriesIn struct {
	webhookIn
	pageIn
}

// deliveryView is a message to a webhook as clients see it.
type deliveryView struct {
	ID          int64      `json:"id"`
	EventID     string     `json:"event_id" description:"The header webhook-id of the message."`
	Kind        string     `json:"kind"`
	State       string     `json:"state" enum:"queued,delivered,failed,dropped"`
	Attempts    int        `json:"attempts"`
	Status      *int       `json:"status" description:"Of the receiver's last answer; null: there was none."`
	Problem     string     `json:"problem,omitempty" description:"Of the last attempt."`
	CreatedAt   time.Time  `json:"created_at"`
	LastAttempt *time.Time `json:"last_attempt_at"`
	NextAttempt *time.Time `json:"next_attempt_at" description:"Of a message that is queued."`
	Body        string     `json:"body" description:"What is sent; empty of one that was dropped."`
}

// deliveryList is a page of messages.
type deliveryList struct {
	Deliveries []deliveryView `json:"deliveries"`
	NextCursor *string        `json:"next_cursor"`
}

func viewDelivery(d webhooks.Delivery) deliveryView {
	v := deliveryView{
		ID: d.ID, EventID: d.Event, Kind: string(d.Kind), State: string(d.State), Attempts: d.Attempts,
		Status: statusOrNil(d.Status), Problem: d.Problem, CreatedAt: d.CreatedAt, LastAttempt: timeOrNil(d.LastAt),
		Body: d.Body,
	}
	if d.State == webhooks.Queued {
		v.NextAttempt = timeOrNil(d.NextAt)
	}
	return v
}

// listDeliveries lists messages, newest first. The cursor is an id.
func (a *API) listDeliveries(c *fiber.Ctx, all *webhooks.Hooks, h webhooks.Hook, in listDeliveriesIn) error {
	limit, err := in.limit()
	if err != nil {
		return err
	}
	before, err := in.afterCommit(math.MaxInt64)
	if err != nil {
		return err
	}
	list, err := all.Deliveries(h.ID, before, limit+1)
	if err != nil {
		return err
	}
	out := deliveryList{Deliveries: []deliveryView{}}
	for i, d := range list {
		if i == limit {
			out.NextCursor = cursor(fmt.Sprint(list[i-1].ID))
			break
		}
		out.Deliveries = append(out.Deliveries, viewDelivery(d))
	}
	return ok(c, out)
}

// oneDeliveryIn identifies a message.
type oneDeliveryIn struct {
	webhookIn
	Delivery string `path:"delivery" required:"true" json:"-"`
}

// redeliver queues a message once more.
func (a *API) redeliver(c *fiber.Ctx, all *webhooks.Hooks, h webhooks.Hook, in oneDeliveryIn) error {
	id, isNumber := pathNumber(in.Delivery)
	if !isNumber {
		return webhooks.ErrNoDelivery
	}
	d, err := all.Redeliver(c.UserContext(), h.ID, id)
	if err != nil {
		return err
	}
	return ok(c, viewDelivery(d))
}
