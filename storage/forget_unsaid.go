package storage

import (
	"bytes"
	"encoding/json"

	"github.com/rowback/rowback/storage/catalog"
)

// unsayable are the parameters of commits that may name values of records: conditions, keys whose conflicts were
// settled, and the first values of a new variable.
var unsayable = []string{"where", "resolve", "values"}

// unsaid returns parameters without those that may name values of records.
func unsaid(params json.RawMessage) json.RawMessage {
	all := map[string]json.RawMessage{}
	if json.Unmarshal(params, &all) != nil {
		return params
	}
	before := len(all)
	for _, name := range unsayable {
		delete(all, name)
	}
	text, err := json.Marshal(all)
	if len(all) == before || err != nil {
		return params
	}
	return text
}

// unsaidIn returns an answer in which the parameters of commits are unsaid, wherever they are.
func unsaidIn(answer json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var all any
	if d.Decode(&all) != nil || !dropParams(all) {
		return answer
	}
	text, err := json.Marshal(all)
	if err != nil {
		return answer
	}
	return text
}

// dropParams removes what may name values from every member "params", and reports whether there was any.
func dropParams(v any) (found bool) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			found = dropParams(one) || found
		}
	case map[string]any:
		if params, ok := v["params"].(map[string]any); ok {
			for _, name := range unsayable {
				if _, has := params[name]; has {
					delete(params, name)
					found = true
				}
			}
		}
		for _, one := range v {
			found = dropParams(one) || found
		}
	}
	return found
}

// unsay takes what may name values out of the answers that requests were given.
func (a *answers) unsay() {
	for i := range a.Receipts {
		a.Receipts[i].Answer = unsaidIn(a.Receipts[i].Answer)
	}
	if a.Job != nil {
		a.Job.Answer = unsaidIn(a.Job.Answer)
	}
}

// replace has the catalog give these answers from now on.
func (a answers) replace(tx catalog.Tx) error {
	for _, r := range a.Receipts {
		if err := tx.SetAnswer(r); err != nil {
			return err
		}
	}
	if a.Job == nil {
		return nil
	}
	return tx.PutJob(*a.Job)
}
