package quartzbio

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/rowback/rowback/storage/fault"
)

// members are a JSON object whose members stay in their order, as the fields of records do.
type members[T any] struct {
	names  []string
	values map[string]T
}

// set gives a member a value; a new one is the last.
func (m *members[T]) set(name string, value T) {
	if _, has := m.values[name]; !has {
		m.names = append(m.names, name)
	}
	m.values[name] = value
}

// drop removes a member, if there is one.
func (m *members[T]) drop(name string) {
	if _, has := m.values[name]; has {
		delete(m.values, name)
		m.names = slices.DeleteFunc(m.names, func(one string) bool { return one == name })
	}
}

// MarshalJSON writes the members in their order.
func (m members[T]) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, name := range m.names {
		value, err := json.Marshal(m.values[name])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted(name)...), ':'), value...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads the members in their order. Of two with one name, the last counts.
func (m *members[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	start, err := d.Token()
	if err != nil || start != json.Delim('{') {
		return fault.Errorf(fault.Invalid, "invalid_record", "%s is not a record: a record is a JSON object.",
			strconv.Quote(fault.Clip(string(text))))
	}
	*m = members[T]{values: map[string]T{}}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value T
		if err := d.Decode(&value); err != nil {
			return err
		}
		m.set(name.(string), value)
	}
	return nil
}

// record is one record as it is sent; row is one whose values expressions use.
type (
	record = members[json.RawMessage]
	row    = members[any]
)

// quoted returns text as JSON.
func quoted(s string) json.RawMessage {
	text, _ := json.Marshal(s) // a text can always be encoded
	return text
}
