package catalog

import (
	"database/sql"
	"strings"
	"unicode/utf8"
)

// The texts of the catalog are any bytes, as SQLite has them. Those of PostgreSQL are UTF-8 without NUL: what is not is
// written as escapeRune and a rune for the byte, and escapeRune itself as two runes.
const (
	escapeRune  = '\ue000'
	escapedSelf = '\ue0ff'
	firstByte   = '\ue100' // of the runes that stand for bytes
)

// texts returns arguments as the database can store them.
func (tx Tx) texts(args []any) []any {
	if tx.over == nil {
		return args
	}
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = Escape(text)
		}
	}
	return args
}

// Escape returns a text as PostgreSQL can store it.
func Escape(text string) string {
	if utf8.ValidString(text) && !strings.ContainsRune(text, 0) && !strings.ContainsRune(text, escapeRune) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == escapeRune:
			out.WriteRune(escapeRune)
			out.WriteRune(escapedSelf)
		case r == 0, r == utf8.RuneError && size == 1:
			out.WriteRune(escapeRune)
			out.WriteRune(firstByte + rune(text[i]))
		default:
			out.WriteRune(r)
		}
		i += size
	}
	return out.String()
}

// Unescape is the reverse of Escape.
func Unescape(text string) string {
	if !strings.ContainsRune(text, escapeRune) {
		return text
	}
	var out strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped && r == escapedSelf:
			out.WriteRune(escapeRune)
		case escaped:
			out.WriteByte(byte(r - firstByte))
		case r != escapeRune:
			out.WriteRune(r)
		}
		escaped = r == escapeRune && !escaped
	}
	return out.String()
}

// read is a row whose texts are as they were before they were stored.
func (tx Tx) read(s scanner) scanner {
	if tx.over == nil {
		return s
	}
	return unescaped{s}
}

type unescaped struct{ scanner }

func (u unescaped) Scan(dest ...any) error {
	err := u.scanner.Scan(dest...)
	for _, d := range dest {
		switch text := d.(type) {
		case *string:
			*text = Unescape(*text)
		case *sql.NullString:
			text.String = Unescape(text.String)
		}
	}
	return err
}
