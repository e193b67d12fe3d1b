//go:build duckdb_arrow

package duck

import (
	"errors"
	"regexp"
	"strings"
	"syscall"

	"github.com/duckdb/duckdb-go/v2"
)

// Cause is why a statement failed, as coarse as callers act on it.
type Cause int

// The causes.
const (
	Unknown     Cause = iota // ours: a bug, or a file of ours that went bad
	Input                    // the data or the SQL that was given
	OutOfMemory              // the memory limit
	OutOfDisk                // no space left where files are written
	Unreadable               // a file could not be read as what it should be
	Forbidden                // the sandbox refused
	Crash                    // the statement ended the sandbox's process
)

var kinds = map[string]duckdb.ErrorType{
	"Out of Range Error":      duckdb.ErrorTypeOutOfRange,
	"Conversion Error":        duckdb.ErrorTypeConversion,
	"Mismatch Type Error":     duckdb.ErrorTypeMismatchType,
	"Divide by Zero Error":    duckdb.ErrorTypeDivideByZero,
	"Not implemented Error":   duckdb.ErrorTypeNotImplemented,
	"Catalog Error":           duckdb.ErrorTypeCatalog,
	"Parser Error":            duckdb.ErrorTypeParser,
	"Syntax Error":            duckdb.ErrorTypeSyntax,
	"Binder Error":            duckdb.ErrorTypeBinder,
	"IO Error":                duckdb.ErrorTypeIO,
	"INTERRUPT Error":         duckdb.ErrorTypeInterrupt,
	"FATAL Error":             duckdb.ErrorTypeFatal,
	"INTERNAL Error":          duckdb.ErrorTypeInternal,
	"Invalid Input Error":     duckdb.ErrorTypeInvalidInput,
	"Invalid Error":           duckdb.ErrorTypeInvalid,
	"Out of Memory Error":     duckdb.ErrorTypeOutOfMemory,
	"Permission Error":        duckdb.ErrorTypePermission,
	"Serialization Error":     duckdb.ErrorTypeSerialization,
	"Missing Extension Error": duckdb.ErrorTypeMissingExtension,
}

// cutKind splits a message of DuckDB's into its kind and the rest.
func cutKind(msg string) (kind duckdb.ErrorType, rest string, ok bool) {
	prefix, rest, found := strings.Cut(msg, ": ")
	kind, ok = kinds[prefix]
	if !found || !ok {
		return duckdb.ErrorTypeInvalid, msg, false
	}
	return kind, rest, true
}

// CauseOf tells why a statement failed.
func CauseOf(err error) Cause {
	var de *duckdb.Error
	var ended *Ended
	switch {
	case errors.As(err, &ended) && ended.hungry():
		return OutOfMemory
	case ended != nil:
		return Crash
	case !errors.As(err, &de):
		return Unknown
	case strings.Contains(de.Msg, "No space left on device"), strings.Contains(de.Msg, "Disk quota exceeded"),
		strings.Contains(de.Msg, "max_temp_directory_size"):
		return OutOfDisk
	case isFatal(de):
		return Unknown
	}
	switch de.Type {
	case duckdb.ErrorTypeOutOfMemory:
		return OutOfMemory
	case duckdb.ErrorTypePermission, duckdb.ErrorTypeMissingExtension:
		return Forbidden
	case duckdb.ErrorTypeIO, duckdb.ErrorTypeSerialization:
		return Unreadable
	}
	return Input
}

// MayBeDamage reports whether an error may come of a file that is not what was written: what could not be read, and what
// should not happen. What was given, or a want of room, is not among that.
func MayBeDamage(err error) bool {
	if errno := Errno(err); errno != 0 {
		return errno == syscall.EIO
	}
	switch CauseOf(err) {
	case Unreadable, Crash:
		return true
	case OutOfMemory, OutOfDisk, Forbidden:
		return false
	}
	var de *duckdb.Error
	return errors.As(err, &de) && (isFatal(de) || de.Type == duckdb.ErrorTypeInvalid || de.Type == duckdb.ErrorTypeInvalidInput)
}

// IsConversion reports whether a value could not be cast to a type, as opposed to not being read at all.
func IsConversion(err error) bool {
	var de *duckdb.Error
	return errors.As(err, &de) && !strings.Contains(de.Msg, "CSV Error") &&
		(de.Type == duckdb.ErrorTypeConversion || de.Type == duckdb.ErrorTypeOutOfRange)
}

var (
	// Places in a message that name a file of ours, quoted or not.
	filePart = regexp.MustCompile(`(?i)\s*(?:in|of|from)?\s*(?:the )?file:? ["'][^"']*["']|["'](?:/[^"']*)["']|\s(?:/[^\s"':,]+)+`)
	advice   = regexp.MustCompile(`(?s)\n.*`)
)

// Message tells a person why a statement failed: the first line of what DuckDB said, without its kind, our SQL and the
// names of our files.
func Message(err error) string {
	var de *duckdb.Error
	if !errors.As(err, &de) {
		return err.Error()
	}
	_, msg, _ := cutKind(de.Msg)
	msg = advice.ReplaceAllString(strings.TrimSpace(msg), "")
	msg = filePart.ReplaceAllString(msg, "")
	return strings.TrimRight(strings.TrimSpace(msg), " .!:")
}
