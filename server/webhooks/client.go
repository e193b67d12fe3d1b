package webhooks

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// maxAnswer is how much of a receiver's answer is read, bytes: so much that connections can be used again.
const maxAnswer = 64 << 10

// newClient returns a client that reaches public addresses and those that are allowed. It checks the address of each
// connection when it is made, so a name that resolves to another address later is no way around it. It follows no
// redirect and uses no proxy.
func newClient(allowed Allowed, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: allowed.dial, Proxy: nil, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConns: 64, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: timeout,
		},
	}
}

// dial connects to a host, if it is allowed or public.
func (a Allowed) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{}
	if !a.host(host) {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return a.check(at.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}

// outcome is what came of an attempt to send a message.
type outcome struct {
	status     int           // of the answer; 0: there was none
	problem    string        // why it was not delivered; empty: it was
	retryAfter time.Duration // how long the receiver asks to wait; 0: it does not
	took       time.Duration
}

// delivered reports whether the receiver has taken the message.
func (o outcome) delivered() bool { return o.problem == "" }

// post sends a message. Only the status of the answer counts, and nothing else of it is kept: a webhook is not a way
// to read what is at its URL.
func post(ctx context.Context, client *http.Client, url string, header http.Header, body []byte) (o outcome) {
	start := time.Now()
	defer func() { o.took = time.Since(start) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return outcome{problem: "The URL can't be used."}
	}
	req.Header = header
	res, err := client.Do(req)
	if err != nil {
		return outcome{problem: explain(err)}
	}
	defer res.Body.Close()
	// For the connection to be used again. A longer answer ends it, and so does one that takes too long.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // the status is known
	o.status = res.StatusCode
	switch {
	case o.status >= 200 && o.status < 300:
	case o.status >= 300 && o.status < 400:
		o.problem = "The receiver answered " + strconv.Itoa(o.status) + ". Redirects are not followed: change the URL."
	default:
		o.problem = "The receiver answered " + strconv.Itoa(o.status) + "."
		o.retryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	return o
}

// explain says why no answer came, without what only the server can know of its network.
func explain(err error) string {
	var dns *net.DNSError
	var wrongHost x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errNotAllowed):
		return "The host's address " + errNotAllowed.Error() + "."
	case errors.As(err, &dns):
		return "The host name could not be resolved."
	case errors.As(err, &wrongHost), errors.As(err, &unknown), errors.As(err, &invalid):
		return "The receiver's certificate is not valid."
	case errors.As(err, &timeout) && timeout.Timeout():
		return "The receiver did not answer in time."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The receiver refused the connection."
	}
	return "The connection to the receiver failed."
}
