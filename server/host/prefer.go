package host

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Header returns a header of the request. The values of one that was sent several times are one list (RFC 9110,
// section 5.3).
func Header(c *fiber.Ctx, name string) string {
	var lines []string
	for _, line := range c.Request().Header.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, ", ")
}

// Prefers reports whether a Prefer header states a preference that has no value (RFC 7240). Of several statements the
// first counts; an empty value is none. One with another value is unknown here, and unknown preferences are ignored.
func Prefers(header, name string) bool {
	for _, preference := range splitUnquoted(header, ',') {
		stated := splitUnquoted(preference, ';')[0] // parameters follow it
		token, value, _ := strings.Cut(stated, "=")
		if strings.EqualFold(strings.TrimSpace(token), name) {
			return strings.Trim(value, " \t\"") == ""
		}
	}
	return false
}

// splitUnquoted splits a header at a separator, except within quoted strings (RFC 9110, section 5.6.4).
func splitUnquoted(text string, at rune) (parts []string) {
	start, quoted, escaped := 0, false, false
	for i, r := range text {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quoted:
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == at && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
