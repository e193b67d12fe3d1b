package cli

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/rowback/rowback/server/profile"
)

// defaultServer is the server that a command talks to if nothing else is said.
const defaultServer = "http://127.0.0.1:8000"

// serverURL returns the URL of a server that is written as a URL or as host:port. Without a scheme, a name of this
// machine is asked by http, and all others by https: a token must not travel in the clear because of a scheme that was
// left out.
func serverURL(text string) (string, error) {
	full := text
	if !strings.Contains(text, "://") {
		full = "https://" + text
		if u, err := url.Parse(full); err == nil && isLoopback(u.Hostname()) {
			full = "http://" + text
		}
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", exitError{exitUsage, fmt.Errorf("--server %s: write it as host:port, or as https://host:port", text)}
	}
	return strings.TrimRight(full, "/"), nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// connect decides which server the command talks to, and with which token: those that it was given, or else those of a
// profile. The token of a profile goes to no other server than the profile's.
func (r *remote) connect() error {
	known, err := r.profiles()
	if err != nil {
		return err
	}
	found, err := known.Of(r.Profile)
	if err != nil {
		return exitError{exitNotFound, err}
	}
	if r.Server == "" {
		r.Server = found.Server
	}
	if r.Server == "" {
		r.Server = defaultServer
	}
	if r.Server, err = serverURL(r.Server); err != nil {
		return err
	}
	if found.Server != r.Server && r.Profile == "" {
		found = known.At(r.Server)
	}
	if r.APIKey == "" && found.Server == r.Server {
		r.APIKey = found.Token
	}
	return nil
}

// profiles reads the user's profiles, unless the command line has everything.
func (r *remote) profiles() (profile.Profiles, error) {
	if r.Server != "" && r.APIKey != "" && r.Profile == "" {
		return profile.Profiles{}, nil
	}
	path, err := profile.Path()
	if err != nil { // without a home there is no profile
		return profile.Profiles{}, nil
	}
	return profile.Load(path)
}
