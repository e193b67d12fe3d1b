package webhooks

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Schedule is when messages are sent again, and when that ends. The zero value has the defaults.
type Schedule struct {
	First   time.Duration // before the second attempt; 0: 5 s. Each further wait is three times as long
	Longest time.Duration // between two attempts; 0: 4 h
	GiveUp  time.Duration // from the first attempt: then the message has failed; 0: 24 h
	Disable time.Duration // for which nothing was delivered: then the webhook is disabled; 0: 72 h
	Timeout time.Duration // of one attempt; 0: 10 s
	Pause   time.Duration // the longest pause of a webhook that fails again and again; 0: 5 min
}

// filled returns the schedule with defaults in place of zeros.
func (s Schedule) filled() Schedule {
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{
		{&s.First, 5 * time.Second}, {&s.Longest, 4 * time.Hour}, {&s.GiveUp, 24 * time.Hour},
		{&s.Disable, 72 * time.Hour}, {&s.Timeout, 10 * time.Second}, {&s.Pause, 5 * time.Minute},
	} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	return s
}

// wait returns how long to wait after a number of failed attempts: exponentially longer, and more or less by a fifth,
// so that receivers that were down are not met by all messages at once.
func (s Schedule) wait(failed int) time.Duration {
	d := s.First
	for range min(failed, 30) - 1 {
		if d = d * 3; d >= s.Longest {
			d = s.Longest
			break
		}
	}
	return d*4/5 + rand.N(d*2/5+1) // #nosec G404 -- it spreads load, and is not secret
}

// pause returns how long a webhook is sent nothing after a number of failures in a row. One or two may be of the
// messages: then others go on. From the third on the receiver is taken to be down, and asked now and then.
func (s Schedule) pause(failures int) time.Duration {
	if failures < 3 {
		return 0
	}
	return min(s.wait(failures-2), s.Pause)
}

// retryAfter reads the header of that name: seconds or a date; 0: there is none. It is bounded by a day, after which a
// message is given up.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, 24*time.Hour)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), 24*time.Hour))
	}
	return 0
}
