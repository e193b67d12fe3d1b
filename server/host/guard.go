package host

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/rowback/rowback/server/access"
	"github.com/rowback/rowback/server/conns"
)

// guard wraps everything that answers a request, including the router: a panic becomes an error of that one request,
// every answer has the security headers, and a body must not stall from here on.
func (h *Host) guard(s *fasthttp.Server) {
	handle, refuse := s.Handler, s.ErrorHandler
	s.Handler = func(ctx *fasthttp.RequestCtx) {
		h.open.Add(1)
		defer h.open.Add(-1)
		if conn := conns.Of(ctx.Conn()); conn != nil {
			// The header is complete: from here on the limit for bodies counts, not the one for headers.
			conn.AwaitBody()
		}
		h.guarded(ctx, func() error {
			// Fiber would answer in plain text, and with 400.
			if method := string(ctx.Method()); !slices.Contains(fiber.DefaultMethods, method) {
				return fiber.NewError(http.StatusMethodNotAllowed,
					fmt.Sprintf("%.20q is not an HTTP method that this server knows.", method))
			}
			handle(ctx)
			return nil
		})
	}
	s.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) {
		// Errors before any route: a header that is too large, or not HTTP.
		h.guarded(ctx, func() error { refuse(ctx, err); return nil })
	}
}

// guarded answers a request, and turns whatever goes wrong into an error answer.
func (h *Host) guarded(ctx *fasthttp.RequestCtx, answer func() error) {
	secure(&ctx.Response.Header)
	err := recovered(answer)
	if err == nil {
		return
	}
	// What the handler had begun to answer must not be mixed with the error.
	ctx.Response.Reset()
	secure(&ctx.Response.Header)
	status, body := h.problem(err, "")
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentType("application/problem+json")
	ctx.Response.SetBody(body)
	ctx.SetConnectionClose() // there may be more of a body
}

// securityHeaders are set on every answer that has none of its own: a browser does not embed it in another page, does
// not guess its type, runs no scripts in it, and keeps no copy.
var securityHeaders = [][2]string{
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Referrer-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// secure sets the security headers. Handlers may replace one, as pages do with their policy.
func secure(h *fasthttp.ResponseHeader) {
	for _, header := range securityHeaders {
		h.Set(header[0], header[1])
	}
}

// TooManyConnections returns the whole HTTP answer to a connection over the limit. It is written without the server,
// which has no room for the request.
func TooManyConnections() []byte {
	body := []byte(`{"type":"about:blank","title":"Service Unavailable","status":503,"code":"too_many_connections",` +
		`"detail":"The server has reached its connection limit. ` +
		`Close connections that you do not need, or try again in a few seconds."}`)
	var r fasthttp.Response
	secure(&r.Header)
	r.SetStatusCode(http.StatusServiceUnavailable)
	r.Header.SetContentType("application/problem+json")
	r.Header.Set("Retry-After", "5")
	r.SetConnectionClose()
	r.SetBody(body)
	return []byte(r.String())
}

// Refusal is an error answer that does not come from the domain. It is for what concerns the request and not the data:
// hosts, logins, limits.
type Refusal struct {
	Status       int
	Code, Detail string
	After        time.Duration // when to try again; 0: trying again does not help
}

// Error returns the sentence that the client sees.
func (r *Refusal) Error() string { return r.Detail }

// admitPage refuses a request that a web page of another site may have sent, and passes on all others.
func (h *Host) admitPage(c *fiber.Ctx) error {
	if h.options.Web == nil {
		return c.Next()
	}
	// the request line may have one too
	for _, host := range [][]byte{c.Request().Header.Host(), c.Request().URI().Host()} {
		if h.isStrange(c, string(host)) {
			return &Refusal{
				http.StatusForbidden, "host_not_allowed",
				fmt.Sprintf(
					"%.80q is not a name of this server. Use its address or localhost, "+
						"or start it with --host and the name.",
					host),
				0,
			}
		}
	}
	if c.Method() == http.MethodGet && c.Path() == LoginCallback || h.isLink(c) {
		return c.Next()
	}
	header := &c.Request().Header
	// Reads too: a page that could read would learn what the user's browser may see.
	if h.options.Web.Foreign(string(header.Host()), joined(header, "Origin"), joined(header, "Sec-Fetch-Site"),
		joined(header, "Referer")) {
		return &Refusal{
			http.StatusForbidden, "origin_not_allowed",
			"The request comes from a web page of another site (Origin, Sec-Fetch-Site or Referer), which may not use this " +
				"server. Send it from a program, or start the server with --host and the page's host name.",
			0,
		}
	}
	return c.Next()
}

// isLink reports whether a browser follows a link, as from a mail or a wiki, to a page that has no data in it and does
// nothing by being shown. Browsers set these headers, and no page can; the page that has the link sees nothing.
func (h *Host) isLink(c *fiber.Ctx) bool {
	header := &c.Request().Header
	return h.options.Linked != nil && h.options.Linked(c.Path()) && c.Method() == http.MethodGet &&
		joined(header, "Origin") == "" && joined(header, "Sec-Fetch-Mode") == "navigate" &&
		joined(header, "Sec-Fetch-Dest") == "document"
}

// isStrange reports whether a host is not one of the server's. Browsers always send one; HTTP/1.0 does not have it.
func (h *Host) isStrange(c *fiber.Ctx, host string) bool {
	if host == "" && !c.Request().Header.IsHTTP11() {
		return false
	}
	return !h.options.Web.Knows(host)
}

// joined returns all values of a header in one string: two values where one is allowed then match nothing. Fiber
// returns the first value only, and a second could be the one that a proxy looked at.
func joined(h *fasthttp.RequestHeader, name string) string {
	var all string
	for i, value := range h.PeekAll(name) {
		if i > 0 {
			all += ", "
		}
		all += string(value)
	}
	return all
}

// sendError sends an error in the format of the face that owns the path.
func (h *Host) sendError(c *fiber.Ctx, err error) error {
	var refused *Refusal
	if errors.As(err, &refused) && refused.After > 0 {
		c.Set("Retry-After", strconv.Itoa(int((refused.After+time.Second-1)/time.Second)))
	}
	// A face's own form also for errors that come before its handlers, since its clients read no other.
	for _, sender := range h.senders {
		if sender.Owns(c.Path()) {
			return sender.SendError(c, err)
		}
	}
	return h.sendProblem(c, err)
}

// tooMany is the answer to a client that has failed to log in too often.
func tooMany(err *access.TooManyError) error {
	return &Refusal{
		http.StatusTooManyRequests, "too_many_logins",
		fmt.Sprintf("Too many logins have failed. Wait %s, then try again with the right password.", access.WaitText(err.Wait)),
		err.Wait,
	}
}
