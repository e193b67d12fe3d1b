package catalog

import (
	"net"
	"time"
)

// dialer connects so that a peer that is gone without a word is noticed within some ten seconds.
func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout: timeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 3,
		},
		Control: boundSending,
	}
}
