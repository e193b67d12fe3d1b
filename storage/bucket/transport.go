package bucket

import (
	"context"
	"net"
	"net/http"
	"time"
)

// transport returns a transport whose connections fail where nothing moves for so long: a peer that is gone without a
// word, or that sends a byte now and then, must not keep a request.
func transport(silence time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: silence / 2, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &watched{conn, silence}, nil
		},
		MaxIdleConnsPerHost: 64, IdleConnTimeout: silence / 2, TLSHandshakeTimeout: silence / 2,
		ResponseHeaderTimeout: silence, ExpectContinueTimeout: time.Second,
		DisableCompression: true, // sizes and checksums are those of the objects
		WriteBufferSize:    64 << 10, ReadBufferSize: 64 << 10,
	}
}

// watched is a connection whose every read and write has a deadline.
type watched struct {
	net.Conn
	silence time.Duration
}

// Read reads.
func (c *watched) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write writes.
func (c *watched) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
