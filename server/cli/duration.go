package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// duration is a length of time, written as 30d or as Go does, such as 12h.
type duration time.Duration

// UnmarshalText reads a length of time.
func (d *duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		*d = duration(n) * duration(24*time.Hour)
		if err == nil {
			return nil
		}
	}
	if string(text) == "0" {
		*d = 0
		return nil
	}
	given, err := time.ParseDuration(string(text))
	if err != nil || given < 0 {
		return fmt.Errorf("%q is not a length of time; write it as 30d or 12h", text)
	}
	*d = duration(given)
	return nil
}
