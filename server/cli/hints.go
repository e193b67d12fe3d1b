package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// hinted is the server's sentence with the remedy as the command line has it: the server names headers and fields of
// JSON, which its other clients send.
func (p *problem) hinted() string {
	switch {
	case p.Status == http.StatusUnauthorized && p.hadToken:
		return "the token is not valid, or not any more. Log in again with rowback login, or give another with --api-key"
	case p.Status == http.StatusUnauthorized:
		return "authentication required: log in with rowback login, or give a token with --api-key"
	}
	detail := p.Detail
	for _, said := range [][2]string{
		{`"force": true`, "--force"},
		{`"cascade": true`, "--cascade"},
		{`the policy "records" allows it`, "--policy records allows it"},
		{"?format=", "--format"},
		{"mode=delete", "--mode delete"},
		{"schema=strict", "--strict"},
	} {
		detail = strings.ReplaceAll(detail, said[0], said[1])
	}
	return detail
}

// unreached says that a server did not answer, and what that may come from.
func unreached(server string, err error) error {
	hint := ""
	switch text := err.Error(); {
	case strings.Contains(text, "gave HTTP response to HTTPS client"):
		hint = ". It does not encrypt: write http:// before its name"
	case errors.Is(err, io.EOF) && strings.HasPrefix(server, "http://"):
		hint = ". If it encrypts, write https:// before its name"
	case strings.Contains(text, "connection refused") && server == defaultServer:
		hint = ". Start one with rowback serve, or name another with --server"
	case strings.Contains(text, "connection refused"):
		hint = ". Does it run, and at this port?"
	case strings.Contains(text, "certificate signed by unknown authority"):
		hint = ". Its certificate is from an authority that this machine does not know: name the authority's file in " +
			"SSL_CERT_FILE"
	}
	return fmt.Errorf("the server at %s can't be reached: %w%s", server, err, hint)
}
