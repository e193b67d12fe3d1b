package lineage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits, which the manual has.
const (
	maxBytes   = 256 << 10
	maxSources = 1000
	maxInputs  = 100
	maxOthers  = 1000 // models, prompts, parameters
	maxText    = 1000 // characters of a text; a prompt's has no limit of its own
)

// Wrong is why a lineage is refused: where, and the rest of the sentence.
type Wrong struct {
	Where, Why string
	Name       string   // of a member that is not known
	Known      []string // the members that are known there
}

// Error returns the sentence.
func (w *Wrong) Error() string { return w.Where + ": " + w.Why }

func wrong(where, format string, parts ...any) error {
	return &Wrong{Where: where, Why: fmt.Sprintf(format, parts...)}
}

// Read reads a lineage as it is given, with its inputs unresolved: each may be a text such as employees@1.0.1. The error
// is a *Wrong.
func Read(text []byte) (l Lineage, err error) {
	if len(text) > maxBytes {
		return l, wrong(Member, "must be up to %d KiB of JSON", maxBytes>>10)
	}
	var any map[string]json.RawMessage
	if json.Unmarshal(text, &any) != nil || any == nil {
		return l, wrong(Member, "must be an object")
	}
	if err := known(Member, text, reflect.TypeFor[Lineage]()); err != nil {
		return l, err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, mistyped(err)
	}
	return l, l.check()
}

// UnmarshalJSON reads an input: an object, or a text such as employees@1.0.1.
func (i *Input) UnmarshalJSON(text []byte) error {
	type plain Input
	var name string
	if json.Unmarshal(text, &name) == nil {
		*i = Named(name)
		return nil
	}
	err := json.Unmarshal(text, (*plain)(i))
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return wrong(Member+".inputs."+e.Field, "must be %s, not %s", typeName(e.Type), e.Value)
	}
	if err != nil {
		return wrong(Member+".inputs", "must be a list of texts such as employees@1.0.1, or of objects")
	}
	return nil
}

// Named returns the input that a text such as employees@1.0.1 names.
func Named(text string) Input {
	// The last one: a name may have it, a ref has not.
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return Input{Dataset: text}
	}
	return Input{Dataset: text[:at], Ref: text[at+1:]}
}

// mistyped says which member has another type than it must have.
func mistyped(err error) error {
	if e, ok := errors.AsType[*Wrong](err); ok {
		return e
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return wrong(Member+"."+e.Field, "must be %s, not %s", typeName(e.Type), e.Value)
	}
	return wrong(Member, "can't be read: %s", err)
}

// typeName is what a type of Go is in JSON.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// known refuses members that a type does not have: a typing error must not be kept as if it meant something.
func known(where string, text []byte, t reflect.Type) error {
	switch t.Kind() {
	case reflect.Pointer:
		return known(where, text, t.Elem())
	case reflect.Slice:
		var list []json.RawMessage
		if t.Elem().Kind() != reflect.Struct || json.Unmarshal(text, &list) != nil {
			return nil // a wrong type is refused when it is decoded
		}
		for i, one := range list {
			at := fmt.Sprintf("%s[%d]", where, i)
			if err := element(at, one, t.Elem()); err != nil {
				return err
			}
			if err := known(at, one, t.Elem()); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) != nil {
			return nil
		}
		return knownMembers(where, members, t)
	}
	return nil
}

// element refuses an element of a list that is not an object, by its place: what decodes it knows the list alone.
func element(where string, text []byte, t reflect.Type) error {
	switch isInput := t == reflect.TypeFor[Input](); {
	case text[0] == '{', isInput && text[0] == '"':
		return nil
	case isInput:
		return wrong(where, "must be a text such as employees@1.0.1, or an object")
	}
	return wrong(where, "must be an object")
}

func knownMembers(where string, members map[string]json.RawMessage, t reflect.Type) error {
	types := map[string]reflect.Type{}
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		types[name], names = t.Field(i).Type, append(names, name)
	}
	for name, text := range members {
		of, ok := types[name]
		if !ok {
			return &Wrong{
				Where: where + "." + name, Name: name, Known: names,
				Why: "is not known. Its members are " + strings.Join(names, ", ") + "; anything else goes into lineage.extra",
			}
		}
		if err := known(where+"."+name, text, of); err != nil {
			return err
		}
	}
	return nil
}

// check refuses what has the right types and is wrong nevertheless.
func (l *Lineage) check() error {
	for _, c := range []struct {
		name    string
		n, most int
	}{
		{"sources", len(l.Sources), maxSources}, {"inputs", len(l.Inputs), maxInputs}, {"models", len(l.Models), maxOthers},
		{"prompts", len(l.Prompts), maxOthers}, {"parameters", len(l.Parameters), maxOthers},
	} {
		if c.n > c.most {
			return wrong(Member+"."+c.name, "must be %d at most, not %d", c.most, c.n)
		}
	}
	for i := range l.Sources {
		if err := l.Sources[i].check(fmt.Sprintf("%s.sources[%d]", Member, i)); err != nil {
			return err
		}
	}
	for i, in := range l.Inputs {
		if err := in.check(fmt.Sprintf("%s.inputs[%d]", Member, i)); err != nil {
			return err
		}
	}
	for i := range l.Models {
		if err := l.Models[i].check(fmt.Sprintf("%s.models[%d]", Member, i)); err != nil {
			return err
		}
	}
	for i := range l.Prompts {
		if err := l.Prompts[i].check(fmt.Sprintf("%s.prompts[%d]", Member, i)); err != nil {
			return err
		}
	}
	return l.checkRest()
}

