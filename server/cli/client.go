package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rowback/rowback/storage/fault"
)

// remote is the server that a command talks to.
type remote struct {
	Server  string `help:"${server}" placeholder:"URL" group:"Global flags"`
	APIKey  string `name:"api-key" help:"${api_key}" placeholder:"TOKEN" group:"Global flags"`
	Profile string `help:"Use the server and token of this profile." placeholder:"NAME" group:"Global flags"`
}

// dataset is a dataset on a server.
type datasetFlags struct {
	remote
	Dataset   string     `short:"d" help:"Name or id of the dataset." required:"" placeholder:"NAME"`
	ProjectID projectRef `help:"${of_project}" default:"1" aliases:"project" placeholder:"NAME"`
}

// path returns the URL path of a resource of the dataset.
func (d datasetFlags) path(parts ...any) string {
	path := "/api/v1/datasets/" + url.PathEscape(d.Dataset)
	for _, p := range parts {
		path += "/" + url.PathEscape(fmt.Sprint(p))
	}
	return path
}

// query returns the query of a request for the dataset, with its project.
func (d datasetFlags) query() url.Values {
	return url.Values{"project_id": {fmt.Sprint(d.ProjectID)}}
}

// problem is an error answer.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`

	Played    []actionAnswer   `json:"played"` // of a merge that has conflicts
	Conflicts []conflictAnswer `json:"conflicts"`

	Gates []gateResult `json:"gates"` // that were not passed

	hadToken bool // whether the request had one
}

// Error is the server's own sentence, which says what to do, in the words of the command line.
func (p *problem) Error() string { return p.hinted() }

// Is reports whether the server refused with target: its code is all that comes over the wire, and no two refusals that
// are told apart share one.
func (p *problem) Is(target error) bool {
	refused, ok := target.(*fault.Error)
	return ok && refused.Code == p.Code
}

// send sends a request and returns the answer if it is a success, otherwise its problem as an error.
func (r remote) send(req *http.Request) (*http.Response, error) {
	if r.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+r.APIKey)
	}
	if r.isNear() {
		req.Header.Set("Accept-Encoding", "identity") // by default, net/http asks for gzip
	}
	client := &http.Client{CheckRedirect: checkRedirect}
	res, err := client.Do(req) // #nosec G704 -- the command line asks the server that its user names
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, exitError{exitUnavailable, unreached(r.Server, err)}
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	p := problemIn(text, "the server answered "+res.Status)
	p.Status, p.hadToken = res.StatusCode, r.APIKey != ""
	return nil, p
}

// checkRedirect refuses to follow a server to another one, which would get the token and the records that are sent: on
// another host or port, or without encryption.
func checkRedirect(to *http.Request, via []*http.Request) error {
	from := via[0].URL
	isSame := to.URL.Scheme == from.Scheme && to.URL.Host == from.Host
	isUpgrade := from.Scheme == "http" && to.URL.Scheme == "https" && to.URL.Hostname() == from.Hostname() &&
		from.Port() == "" && to.URL.Port() == ""
	if !isSame && !isUpgrade {
		return fmt.Errorf("it sends to another server, %s://%s. If you trust that one, name it with --server",
			to.URL.Scheme, to.URL.Host)
	}
	if len(via) > 10 {
		return errors.New("it redirects again and again")
	}
	return nil
}

// isNear reports whether the server is on this machine, so that compressing answers would only take time.
func (r remote) isNear() bool {
	u, err := url.Parse(r.Server)
	return err == nil && isLoopback(u.Hostname())
}

// problemIn parses a problem; if there is none, otherwise is its detail.
func problemIn(text []byte, otherwise string) *problem {
	p := &problem{}
	if json.Unmarshal(text, p) != nil || p.Detail == "" {
		p.Detail = otherwise
	}
	return p
}

// url returns the URL of a path on the server.
func (r remote) url(path string, query url.Values) string {
	full := strings.TrimRight(r.Server, "/") + path
	if len(query) > 0 {
		full += "?" + query.Encode()
	}
	return full
}

// get asks for JSON and reads it into out.
func (r remote) get(path string, query url.Values, out any) error {
	return r.call(http.MethodGet, path, query, nil, out)
}

// post sends JSON and reads the answer into out.
func (r remote) post(path string, query url.Values, body, out any) error {
	return r.call(http.MethodPost, path, query, body, out)
}

// request returns a request that sends JSON, or has no body if that is nil.
func (r remote) request(method, path string, query url.Values, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequest(method, r.url(path, query), nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, r.url(path, query), bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// call sends a request with JSON, or without a body if that is nil, and reads the answer into out, unless that is nil.
func (r remote) call(method, path string, query url.Values, body, out any) error {
	req, err := r.request(method, path, query, body)
	if err != nil {
		return err
	}
	if out != nil {
		return r.json(req, out)
	}
	res, err := r.send(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// json sends a request and decodes its answer.
func (r remote) json(req *http.Request, out any) error {
	req.Header.Set("Accept", "application/json")
	res, err := r.send(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(out)
}
