package access

import (
	"fmt"
	"net"
)

// IsLocal reports whether an address to listen on, as host:port, can be reached from this machine only.
func IsLocal(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%s: write it as host:port", addr)
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}

// CheckAddress refuses to listen where other machines can reach the server, unless connections are encrypted or the
// operator insists. flag is the name of the option that gave the address.
func CheckAddress(flag, addr string, encrypted, insecure bool) error {
	local, err := IsLocal(addr)
	if err != nil {
		return fmt.Errorf("%s %w", flag, err)
	}
	if local || encrypted || insecure {
		return nil
	}
	return fmt.Errorf("%s %s can be reached from other machines: set --tls-cert and --tls-key, or --acme-domain, or "+
		"--insecure to send everything unencrypted and, unless there is a --token, to let anyone in", flag, addr)
}
