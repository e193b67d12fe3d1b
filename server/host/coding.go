package host

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Answers are compressed for clients that ask for it (RFC 9110, section 12.5.3). Parquet files and archives are not,
// as they are compressed inside, unless the client accepts nothing else.

// worthwhile is from how many bytes on an answer is compressed: a shorter one takes a packet or two in any case.
const worthwhile = 1 << 10

// errNoCoding refuses a client that accepts no coding of ours, before any work is done for it.
var errNoCoding = fiber.NewError(http.StatusNotAcceptable,
	"Accept-Encoding accepts no coding that this server has. Accept gzip, zstd or identity.")

// errOnlyIdentity refuses a client that does not accept a file as it is.
var errOnlyIdentity = fiber.NewError(http.StatusNotAcceptable,
	"This file is sent as it is: it is compressed inside. Leave out identity;q=0 in Accept-Encoding.")

// packed are media types whose content is compressed already.
var packed = []string{"application/vnd.apache.parquet", "application/gzip", "application/x-tar", "image/png"}

// accepted are the content codings that a request names, with their weights.
type accepted map[string]float64

func acceptedBy(c *fiber.Ctx) accepted {
	out := accepted{}
	for part := range strings.SplitSeq(strings.ToLower(Header(c, "Accept-Encoding")), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		weight := 1.0
		for parameter := range strings.SplitSeq(parameters, ";") {
			if key, value, _ := strings.Cut(parameter, "="); strings.TrimSpace(key) == "q" {
				weight = weightOf(value)
			}
		}
		out[strings.TrimPrefix(strings.TrimSpace(name), "x-")] = weight
	}
	return out
}

// weightOf returns the weight that q= gives. What is not a number accepts nothing.
func weightOf(q string) float64 {
	weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
	if err != nil || math.IsNaN(weight) {
		return 0
	}
	return weight
}

// Accepts reports whether a weight in an Accept header accepts what it is given to.
func Accepts(q string) bool { return weightOf(q) > 0 }

// identity reports whether an answer may be sent as it is.
func (a accepted) identity() bool {
	weight, named := a["identity"]
	if !named {
		weight, named = a["*"]
	}
	return !named || weight > 0
}

// best returns the coding to use; empty: none, or none that we have. * stands for gzip, which every client knows.
func (a accepted) best() string {
	forGzip, named := a["gzip"]
	if !named {
		forGzip = a["*"]
	}
	forZstd := a["zstd"]
	switch most := max(forGzip, forZstd); {
	case most <= 0 || a["identity"] > most:
		return ""
	case forZstd == most:
		return "zstd"
	}
	return "gzip"
}

// coding returns the coding of an answer whose Content-Type is set; empty: as it is. optional: it may be sent so, too.
func coding(c *fiber.Ctx) (how string, optional bool) {
	asked := acceptedBy(c)
	media, _, _ := strings.Cut(string(c.Response().Header.ContentType()), ";")
	if optional = asked.identity(); optional && slices.Contains(packed, media) {
		return "", true
	}
	c.Vary("Accept-Encoding")
	return asked.best(), optional
}

// encode compresses an answer that is complete, if that makes it shorter. The one to HEAD gets the same headers.
func (h *Host) encode(c *fiber.Ctx) error {
	r := c.Response()
	if r.IsBodyStream() || len(r.Body()) == 0 || len(r.Header.ContentEncoding()) > 0 {
		return nil
	}
	body := r.Body()
	how, optional := coding(c)
	if how == "" || optional && len(body) < worthwhile {
		return nil
	}
	var out bytes.Buffer
	to := h.encoders.get(how, &out)
	defer h.encoders.put(how, to)
	_, err := to.Write(body)
	if err := errors.Join(err, to.Close()); err != nil || optional && out.Len() >= len(body) {
		return err
	}
	c.Set("Content-Encoding", how)
	r.SetBodyRaw(out.Bytes())
	return nil
}
