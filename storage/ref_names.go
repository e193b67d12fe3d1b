package storage

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"rowback/storage/catalog"
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

func parseSavepoint(ref string) (number int64, ok bool) {
	// Leading zeros are for reading: master__3 and master__000003 are one.
	text, ok := strings.CutPrefix(ref, "master__")
	number, err := strconv.ParseInt(text, 10, 64)
	return number, ok && err == nil
}

// savepointSequence names the sequence that holds a dataset's last number where no savepoint has it.
func savepointSequence(dataset string) string { return "savepoint " + dataset }
