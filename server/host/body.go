package host

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/rowback/rowback/server/conns"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/fault"
)

// bodyStream is a request's body as it arrives. fasthttp ends it the same way whether the client finished or
// disconnected, so the stream finds out itself: it counts bytes if the request has a Content-Length, and otherwise asks
// the connection.
type bodyStream struct {
	from   io.Reader
	left   int64       // bytes still to come; -1: unknown
	conn   *conns.Conn // nil: not from our pool
	ended  bool
	failed error
}

var errGone = &fault.Error{
	Kind: fault.Malformed, Code: "incomplete_body", Detail: "The body ended before it was complete.",
}

var errStalled = fiber.NewError(fiber.StatusRequestTimeout,
	"No part of the body arrived within the server's limit (--body-timeout). Send the request again.")

// bodyOf returns the request's body, the same stream for every call. Bodies that fasthttp has read already, as in
// tests, end with their last byte.
func bodyOf(c *fiber.Ctx) *bodyStream {
	if s, ok := c.Locals(streamKey).(*bodyStream); ok {
		return s
	}
	s := &bodyStream{from: c.Context().RequestBodyStream(), left: int64(c.Request().Header.ContentLength())}
	if s.from == nil {
		s.from, s.left = bytes.NewReader(c.Request().Body()), -1
	} else {
		s.conn = conns.Of(c.Context().Conn())
	}
	c.Locals(streamKey, s)
	return s
}

// HasBody reports whether the request has a body that is not empty. It takes the body's first byte.
func HasBody(c *fiber.Ctx) (bool, error) {
	n, err := io.ReadFull(bodyOf(c), make([]byte, 1))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n > 0, err
}

// Read reads the body. An end before its time is errGone, or errStalled where the client was too slow; it stays so.
func (s *bodyStream) Read(p []byte) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if s.ended {
		return 0, io.EOF
	}
	n, err := s.from.Read(p)
	// -1 stays: a chunked body has no length to count down.
	if s.left > 0 {
		s.left -= int64(n)
	}
	switch {
	case err == nil:
	// Only a body with all of its bytes has ended; every other end is the connection's.
	case errors.Is(err, io.EOF) && s.left <= 0 && !s.cut():
		s.ended = true
	case s.conn != nil && s.conn.Stalled():
		s.failed = errStalled
		err = errStalled
	default:
		s.failed = errGone
		err = errGone
	}
	return n, err
}

// cut reports whether a body without a Content-Length ended because its connection did.
func (s *bodyStream) cut() bool { return s.left < 0 && s.conn != nil && s.conn.Ended() }

// drain reads what the handler left of the body, up to most bytes, so that it is not mistaken for the next request on
// the connection. done is false if there is more, or if the body can't be read.
func (s *bodyStream) drain(most int64) (done bool) {
	// The answer waits for this, so a body that pauses gets less time than before.
	if s.conn != nil {
		s.conn.AwaitRest()
	}
	if _, err := io.CopyN(io.Discard, s, most); errors.Is(err, io.EOF) {
		return true
	}
	return s.ended
}

// Body returns a request's body as it arrives. A body that is cut short ends in an error.
func (h *Host) Body(c *fiber.Ctx) io.Reader { return bodyOf(c) }

