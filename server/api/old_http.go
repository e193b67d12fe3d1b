package api

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// sendUntilEnd answers a client that speaks HTTP/1.0, which knows no chunks: the body ends with the connection. One that
// is cut is ended with a reset, so that no one takes a part for the whole. most is how long the client may take nothing.
func sendUntilEnd(c *fiber.Ctx, body *resultStream, most time.Duration) error {
	var head fasthttp.ResponseHeader
	c.Response().Header.CopyTo(&head)
	head.SetProtocol([]byte("HTTP/1.0"))
	head.SetStatusCode(http.StatusOK)
	head.SetContentLength(-2) // none, and the connection is closed
	head.Del("Transfer-Encoding")
	own := c.Context().Conn()
	c.Context().HijackSetNoResponse(true)
	c.Context().Hijack(func(conn net.Conn) {
		defer body.Close()
		out := patient{conn, most}
		_, err := out.Write(head.Header())
		if err == nil {
			_, err = io.Copy(out, struct{ io.Reader }{body})
		}
		if err != nil {
			reset(own)
		}
	})
	return nil
}

// patient is a connection whose other end may take nothing for so long.
type patient struct {
	net.Conn
	most time.Duration
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.most)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// reset has a connection end, when it is closed, in a way that the other end sees as an error.
func reset(conn net.Conn) {
	if tracked, ok := conn.(*trackedConn); ok {
		conn = tracked.Conn
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}
