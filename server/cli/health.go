package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// healthCmd asks a server whether it can take a commit, for a supervisor without another client.
type healthCmd struct {
	Server  string        `help:"${server}" default:"http://127.0.0.1:8000" placeholder:"URL"`
	Timeout time.Duration `help:"How long to wait for the answer." default:"5s"`
}

// Run exits 0 where the server is ready.
func (cmd *healthCmd) Run(c console, ctx context.Context) error {
	server, err := serverURL(cmd.Server)
	if err != nil {
		return err
	}
	cmd.Server = server
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmd.Server+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := cmd.client().Do(req) // #nosec G704 -- the server that the user names
	if err != nil {
		return exitError{exitUnavailable, unreached(cmd.Server, err)}
	}
	defer res.Body.Close()
	var said struct {
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
		Detail  string `json:"detail,omitempty"`
	}
	if res.StatusCode != http.StatusOK {
		said.Detail = res.Status
		_ = json.NewDecoder(res.Body).Decode(&said) // a proxy's page is not one of our problems
		return fmt.Errorf("the server is not ready: %s", said.Detail)
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		return fmt.Errorf("the answer is not a Rowback server's: %w", err)
	}
	return c.answer(said, func() { c.println(said.Status, said.Version) })
}

// client does not ask a server on this machine for a certificate of its address: nothing secret is sent.
func (cmd *healthCmd) client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if (remote{Server: cmd.Server}).isNear() {
		transport.Proxy = nil
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // #nosec G402 -- see above
	}
	return &http.Client{Transport: transport}
}
