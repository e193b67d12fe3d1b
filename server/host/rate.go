package host

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/access"
)

// unlimited are the paths that supervisors and monitoring ask for.
var unlimited = []string{"/healthz", "/readyz", "/metrics"}

// inRate refuses a request over the limit of its user, token or address. All answers say how much the strictest of
// these leaves.
func (h *Host) inRate(c *fiber.Ctx) error {
	if h.options.Rates == nil || slices.Contains(unlimited, c.Path()) {
		return nil
	}
	caller, _ := h.Identify(c)
	d := h.options.Rates.Take(caller, h.options.Gate.IsOpen())
	c.Set("RateLimit-Policy", d.Policy())
	c.Set("RateLimit", d.State())
	if d.Allowed {
		return nil
	}
	return &Refusal{
		http.StatusTooManyRequests, "rate_limited",
		fmt.Sprintf("Too many requests (%s). Send the next one in %s, and send fewer.", d.Option, access.WaitText(d.Retry)),
		d.Retry,
	}
}