// checkRest is check for what there is one of.
func (l *Lineage) checkRest() error {
	for name, value := range l.Parameters {
		if err := texts(Member+".parameters", "name", name); err != nil {
			return err
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return wrong(Member+".parameters", "can't be read: %s", err)
		}
		l.Parameters[name] = compact.Bytes()
	}
	if c := l.Code; c != nil {
		if err := texts(Member+".code", "commit", c.Commit, "path", c.Path, "version", c.Version); err != nil {
			return err
		}
		if err := address(Member+".code.repository", c.Repository); err != nil {
			return err
		}
	}
	if r := l.Run; r != nil {
		if err := texts(Member+".run", "job", r.Job, "id", r.ID); err != nil {
			return err
		}
		return address(Member+".run.uri", r.URI)
	}
	return nil
}

func (s *Source) check(where string) error {
	if s.Name == "" {
		return wrong(where+".name", "is required")
	}
	// A folder says where somebody's files are, which is nobody's business, and differs from one machine to the next.
	if path.Base(s.Name) != s.Name || strings.Contains(s.Name, `\`) {
		return wrong(where+".name", "must be the name of a file without its folder; an address goes into uri")
	}
	if err := texts(where, "name", s.Name, "media_type", s.MediaType, "description", s.Description); err != nil {
		return err
	}
	if s.Size != nil && *s.Size < 0 {
		return wrong(where+".size", "must be a number of bytes")
	}
	if err := digest(where+".sha256", &s.SHA256, 64); err != nil {
		return err
	}
	if err := digest(where+".md5", &s.MD5, 32); err != nil {
		return err
	}
	return address(where+".uri", s.URI)
}

func (i Input) check(where string) error {
	if i.Dataset == "" && i.DatasetID == "" {
		return wrong(where, "must name a dataset, as in employees@1.0.1 or {\"dataset\": \"employees\", \"ref\": \"1.0.1\"}")
	}
	return texts(where, "dataset", i.Dataset, "ref", i.Ref, "dataset_id", i.DatasetID)
}

func (m *Model) check(where string) error {
	if m.Name == "" {
		return wrong(where+".name", "is required")
	}
	if err := texts(where, "name", m.Name, "version", m.Version, "provider", m.Provider); err != nil {
		return err
	}
	if err := digest(where+".sha256", &m.SHA256, 64); err != nil {
		return err
	}
	return address(where+".uri", m.URI)
}

func (p *Prompt) check(where string) error {
	if p.Name == "" && p.Text == "" && p.SHA256 == "" {
		return wrong(where, "must have a text, a name or a sha256")
	}
	if err := digest(where+".sha256", &p.SHA256, 64); err != nil {
		return err
	}
	if p.Text != "" && p.SHA256 != "" && textSum(p.Text) != p.SHA256 {
		return wrong(where+".sha256", "is not that of the text, which is %s", textSum(p.Text))
	}
	return texts(where, "name", p.Name, "role", p.Role)
}

// texts refuses texts that are too long. They come as pairs of a name and a text.
func texts(where string, pairs ...string) error {
	for pair := range slices.Chunk(pairs, 2) {
		if name, text := pair[0], pair[1]; utf8.RuneCountInString(text) > maxText || strings.ContainsRune(text, 0) {
			return wrong(where+"."+name, "must be up to %d characters, none of them NUL", maxText)
		}
	}
	return nil
}

var hexadecimal = regexp.MustCompile(`^[0-9a-f]+$`)

// digest refuses what is not a checksum, and makes its letters small: programs write both, and they must compare.
func digest(where string, sum *string, digits int) error {
	*sum = strings.ToLower(*sum)
	if *sum != "" && (len(*sum) != digits || !hexadecimal.MatchString(*sum)) {
		return wrong(where, "must be %d hexadecimal digits", digits)
	}
	return nil
}

// IsSHA256 reports whether a text is a SHA-256, in small letters.
func IsSHA256(text string) bool { return text != "" && digest("", &text, 64) == nil }

// secrets are parameters of URLs that let whoever has them in.
var secrets = []string{
	"x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential", "signature",
	"sig", "token", "access_token", "api_key", "apikey", "key", "password", "secret", "credential", "auth",
}

// address refuses a URI that has what must not be kept: credentials, or a path of somebody's machine.
func address(where, uri string) error {
	if uri == "" {
		return nil
	}
	u, err := url.Parse(uri)
	switch {
	case len(uri) > maxText:
		return wrong(where, "must be up to %d characters", maxText)
	case err != nil || u.Scheme == "":
		return wrong(where, "must be a URI, as in s3://bucket/2025.csv")
	case u.Scheme == "file" || len(u.Scheme) == 1: // which is a drive of Windows
		return wrong(where, "must not be a path on a machine; give the file's name alone, as name")
	}
	// The name of an account is part of an address, as in ssh://git@host or abfss://container@account; a password is not.
	_, hasPassword := u.User.Password()
	isOpen := u.User != nil && (u.Scheme == "http" || u.Scheme == "https")
	if hasPassword || isOpen {
		return wrong(where, "must not have a user or a password: everyone who reads the commit would see it")
	}
	if name := secretIn(uri); name != "" {
		return wrong(where, "must not have the parameter %s: everyone who reads the commit would see it", name)
	}
	return nil
}

// secretIn returns the parameter of a URI that lets whoever has it in; empty: there is none. Parameters are looked for
// after each sign that may come before one: in the path, the query (where u.Query has none with a semicolon) and the
// fragment.
func secretIn(uri string) string {
	before := func(r rune) bool { return strings.ContainsRune("?&;#", r) }
	at := strings.IndexFunc(uri, before)
	if at < 0 {
		return ""
	}
	for part := range strings.FieldsFuncSeq(uri[at:], before) {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if slices.Contains(secrets, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}
