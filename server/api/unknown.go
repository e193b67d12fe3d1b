package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/storage/fault"
)

// Unknown names are refused: a request with a misspelled expected_head or dry_run would otherwise do something that its
// sender does not want.

// checkParameters refuses a request with query parameters that no field of t has.
func checkParameters(c *fiber.Ctx, t reflect.Type) error {
	// Counted, since of a parameter that is given twice Fiber would silently use one.
	known, times := namesOfTag(t, "query"), map[string]int{}
	for name := range c.Context().QueryArgs().All() {
		times[string(name)]++
	}
	for _, name := range slices.Sorted(maps.Keys(times)) {
		switch {
		case !slices.Contains(known, name):
			return unknown("parameter", name, name, known)
		case times[name] > 1 && !isList(t, name):
			return invalid(name, "is given more than once")
		case c.Query(name) == "" && needsValue(t, name):
			return invalid(name, "has no value")
		}
	}
	return nil
}

// needsValue reports whether a parameter with an empty value is a mistake, as in expected_head=$HEAD with an unset
// variable: it is a number, a flag or one of some words.
func needsValue(t reflect.Type, name string) bool {
	for _, f := range fieldsOf(t) {
		tag, ok := f.Tag.Lookup("query")
		switch {
		case !ok && f.Anonymous && needsValue(f.Type, name):
			return true
		case ok && tag == name:
			if f.Tag.Get("required") == "true" {
				return false // bindFields refuses it
			}
			_, words := f.Tag.Lookup("enum")
			return words || f.Type.Kind() != reflect.String && f.Type.Kind() != reflect.Slice
		}
	}
	return false
}

// isList reports whether a parameter is a list. Some clients send one as a parameter for each element, although the
// document says otherwise.
func isList(t reflect.Type, name string) bool {
	for _, f := range fieldsOf(t) {
		if f.Tag.Get("query") == name {
			return f.Type.Kind() == reflect.Slice
		}
		if f.Anonymous && isList(f.Type, name) {
			return true
		}
	}
	return false
}

// checkFields refuses JSON with members that no field of t has. at is the path of the value in the body.
func checkFields(text []byte, t reflect.Type, at string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	// Such a type accepts names that its fields do not show.
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil // it checks its own members
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkMembers(text, t, at)
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(text, &items) != nil {
			return nil // decoding it will fail with a better error
		}
		for i, item := range items {
			if err := checkFields(item, t.Elem(), fmt.Sprintf("%s[%d]", strings.TrimSuffix(at, "."), i)+"."); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMembers is checkFields for an object.
func checkMembers(text []byte, t reflect.Type, at string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return nil
	}
	fields := jsonFields(t)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field, ok := fields[name]
		if !ok {
			return unknown("field", at+name, name, slices.Sorted(maps.Keys(fields)))
		}
		if err := checkFields(members[name], field, at+name+"."); err != nil {
			return err
		}
	}
	return nil
}

// checkNulls refuses a null in a change: it would leave the field as it is, which is not what it says.
func checkNulls(method string, text []byte) error {
	var members map[string]json.RawMessage
	if method != http.MethodPatch || json.Unmarshal(text, &members) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if string(members[name]) == "null" {
			return invalid(name, "must not be null. Leave it out to keep its value, or send an empty one")
		}
	}
	return nil
}

// jsonFields returns the types of the members that a struct accepts in JSON, by name.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(out, jsonFields(f.Type))
		case name == "" && f.IsExported():
			out[f.Name] = f.Type
		case name != "" && name != "-":
			out[name] = f.Type
		}
	}
	return out
}

// namesOfTag returns the names of a struct's fields under a tag, those of embedded structs included.
func namesOfTag(t reflect.Type, tag string) (names []string) {
	for _, f := range fieldsOf(t) {
		if name, ok := f.Tag.Lookup(tag); ok {
			names = append(names, name)
		} else if f.Anonymous {
			names = append(names, namesOfTag(f.Type, tag)...)
		}
	}
	return names
}

// fieldsOf returns the fields of a struct, or of the struct that a pointer points to.
func fieldsOf(t reflect.Type) (fields []reflect.StructField) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := range t.NumField() {
		fields = append(fields, t.Field(i))
	}
	return fields
}

// unknown refuses a name and suggests the most similar known one. path is the path of the name in the request.
func unknown(kind, path, name string, known []string) error {
	shown := fault.Clip(path)
	e := fault.Errorf(fault.Invalid, "unknown_"+kind, "There is no %s %q here.", kind, shown).With(kind, shown)
	if len(known) == 0 {
		e.Detail += " This request takes none."
		return e
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
	// Further away than that a suggestion misleads more than the list of names does.
	if distance(name, nearest) <= 1+len(nearest)/3 {
		e.Detail += fmt.Sprintf(" Did you mean %q?", nearest)
		return e.With("nearest", nearest)
	}
	e.Detail += " It takes " + strings.Join(known, ", ") + "."
	return e
}

// distance returns the edit distance of two names, regardless of case and separators: dryRun equals dry_run.
func distance(a, b string) int {
	plain := strings.NewReplacer("_", "", "-", "")
	return levenshtein.ComputeDistance(strings.ToLower(plain.Replace(fault.Clip(a))), strings.ToLower(plain.Replace(b)))
}