// ReadBody reads a request's whole body, of up to most bytes. Reading it again returns the same bytes.
func (h *Host) ReadBody(c *fiber.Ctx, most int64) ([]byte, error) {
	// The limit of the first reading counts: a handler may read a large body and leave it to others to decode.
	if body, ok := c.Locals(bodyKey).([]byte); ok {
		return body, nil
	}
	tooLarge := fiber.NewError(fiber.StatusRequestEntityTooLarge, fmt.Sprintf("The body is larger than %d bytes.", most))
	// Refused by its header, before anything is read.
	if int64(c.Request().Header.ContentLength()) > most {
		return nil, tooLarge
	}
	mine, _ := c.Locals(heldKey).(*held)
	// One more than allowed shows that there is too much.
	body, err := io.ReadAll(io.LimitReader(&metered{from: bodyOf(c), held: mine}, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > most {
		return nil, tooLarge
	}
	c.Locals(bodyKey, body)
	h.renewDeadline(c)
	return body, nil
}

// Sent is a body as a client sent it, perhaps compressed.
type Sent struct {
	SHA256 string
	Bytes  int64
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (n *counter) Write(p []byte) (int, error) { *n += counter(len(p)); return len(p), nil }

// CopyBody writes a request's body, decompressed, and returns its size, and what was sent. A body that is larger than
// Limits.MaxUpload is refused.
func (h *Host) CopyBody(c *fiber.Ctx, out io.Writer) (size int64, sent Sent, err error) {
	in, sum, bytes := bodyOf(c), sha256.New(), new(counter)
	encoding := strings.ToLower(strings.TrimSpace(c.Get("Content-Encoding")))
	// The fingerprint is of the body as sent: it identifies the request, and a client may compress differently each
	// time.
	raw := bufio.NewReader(io.TeeReader(in, io.MultiWriter(sum, bytes)))
	if encoding == "" || encoding == "identity" {
		encoding = encodingOf(raw)
	}
	plain, err := decompress(encoding, raw)
	if err != nil {
		return 0, sent, err
	}
	size, err = io.Copy(out, io.LimitReader(plain, h.options.Limits.MaxUpload+1))
	switch {
	// First: a decompressor reports a body that was cut as damaged.
	case in.failed != nil:
		return size, sent, in.failed
	case size > h.options.Limits.MaxUpload:
		return size, sent, fiber.NewError(fiber.StatusRequestEntityTooLarge,
			fmt.Sprintf("The records are larger than %d bytes (--max-upload). Send them in parts.", h.options.Limits.MaxUpload))
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return size, sent, fault.Errorf(fault.Invalid, "zstd_window",
			"The body's zstd window is larger than %d bytes. Compress it without --long and --ultra.", maxWindow)
	// What has no other explanation comes from the decompressor, so the body is to blame. A full disk is explained.
	case err != nil && encoding != "" && fault.KindOf(storage.Explain(err)) == fault.Internal:
		return size, sent, malformed("The %s body is incomplete or damaged: %s.", encoding, err)
	}
	h.renewDeadline(c)
	return size, Sent{hex.EncodeToString(sum.Sum(nil)), int64(*bytes)}, err
}

// malformed returns the refusal of a body that can't be decoded.
func malformed(format string, parts ...any) error {
	return &fault.Error{Kind: fault.Malformed, Code: "malformed_body", Detail: fmt.Sprintf(format, parts...)}
}

// maxWindow is how far back a zstd body may refer, in bytes: each request's decoder keeps that much. Every decoder must
// support that size (RFC 8878, section 3.1.1.1.2).
const maxWindow = 8 << 20

// encodingOf returns the Content-Encoding that a body has by its first bytes: no format of records begins so. Many
// clients send a compressed file as it is.
func encodingOf(in *bufio.Reader) string {
	start, _ := in.Peek(4) // an error comes again when the body is read
	switch {
	case bytes.HasPrefix(start, []byte("\x1f\x8b\x08")):
		return "gzip"
	case bytes.Equal(start, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	}
	return ""
}

// decompress undoes a Content-Encoding.
func decompress(encoding string, in io.Reader) (io.Reader, error) {
	switch encoding {
	case "", "identity":
		return in, nil
	case "gzip", "x-gzip":
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, malformed("The body is not gzip, as its Content-Encoding says.")
		}
		return r, nil
	case "zstd":
		// The decoder takes an empty body for an empty frame.
		all := bufio.NewReader(in)
		if _, err := all.Peek(1); err != nil { // an empty body is not valid zstd either
			return nil, malformed("The body is not zstd, as its Content-Encoding says.")
		}
		r, err := zstd.NewReader(all, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return r.IOReadCloser(), nil
	}
	return nil, fiber.NewError(fiber.StatusUnsupportedMediaType,
		fmt.Sprintf("Content-Encoding %q is not supported. Use gzip or zstd, or none.", encoding))
}
