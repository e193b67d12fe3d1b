package expression

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// methods are what may be called on a value.
var methods = map[string]func(of any, given []any) (any, error){
	"lower": plain(strings.ToLower), "upper": plain(strings.ToUpper), "title": plain(title),
	"capitalize": plain(capitalize), "strip": trimmed(strings.TrimSpace, strings.Trim),
	"lstrip":     trimmed(func(s string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) }, strings.TrimLeft),
	"rstrip":     trimmed(func(s string) string { return strings.TrimRightFunc(s, unicode.IsSpace) }, strings.TrimRight),
	"startswith": about(strings.HasPrefix), "endswith": about(strings.HasSuffix), "split": splitText, "join": joinText,
	"replace": replaceText, "find": indexText, "count": countText, "isdigit": checks(unicode.IsDigit),
	"isalpha": checks(unicode.IsLetter), "zfill": zeroFilled, "get": getMember, "keys": keysOf, "values": valuesOf,
}

// texts returns the text that a method is called on, and its arguments as texts.
func texts(of any, given []any, least, most int) (s string, out []string, err error) {
	s, ok := of.(string)
	if !ok {
		return "", nil, fmt.Errorf("%s has no such method", typeOf(of))
	}
	if len(given) < least || len(given) > most {
		return "", nil, errArguments
	}
	for _, v := range given {
		one, ok := v.(string)
		if !ok {
			return "", nil, errArguments
		}
		out = append(out, one)
	}
	return s, out, nil
}

func plain(do func(string) string) func(any, []any) (any, error) {
	return func(of any, given []any) (any, error) {
		s, _, err := texts(of, given, 0, 0)
		return do(s), err
	}
}

func trimmed(space func(string) string, set func(s, cut string) string) func(any, []any) (any, error) {
	return func(of any, given []any) (any, error) {
		s, cut, err := texts(of, given, 0, 1)
		if err == nil && len(cut) == 1 {
			return set(s, cut[0]), nil
		}
		return space(s), err
	}
}

func about(is func(s, part string) bool) func(any, []any) (any, error) {
	return func(of any, given []any) (any, error) {
		s, part, err := texts(of, given, 1, 1)
		if err != nil {
			return nil, err
		}
		return is(s, part[0]), nil
	}
}

func checks(is func(rune) bool) func(any, []any) (any, error) {
	return func(of any, given []any) (any, error) {
		s, _, err := texts(of, given, 0, 0)
		return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !is(c) }), err
	}
}

func capitalize(s string) string {
	c, width := utf8.DecodeRuneInString(s)
	if width == 0 {
		return s
	}
	return string(unicode.ToUpper(c)) + strings.ToLower(s[width:])
}

func title(s string) string {
	before := ' '
	return strings.Map(func(c rune) rune {
		isFirst := !unicode.IsLetter(before)
		before = c
		if isFirst {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

// splitText divides a text: at spaces, or at another text, at most so many times.
func splitText(of any, given []any) (any, error) {
	most := int64(-1)
	if len(given) == 2 {
		n, _, isWhole, _ := number(given[1])
		if !isWhole {
			return nil, errArguments
		}
		most, given = n, given[:1]
	}
	s, at, err := texts(of, given, 0, 1)
	if err != nil {
		return nil, err
	}
	var parts []string
	switch {
	case len(at) == 0:
		for part := range strings.FieldsSeq(s) {
			if parts = append(parts, part); len(parts) > maxSteps {
				return nil, errTooLarge
			}
		}
	case at[0] == "":
		return nil, errors.New("a text is not divided at nothing")
	case strings.Count(s, at[0]) > maxSteps:
		return nil, errTooLarge
	case most >= 0:
		parts = strings.SplitN(s, at[0], int(min(most, maxSize))+1)
	default:
		parts = strings.Split(s, at[0])
	}
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = part
	}
	return out, nil
}

func joinText(of any, given []any) (any, error) {
	s, ok := of.(string)
	if !ok || len(given) != 1 {
		return nil, errArguments
	}
	list, err := listOf(given[0])
	if err != nil {
		return nil, err
	}
	parts, sizes := make([]string, len(list)), make([]int, len(list))
	for i, v := range list {
		if parts[i], ok = v.(string); !ok {
			return nil, fmt.Errorf("join is of texts, and a %s is among them", typeOf(v))
		}
		sizes[i] = len(parts[i]) + len(s)
	}
	if err := checkSizes(sizes...); err != nil {
		return nil, err
	}
	return strings.Join(parts, s), nil
}

func replaceText(of any, given []any) (any, error) {
	s, pair, err := texts(of, given, 2, 2)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(s, pair[0]); n > 0 && len(pair[1]) > (maxSize-min(len(s), maxSize))/n {
		return nil, errTooLarge
	}
	return strings.ReplaceAll(s, pair[0], pair[1]), nil
}

func indexText(of any, given []any) (any, error) {
	s, part, err := texts(of, given, 1, 1)
	if err != nil {
		return nil, err
	}
	at := strings.Index(s, part[0])
	if at > 0 {
		at = utf8.RuneCountInString(s[:at])
	}
	return int64(at), nil
}

func countText(of any, given []any) (any, error) {
	if list, ok := of.([]any); ok && len(given) == 1 {
		n := int64(0)
		for _, v := range list {
			if same(v, given[0]) {
				n++
			}
		}
		return n, nil
	}
	s, part, err := texts(of, given, 1, 1)
	if err != nil {
		return nil, err
	}
	return int64(strings.Count(s, part[0])), nil
}

// zeroFilled puts zeros before a text, after its sign, until it has so many characters.
func zeroFilled(of any, given []any) (any, error) {
	s, ok := of.(string)
	if !ok || len(given) != 1 {
		return nil, errArguments
	}
	n, _, isWhole, _ := number(given[0])
	if !isWhole || n > maxSize {
		return nil, errArguments
	}
	sign := ""
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, s = s[:1], s[1:]
	}
	return sign + strings.Repeat("0", max(int(n)-len(sign)-utf8.RuneCountInString(s), 0)) + s, nil
}

func getMember(of any, given []any) (any, error) {
	if _, ok := of.(map[string]any); !ok {
		return nil, fmt.Errorf("%s has no get()", typeOf(of))
	}
	return get(slices.Concat([]any{of}, given))
}

func keysOf(of any, given []any) (any, error) {
	if _, ok := of.(map[string]any); !ok || len(given) > 0 {
		return nil, errArguments
	}
	return listOf(of)
}

func valuesOf(of any, given []any) (any, error) {
	object, ok := of.(map[string]any)
	if !ok || len(given) > 0 {
		return nil, errArguments
	}
	out := []any{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		out = append(out, object[key])
	}
	return out, nil
}
