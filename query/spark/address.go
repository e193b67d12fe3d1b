package spark

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Address is where an engine is, and how it is spoken to: sc://host:port/;use_ssl=true;token=…;user_id=…
type Address struct {
	Host string // with the port
	TLS  bool

	token, user string
}

// defaultPort is that of Spark Connect.
const defaultPort = "15002"

// ParseAddress reads an address as clients of Spark Connect write it. Its errors do not repeat it, as it may have a
// token.
func ParseAddress(text string) (a Address, err error) {
	if !strings.HasPrefix(text, "sc://") {
		return a, errors.New("write the address of the engine as sc://host:15002")
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return a, errors.New("the address of the engine can't be read; write it as sc://host:15002/;use_ssl=true;token=…")
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return a, errors.New("the port of the engine must be from 1 to 65535")
	}
	a = Address{Host: net.JoinHostPort(u.Hostname(), port), user: "rowback"}
	return a, a.read(strings.TrimPrefix(u.EscapedPath(), "/"))
}

// read reads what follows the port.
func (a *Address) read(parameters string) error {
	for parameter := range strings.SplitSeq(parameters, ";") {
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		value, err := url.PathUnescape(value)
		if err != nil {
			return fmt.Errorf("the value of %s in the address of the engine can't be read", name)
		}
		switch name {
		case "use_ssl":
			if a.TLS, err = strconv.ParseBool(value); err != nil {
				return errors.New("use_ssl in the address of the engine is true or false")
			}
		case "token":
			a.token = value
		case "user_id":
			a.user = value
		default:
			return errors.New("the address of the engine has an unknown parameter; there are use_ssl, token and user_id")
		}
	}
	if a.token != "" && !a.TLS {
		return errors.New("the address of the engine has a token, which is sent with TLS only: add use_ssl=true")
	}
	return nil
}

// String returns the address without its token.
func (a Address) String() string { return "sc://" + a.Host }
