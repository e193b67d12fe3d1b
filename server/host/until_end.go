package host

import (
	"net"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/rowback/rowback/server/conns"
)

// sendUntilEnd answers an HTTP/1.0 client, which does not support chunks: the body ends with the connection. A body
// that is cut ends with a reset, so that no one mistakes a part for the whole.
func sendUntilEnd(c *fiber.Ctx, body *resultStream) error {
	var head fasthttp.ResponseHeader
	c.Response().Header.CopyTo(&head)
	head.SetProtocol([]byte("HTTP/1.0"))
	head.SetStatusCode(http.StatusOK)
	head.SetContentLength(-2) // no length; the connection is closed at the end
	head.Del("Transfer-Encoding")
	own := conns.Of(c.Context().Conn())
	// fasthttp would write headers of its own, for HTTP/1.1.
	c.Context().HijackSetNoResponse(true)
	c.Context().Hijack(func(conn net.Conn) {
		defer body.Close()
		err := recovered(func() error {
			if _, err := conn.Write(head.Header()); err != nil {
				return err
			}
			_, err := body.writeTo(conn)
			return err
		})
		if own != nil && err != nil {
			own.Reset()
		}
	})
	return nil
}
