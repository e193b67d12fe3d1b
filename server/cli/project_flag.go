package cli

import (
	"encoding/json"
	"strconv"
)

// projectRef names a project, by its number or by the name that it has on the server.
type projectRef string

// numbered returns how a project is named by its number.
func numbered(id int64) projectRef { return projectRef(strconv.FormatInt(id, 10)) }

// number returns the number, if the project is named by it.
func (p projectRef) number() (id int64, ok bool) {
	id, err := strconv.ParseInt(string(p), 10, 64)
	return id, err == nil
}

// MarshalJSON writes a number as a number, as the API has it, and a name as a text.
func (p projectRef) MarshalJSON() ([]byte, error) {
	if id, ok := p.number(); ok {
		return json.Marshal(id)
	}
	return json.Marshal(string(p))
}
