//go:build duckdb_arrow

package duck

import (
	"errors"
	"regexp"
	"strings"
	"syscall"

	"github.com/duckdb/duckdb-go/v2"
)

// Cause is why a statement failed. There is one for each reaction that a caller may have.
type Cause int

// The causes.
const (
	Unknown     Cause = iota // the server's: a bug or a damaged file
	Input                    // the client's data or SQL
	OutOfMemory              // the memory limit
	OutOfDisk                // no space left where files are written
	Unreadable               // a file could not be read in its format
	Forbidden                // refused by the sandbox
	Crash                    // the sandbox's process died
)

// kinds maps the prefixes of DuckDB's messages to its error types: errors of its C API have only the message.
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

// cutKind splits a message from DuckDB into its kind and the rest.
func cutKind(msg string) (kind duckdb.ErrorType, rest string, ok bool) {
	prefix, rest, found := strings.Cut(msg, ": ")
	kind, ok = kinds[prefix]
	if !found || !ok {
		return duckdb.ErrorTypeInvalid, msg, false
	}
	return kind, rest, true
}

// CauseOf returns why a statement failed.
func CauseOf(err error) Cause {
	var de *duckdb.Error
	var ended *Ended
	switch {
	case errors.As(err, &ended) && ended.ranOutOfMemory():
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

// MayBeDamage reports whether an error may be caused by a file that has changed since it was written: files that could
// not be read, crashes and internal errors. Errors in the client's input and a lack of memory or disk space are not.
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
	return errors.As(err, &de) &&
		(isFatal(de) || de.Type == duckdb.ErrorTypeInvalid || de.Type == duckdb.ErrorTypeInvalidInput)
}

// IsConversion reports whether a value was read but could not be cast to a type.
func IsConversion(err error) bool {
	var de *duckdb.Error
	return errors.As(err, &de) && !strings.Contains(de.Msg, "CSV Error") &&
		(de.Type == duckdb.ErrorTypeConversion || de.Type == duckdb.ErrorTypeOutOfRange)
}

var (
	// Parts of a message that name a stored file, quoted or not.
	filePart = regexp.MustCompile(`(?i)\s*(?:in|of|from)?\s*(?:the )?file:? ["'][^"']*["']|` +
		`["'](?:/[^"']*)["']|\s(?:/[^\s"':,]+)+`)
	advice = regexp.MustCompile(`(?s)\n.*`)
)

// Message says why a statement failed, for people: the first line of DuckDB's message, without its kind, the server's
// SQL and the names of its files.
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
