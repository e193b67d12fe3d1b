package storage

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/fault"
)

var versionForm = regexp.MustCompile(`^(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})$`)

// ParseVersion reads a semantic version (major.minor.patch).
func ParseVersion(text string) (number [3]int64, ok bool) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return number, false
	}
	for i := range number {
		n, err := strconv.ParseInt(m[i+1], 10, 64)
		if err != nil {
			return number, false
		}
		number[i] = n
	}
	return number, true
}

// VersionNumber writes a version's number, such as 1.0.1.
func VersionNumber(v catalog.Version) string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// SavepointName writes a savepoint's name, such as master__000003.
func SavepointName(number int64) string { return fmt.Sprintf("master__%06d", number) }

// parseSavepoint reads a savepoint's name.
func parseSavepoint(ref string) (number int64, ok bool) {
	// Leading zeros are for reading: master__3 and master__000003 are one.
	text, ok := strings.CutPrefix(ref, "master__")
	number, err := strconv.ParseInt(text, 10, 64)
	return number, ok && err == nil
}

// parseTime reads a time, as refs have it.
func parseTime(ref string) (t time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, ref); err == nil {
			return t, true
		}
	}
	return t, false
}

var earlierForm = regexp.MustCompile(`^(.+)~(\d{0,9})$`)

// parseEarlier reads a ref such as head~2: 2 commits before the head. head~ is head~1.
func parseEarlier(ref string) (base string, n int64, ok bool) {
	m := earlierForm.FindStringSubmatch(ref)
	if m == nil {
		return "", 0, false
	}
	if m[2] == "" {
		return m[1], 1, true
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	return m[1], n, err == nil
}

var tagForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// numberForm is what people may take for a commit or a version: v1.0.0, 01.0.0, 1.0.
var numberForm = regexp.MustCompile(`^[vV]?[0-9]+(\.[0-9]+)*$`)

// CheckTagName refuses a name that no tag can have: it could not be told from another ref.
func CheckTagName(name string) error {
	_, isTime := parseTime(name)
	lower := strings.ToLower(name)
	taken := slices.Contains([]string{"head", "latest", "previous", "now"}, lower) || strings.HasPrefix(lower, "master__")
	if tagForm.MatchString(name) && !strings.Contains(name, "..") && !numberForm.MatchString(name) && !isTime && !taken {
		return nil
	}
	return fault.Errorf(fault.Invalid, "invalid_tag", "%q can't be a tag. A tag has 1 to 100 letters, digits, dots, "+
		"underscores and hyphens, begins with a letter or a digit, and is not a number, a version (1.0.0 or v1.0.0), a "+
		"savepoint, a time, head, latest, previous or now.",
		fault.Clip(name)).With("field", "name")
}

// savepointSequence names the sequence that holds a dataset's last number where no savepoint has it.
func savepointSequence(dataset string) string { return "savepoint " + dataset }
