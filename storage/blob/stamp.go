package blob

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// Stamp returns a text that differs once anything was added to, removed from or replaced in one of the directories with
// those keys, not counting what is below their own directories. It is empty if that is not known: on a file system
// whose times are in whole seconds, two changes may have the same one.
func (d *Dir) Stamp(keys ...string) string {
	times := make([]string, len(keys))
	for i, key := range keys {
		info, err := os.Stat(d.place(key))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			times[i] = "-"
		case err != nil || info.ModTime().Nanosecond() == 0:
			return ""
		default:
			times[i] = strconv.FormatInt(info.ModTime().UnixNano(), 36)
		}
	}
	return strings.Join(times, " ")
}

// IsOlder reports whether a directory did not change for so long, by its part of a stamp.
func IsOlder(part string, age time.Duration) bool {
	at, err := strconv.ParseInt(part, 36, 64)
	return part == "-" || err == nil && time.Since(time.Unix(0, at)) > age
}
